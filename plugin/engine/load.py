"""Building a scene: products in, one raster out, with named bands in physical units."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import indices, rasters, sensors
from .errors import ConcordError
from .grid import Grid
from .progress import SILENT, Progress
from .scene import Scene, label_of

SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt", ".img")
# Whole words where a place could be called so (Qatar); TCI, AOT, WVP, PVI and MSK are Sentinel-2's.
_NOT_IMAGERY = re.compile(
    "mask|label|preview|thumbnail|annotator"
    "|(?<![a-z])(class(es)?|truth|scl|qa|msk|tci|aot|wvp|pvi)(?![a-z])"
)


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


def expand(inputs) -> list:
    """Files as given and, for a folder, every raster below it, sorted."""
    found = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise ConcordError(f"The folder {path} holds no raster; choose another folder.")
            found += [str(p) for p in inside]
        else:
            found.append(str(given))
    if not found:
        raise ConcordError("No input was given; choose files or a folder of a product.")
    return found


def _why_not_imagery(info) -> str:
    """Why a raster found in a folder is not taken as imagery, or ''."""
    name = Path(info.path).stem.lower()
    if info.categories or any(info.colours.values()):
        return "a class raster"
    if _NOT_IMAGERY.search(name):
        return "a mask or label by its name"
    return ""


def _choose(inputs, sensor: str) -> tuple:
    """(infos, recognised, skipped) of the rasters that become bands."""
    from_folder = any(Path(p).is_dir() for p in inputs)
    infos, found, skipped, bands = [], [], [], {}
    for path in expand(inputs):
        info = rasters.info(path)
        why = _why_not_imagery(info) if from_folder else ""
        known = None if why else sensors.recognise(info, sensor)
        if known is not None and from_folder:
            twice = [b.name for b in known.bands if b.name in bands]
            why = f"{twice[0]} is already there from {bands[twice[0]]}" if twice else ""
        if why:
            skipped.append({"file": path, "reason": why})
            continue
        rasters.require_crs(info)
        bands.update({band.name: label_of(path) for band in known.bands})
        infos.append(info)
        found.append(known)
    if not infos:
        raise ConcordError(f"{inputs[0]} holds no imagery; choose the folder of a product.")
    if from_folder and any(known.sensor != sensors.GENERIC for known in found):
        # Beside a product's bands, what no preset knows is a by-product of it.
        strange = [i.path for i, k in zip(infos, found) if k.sensor == sensors.GENERIC]
        skipped += [{"file": path, "reason": "no band of a known sensor"} for path in strange]
        pairs = [(i, k) for i, k in zip(infos, found) if k.sensor != sensors.GENERIC]
        infos, found = [i for i, _ in pairs], [k for _, k in pairs]
    return infos, found, skipped


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
    progress: Progress = SILENT,
) -> dict:
    """Write every band of ``inputs`` on one grid as float32 GeoTIFF and return the report.

    Bands are named by STAC common names, carry their unit, and are NaN where there is no data.
    """
    infos, found, skipped = _choose(inputs, sensor)
    grid = plan_grid(infos, wish or GridWish())
    with Scene([i.path for i in infos], grid, recognised=found) as scene:
        scene.check_units()
        extra = indices.wanted(derived, scene.names)
        names = scene.names + [index.name for index in extra]
        units = scene.units(scene.names) + [index.unit for index in extra]
        with rasters.Writer(
            output, grid, len(names), "float32", names=names, units=units, nodata=np.nan
        ) as writer:
            tiles = list(grid.tiles(512))
            seen = np.zeros(len(names), bool)
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Building the scene")
                values = scene.read(scene.names, tile.core)
                planes = dict(zip(scene.names, values))
                more = [index.formula(*(planes[n] for n in index.needs)) for index in extra]
                block = np.concatenate([values, np.stack(more)]) if more else values
                seen |= np.isfinite(block).any(axis=(1, 2))
                writer.write(block, tile.core)
            empty = [name for name, any_data in zip(names, seen) if not any_data]
            if len(empty) == len(names):
                raise ConcordError(
                    f"{inputs[0]} has no data on the chosen grid; choose an extent it covers."
                )
            scene.warnings += [f"{name} has no data on this grid" for name in empty]
        progress.report(1, 1, "Scene built")
        return _report(scene, extra, skipped, output)


def _report(scene: Scene, extra, skipped, output: str) -> dict:
    bands = [
        {
            "name": s.name,
            "unit": s.unit,
            "source": s.path,
            "sensor": s.sensor,
            "resampling": "none" if not scene._raster(s).is_resampled else s.resampling,
            "scale": s.band.scale,
            "offset": s.band.offset,
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
        }
        for i in extra
    ]
    by_sensor = {}
    for found in scene.recognised:
        entry = by_sensor.setdefault(
            found.sensor,
            {"id": found.sensor, "title": found.title, "reason": found.reason, "files": 0},
        )
        entry["files"] += 1
    return {
        "output": str(output),
        "sensors": list(by_sensor.values()),
        "bands": bands,
        "grid": scene.grid.describe(),
        "skipped": skipped,
        "warnings": list(dict.fromkeys(scene.warnings)),
    }
