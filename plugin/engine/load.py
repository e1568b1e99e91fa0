"""Building a scene: products in, one raster out, with named bands in physical units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import derive, prisma, rasters, sensors, shift
from .errors import ConcordError
from .gather import Gathered, gather
from .grid import Grid
from .progress import SILENT, Progress
from .scene import Scene

_TILE = 512


@dataclass(frozen=True)
class GridWish:
    """What the user asked of the grid; everything may be left out.

    Args:
        like: a grid to match.
        resolution: pixel size in units of the target CRS.
        crs: target CRS, authority code or WKT.
        extent: (left, bottom, right, top) in ``extent_crs``, or in the target CRS when that is ''.
    """

    like: Grid | None = None
    resolution: float | None = None
    crs: str = ""
    extent: tuple | None = None
    extent_crs: str = ""


def plan_grid(infos, wish: GridWish) -> Grid:
    """The scene's grid: the wished one, else the finest band's."""
    if wish.like is not None:
        base = wish.like
    else:
        base = min((info.grid for info in infos), key=rasters.metres_per_pixel)
    crs = wish.crs or base.crs
    bounds, size, extent = base.bounds, base.pixel_size, _extent_in(wish, base, crs)
    if not rasters.same_crs(crs, base.crs):
        bounds = rasters.transform_bounds(base.bounds, base.crs, crs)
        size = _same_ground_size(base, crs)
    elif wish.resolution is None and extent is None:
        return base
    elif wish.resolution is None or math.isclose(wish.resolution, size[0], rel_tol=1e-6):
        return base.sub(base.window_of(extent)) if extent else base
    if wish.resolution:
        size = (wish.resolution, wish.resolution)
    if extent:
        bounds = _intersection(bounds, extent)
    if wish.resolution and wish.resolution > max(bounds[2] - bounds[0], bounds[3] - bounds[1]):
        unit = "degrees" if rasters.crs_is_geographic(crs) else "map units"
        raise ConcordError(
            f"A pixel of {wish.resolution:g} is larger than the images; give RESOLUTION in {unit} "
            f"of {crs[:40]}."
        )
    return _north_up(crs, bounds, size)


def wish_of(like, resolution, crs: str, extent) -> GridWish:
    """A wish from what a form gives: ``like`` is a path, ``extent`` is (bounds, their CRS)."""
    grid = rasters.require_crs(rasters.info(like)).grid if like else None
    bounds, own = extent or (None, "")
    return GridWish(grid, resolution, crs, bounds, own)


def _extent_in(wish: GridWish, base: Grid, crs: str) -> tuple | None:
    if not wish.extent or not wish.extent_crs or rasters.same_crs(wish.extent_crs, crs):
        return wish.extent
    shared = rasters.bounds_on(base, wish.extent, wish.extent_crs)
    return (
        shared
        if rasters.same_crs(crs, base.crs)
        else rasters.transform_bounds(shared, base.crs, crs)
    )


def _same_ground_size(base: Grid, crs: str) -> tuple:
    """Square pixels in the other CRS that keep the number of pixels along the diagonal.

    The diagonal is that of the moved corners, as gdalwarp has it: a bounding box is longer.
    """
    corners = [base.xy(0, 0), base.xy(base.width, base.height)]
    (x0, y0), (x1, y1) = rasters.transform_points(corners, base.crs, crs)
    diagonal = math.hypot(x1 - x0, y1 - y0)
    size = diagonal / math.hypot(base.width, base.height)
    return (size, size)


def _intersection(one: tuple, other: tuple) -> tuple:
    left, bottom = max(one[0], other[0]), max(one[1], other[1])
    right, top = min(one[2], other[2]), min(one[3], other[3])
    if not (right > left and top > bottom):
        raise ConcordError("The extent does not overlap the images; choose one inside them.")
    return (left, bottom, right, top)


def _north_up(crs: str, bounds: tuple, size: tuple) -> Grid:
    """A north-up grid over ``bounds``, its corner snapped to whole pixels."""
    left = math.floor(bounds[0] / size[0] + 1e-6) * size[0]
    top = math.ceil(bounds[3] / size[1] - 1e-6) * size[1]
    width = math.ceil((bounds[2] - left) / size[0] - 1e-6)
    height = math.ceil((top - bounds[1]) / size[1] - 1e-6)
    return Grid(crs, (size[0], 0.0, left, 0.0, -size[1], top), max(1, width), max(1, height))


def load_scene(
    inputs,
    output: str,
    *,
    sensor: str = "auto",
    wish: GridWish | None = None,
    derived=(),
    check_shift: bool = True,
    corrected: dict | None = None,
    progress: Progress = SILENT,
) -> dict:
    """Bring every band of ``inputs`` on one grid and return the report.

    Bands are named by STAC common names, carry their unit, and are NaN where there is no data.
    An ``output`` that ends in .tif gets every value as float32; one that ends in .vrt is a
    virtual stack on the files themselves, and only what must be computed (derived bands, dB of
    power) is written beside it.
    """
    with prisma.unpacked(inputs, output, progress) as (paths, made):
        found = gather(paths, sensor, corrected)
        return _build(found, output, wish, derived, check_shift, made, progress)


def look(inputs, sensor: str = "auto", corrected: dict | None = None) -> dict:
    """What ``load_scene`` would make of the files, told without reading a pixel.

    A PRISMA file is only named: its bands show when it is unpacked.
    """
    unread = [str(p) for given in inputs for p in prisma.inside(str(given))]
    others = [str(given) for given in inputs if not prisma.inside(str(given))]
    found = gather(others, sensor, corrected) if others else Gathered([], [], [])
    files = [_file(path, "prisma-l2d", "PRISMA L2D", "", [], "its name") for path in unread]
    return {
        "files": _files(found) + files,
        "skipped": found.skipped,
        "warnings": list(dict.fromkeys(found.warnings + _told(found))),
    }


def _told(found) -> list:
    return [text for known in found.recognised for text in known.warnings]


def _files(found) -> list:
    return [
        _file(info.path, known.sensor, known.title, known.date, [b.name for b in known.bands],
              known.reason)
        for info, known in zip(found.infos, found.recognised)
    ]  # fmt: skip


def _file(path, sensor, title, date, bands, reason) -> dict:
    return {"file": path, "sensor": sensor, "title": title, "date": date, "bands": bands,
            "reason": reason}  # fmt: skip


def _build(found, output, wish, derived, check_shift, made: dict, progress) -> dict:
    grid = plan_grid(found.infos, wish or GridWish())
    with Scene([i.path for i in found.infos], grid, recognised=found.recognised) as scene:
        scene.warnings += found.warnings
        scene.check_units()
        extra = derive.plan(derived, scene)
        for item in extra:
            scene.warnings += item.warnings
        shifts = shift.check(scene, progress) if check_shift else []
        scene.warnings += shift.warnings(shifts)
        if Path(output).suffix.lower() == ".vrt":
            _write_stack(scene, extra, output, progress)
        else:
            _write_copy(scene, scene.names, extra, output, progress)
        progress.report(1, 1, "Scene built")
        report = {**_report(scene, extra, found.skipped, output), "shifts": shifts}
    report["files"] = _files(found)
    for entry in report["files"]:
        entry["file"] = made.get(entry["file"], entry["file"])
    for band in report["bands"]:
        band["source"] = made.get(band["source"], band["source"])
    return report


def _write_copy(scene: Scene, names: list, extra: list, output, progress: Progress) -> None:
    """Write bands of the scene and derived ones as one GeoTIFF, window by window."""
    needed = list(dict.fromkeys([*names, *(band for item in extra for band in item.needs)]))
    titles = names + [item.name for item in extra]
    units = scene.units(names) + [item.unit for item in extra]
    tiles = list(scene.grid.tiles(_TILE, derive.halo_of(extra)))
    seen = np.zeros(len(titles), bool)
    with rasters.Writer(
        output, scene.grid, len(titles), "float32", tags=sensors.kept([scene]), names=titles,
        units=units, nodata=np.nan,
    ) as writer:  # fmt: skip
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Building the scene")
            block = _block(scene, needed, names, extra, tile)
            seen |= np.isfinite(block).any(axis=(1, 2))
            writer.write(block, tile.core)
        empty = [name for name, any_data in zip(titles, seen) if not any_data]
        if len(empty) == len(titles):
            raise ConcordError(
                f"{next(iter(scene.sources.values())).path} has no data on the chosen grid; "
                "choose an extent it covers."
            )
        scene.warnings += [f"{name} has no data on this grid" for name in empty]


def _block(scene: Scene, needed: list, names: list, extra: list, tile) -> np.ndarray:
    """(bands, rows, cols) of a tile's core: bands of the scene, then derived ones."""
    values = dict(zip(needed, scene.read(needed, tile.window)))
    top, left = tile.core.row - tile.window.row, tile.core.col - tile.window.col
    inner = (slice(top, top + tile.core.height), slice(left, left + tile.core.width))
    planes = [values[name][inner] for name in names]
    if not extra:
        return np.stack(planes)
    made = derive.compute(extra, values, inner)
    return np.concatenate([np.stack(planes), made]) if planes else made


def _write_stack(scene: Scene, extra: list, output: str, progress: Progress) -> None:
    """Write the virtual stack; what no virtual raster can express is computed beside it."""
    computed = [name for name in scene.names if scene.is_computed(name)]
    beside = Path(output).with_name(f"{Path(output).stem}_computed.tif")
    if computed or extra:
        _write_copy(scene, computed, extra, beside, progress)
    bands = []
    for name in scene.names:
        source = scene.sources[name]
        if name in computed:
            place = (str(beside), computed.index(name) + 1, 1.0, 0.0, None)
        else:
            band = source.band
            place = (source.path, band.index, band.scale, band.offset, source.nodata)
        shown = name not in computed and source.transparent
        bands.append(rasters.StackBand(name, source.unit, *place, source.resampling, shown))
    for number, item in enumerate(extra, len(computed) + 1):
        bands.append(rasters.StackBand(item.name, item.unit, str(beside), number))
    rasters.write_stack(output, scene.grid, bands, sensors.kept([scene]))


def _report(scene: Scene, extra, skipped, output: str) -> dict:
    bands = [
        {
            "name": s.name,
            "unit": s.unit,
            "source": s.path,
            "sensor": s.sensor,
            "resampling": "none" if not scene.is_resampled(s.name) else s.resampling,
            "scale": s.band.scale,
            "offset": s.band.offset,
            "formula": s.band.formula,
            "wavelength": s.band.wavelength,
        }
        for s in scene.sources.values()
    ]
    bands += [
        {
            "name": i.name,
            "unit": i.unit,
            "source": i.source,
            "sensor": "derived",
            "resampling": "none",
            "scale": 1.0,
            "offset": 0.0,
            **i.figures,
        }
        for i in extra
    ]
    by_sensor, dates = {}, set()
    for found in scene.recognised:
        dates.add(found.date)
        start = {"id": found.sensor, "title": found.title, "reason": found.reason, "files": 0}
        entry = by_sensor.setdefault(found.sensor, {**start, "metadata": found.metadata})
        entry["files"] += 1
    return {
        "output": str(output),
        "sensors": list(by_sensor.values()),
        "dates": sorted(dates - {""}),
        "bands": bands,
        "grid": scene.grid.describe(),
        "skipped": skipped,
        "warnings": list(dict.fromkeys(scene.warnings)),
    }
