"""Change between two dates: difference of an index (dNBR …) and log-ratio of radar with a draft.

The draft mask of flooded or changed ground comes from Otsu's threshold (1979) on the log-ratio;
it is a proposal to edit, not a result.
"""

from __future__ import annotations

import numpy as np

from . import derive, rasters
from .derive import radar
from .errors import ConcordError
from .progress import SILENT, Progress
from .scene import Scene

_TILE = 512
CHANGED, SAME = 2, 1
# Key and Benson (2006): dNBR from which burn severity is low, moderate-low, moderate-high, high.
SEVERITY = (0.1, 0.27, 0.44, 0.66)


def index_difference(
    before, after, output: str, *, index: str = "nbr", progress: Progress = SILENT
) -> dict:
    """Write ``before - after`` of an index (positive: a loss, as in dNBR) on BEFORE's grid.

    Raises:
        ConcordError: the index is not known or a band is missing on one of the dates.
    """
    with Scene(before, _finest(before)) as old, Scene(after, old.grid) as new:
        for scene in (old, new):
            scene.check_units()
        planned = [derive.plan([index], scene) for scene in (old, new)]
        if any(len(items) != 1 for items in planned):
            raise ConcordError(f"'{index}' gives several bands; name a single index such as nbr.")

        def compute(window):
            planes = []
            for scene, items in zip((old, new), planned):
                needs = list(items[0].needs)
                values = dict(zip(needs, scene.read(needs, window.window)))
                planes.append(derive.compute(items, values, _inner(window))[0])
            return planes[0] - planes[1]

        halo = max(derive.halo_of(items) for items in planned)
        values = _write(output, old.grid, f"d{index}", "index", compute, halo, progress)
        warnings = old.warnings + new.warnings
    if index == "nbr":
        values["severity_share"] = _severity(output)
    return {**values, "kind": "difference", "index": index, "warnings": warnings}


def _finest(paths):
    """The grid of the finest file."""
    infos = [rasters.require_crs(rasters.info(path)) for path in paths]
    return min((info.grid for info in infos), key=rasters.metres_per_pixel, default=None)


def _severity(path: str) -> dict:
    """Share of the pixels at or above each burn severity limit."""
    with rasters.Raster(path) as raster:
        plane = raster.read()[0]
    finite = plane[np.isfinite(plane)]
    return {str(limit): round(float((finite >= limit).mean()), 4) for limit in SEVERITY}


def log_ratio(
    before,
    after,
    output: str,
    *,
    mask: str | None = None,
    band: str = "vv",
    progress: Progress = SILENT,
) -> dict:
    """Write the log-ratio of Lee-filtered backscatter (dB, negative: darker after) and a mask.

    ``mask`` is a class raster: 1 unchanged, 2 darker by Otsu's threshold, 0 no data.
    """
    with Scene(before, _finest(before)) as old, Scene(after, old.grid) as new:
        for scene in (old, new):
            scene.check_units()
            scene.require([band])
            if scene.units([band]) != ["dB"]:
                raise ConcordError(
                    f"{scene.sources[band].path}: {band} is in {scene.units([band])[0] or 'DN'}, "
                    "not in dB; choose radar scenes."
                )

        def compute(tile):
            planes = [scene.read([band], tile.window)[0] for scene in (old, new)]
            smooth = [radar.decibels(radar.lee(radar.power(p), radar.LOOKS)) for p in planes]
            return (smooth[1] - smooth[0])[_inner(tile)]

        grid = old.grid
        values = _write(output, grid, f"{band}_log_ratio", "dB", compute, radar.REACH + 1, progress)
        warnings = old.warnings + new.warnings
    threshold = otsu(_sample(output))
    values = {**values, "kind": "log_ratio", "band": band, "threshold_db": round(threshold, 3)}
    if threshold >= 0:
        warnings.append("Nothing got darker between the dates; the draft mask holds no water.")
    if mask:
        values["changed_share"] = _write_mask(output, mask, grid, min(threshold, 0.0))
    return {**values, "mask": mask, "warnings": warnings}


def _inner(tile) -> tuple:
    top, left = tile.core.row - tile.window.row, tile.core.col - tile.window.col
    return (slice(top, top + tile.core.height), slice(left, left + tile.core.width))


def _write(output, grid, name, unit, compute, halo: int, progress: Progress) -> dict:
    low, high, count = np.inf, -np.inf, 0
    tiles = list(grid.tiles(_TILE, halo))
    with rasters.Writer(
        output, grid, 1, "float32", names=[name], units=[unit], nodata=np.nan
    ) as writer:
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Comparing the dates")
            plane = compute(tile)
            finite = plane[np.isfinite(plane)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
                count += finite.size
            writer.write(plane, tile.core)
        if not count:
            raise ConcordError("The two dates do not overlap; choose scenes of one place.")
    return {"output": str(output), "minimum": low, "maximum": high, "pixels": count}


def _sample(path: str) -> np.ndarray:
    with rasters.Raster(path) as raster:
        step = max(1, max(raster.grid.width, raster.grid.height) // 1024)
        shape = (max(1, raster.grid.height // step), max(1, raster.grid.width // step))
        plane = raster.read(None, [1], shape)[0]
    return plane[np.isfinite(plane)]


def otsu(values: np.ndarray, bins: int = 256) -> float:
    """Otsu's threshold (1979): the cut that separates the two halves of a histogram best."""
    counts, edges = np.histogram(values, bins, np.percentile(values, (0.5, 99.5)))
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        merit = np.nan_to_num(below * above * gap * gap)
    return float(middle[int(np.argmax(merit))])


def _write_mask(source: str, mask: str, grid, threshold: float) -> float:
    changed = total = 0
    with (
        rasters.Raster(source) as raster,
        rasters.Writer(
            mask,
            grid,
            1,
            "uint8",
            names=["draft"],
            nodata=0,
            colours={SAME: (200, 200, 200), CHANGED: (30, 100, 220)},
            categories={SAME: "unchanged", CHANGED: "darker, possibly flooded"},
        ) as writer,
    ):
        for tile in grid.tiles(_TILE):
            plane = raster.read(tile.core)[0]
            codes = np.where(plane < threshold, CHANGED, SAME).astype(np.uint8)
            codes[~np.isfinite(plane)] = 0
            changed += int((codes == CHANGED).sum())
            total += int((codes > 0).sum())
            writer.write(codes, tile.core)
    return round(changed / total, 4) if total else 0.0
