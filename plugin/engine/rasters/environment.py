"""Where rasterio's GDAL and PROJ find their data, and the few types that cross over to it.

Rasterio brings its own GDAL and PROJ beside QGIS's. QGIS on Windows and macOS points PROJ_LIB and
PROJ_DATA at its own database, with which the wheel reads files without a CRS, silently. Every
call therefore runs inside ``environment``, which pins the wheel's library to its own data.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from pathlib import Path

import numpy as np
import rasterio
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, RasterioError

from ..errors import ConcordError
from ..grid import Grid, Window

# Else GDAL keeps blocks in a twentieth of the machine's memory, whatever a run needs.
_CACHE = 192 << 20  # bytes, as rasterio wants it
_thread = threading.local()
_PROJ_DATA = Path(rasterio.__file__).parent / "proj_data"


@contextlib.contextmanager
def environment():
    """The rasterio environment in which PROJ finds the data that belong to it.

    Inside one of this thread nothing more is done, so that many small calls share it.
    """
    if getattr(_thread, "inside", False):
        yield
        return
    _thread.inside, _thread.systems = True, {}
    try:
        with _entered():
            yield
    finally:
        _thread.inside = False
        _thread.systems = {}  # none may outlive QGIS, which a distribution's GDAL would not survive


@contextlib.contextmanager
def _entered():
    if not _PROJ_DATA.is_dir():  # a distribution's build shares QGIS's PROJ; nothing to pin
        with rasterio.Env(GDAL_CACHEMAX=_CACHE):
            yield
        return
    with rasterio.Env(PROJ_DATA=str(_PROJ_DATA), GDAL_CACHEMAX=_CACHE):
        rasterio._env.set_proj_data_search_path(str(_PROJ_DATA))
        yield


def in_environment(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with environment():
            return function(*args, **kwargs)

    return wrapped


def crs_text(crs) -> str:
    if not crs:
        return ""
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else crs.to_wkt()


def parse_crs(text: str):
    """The CRS of a text, None for ''; inside an environment a text is looked up once a thread."""
    if not text:
        return None
    known = _thread.systems if getattr(_thread, "inside", False) else {}
    if text not in known:
        try:
            known[text] = rasterio.crs.CRS.from_string(text)
        except CRSError as error:
            raise ConcordError(
                f"The CRS '{text}' is not known; give an authority code such as EPSG:32632."
            ) from error
    return known[text]


def affine(transform: tuple):
    return rasterio.Affine(*transform)


def native_window(window: Window | None):
    if window is None:
        return None
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


@in_environment
def same_crs(one: str, other: str) -> bool:
    """True when two CRS texts mean the same system."""
    return one == other or (bool(one) and bool(other) and parse_crs(one) == parse_crs(other))


@in_environment
def transform_bounds(bounds: tuple, source: str, target: str) -> tuple:
    """Bounds in another CRS, with the edges densified.

    Raises:
        ConcordError: part of them has no place in the other CRS.
    """
    try:
        moved = rasterio.warp.transform_bounds(parse_crs(source), parse_crs(target), *bounds)
    except (RasterioError, CPLE_BaseError):
        moved = (math.nan,)
    if not all(map(math.isfinite, moved)):
        raise ConcordError(
            f"The extent {', '.join(f'{v:g}' for v in bounds)} cannot be moved from {source} to "
            f"{target}; choose a smaller one."
        )
    return moved


def bounds_on(grid: Grid, bounds: tuple, crs: str, what: str = "The extent") -> tuple:
    """What ``bounds`` and a grid share, in the grid's CRS.

    The sharing is worked out in the CRS of ``bounds``, because a projection folds what lies far
    outside its zone: the whole world in degrees is half a zone wide in UTM.

    Raises:
        ConcordError: they share nothing.
    """
    if not crs or same_crs(crs, grid.crs):
        return bounds
    own = transform_bounds(grid.bounds, grid.crs, crs)
    left, bottom = max(own[0], bounds[0]), max(own[1], bounds[1])
    right, top = min(own[2], bounds[2]), min(own[3], bounds[3])
    if not (right > left and top > bottom):
        raise ConcordError(f"{what} does not overlap the image; choose one that does.")
    part = (left, bottom, right, top)
    return grid.bounds if part == own else transform_bounds(part, crs, grid.crs)


@in_environment
def crs_is_geographic(crs: str) -> bool:
    return bool(crs) and parse_crs(crs).is_geographic


@in_environment
def _metres_per_unit(crs: str) -> float:
    if not crs:
        return 1.0
    system = parse_crs(crs)
    if system.is_geographic:
        return 111_320.0
    return float(system.linear_units_factor[1]) if system.is_projected else 1.0


def metres_per_pixel(grid: Grid) -> float:
    """Height of a pixel on the ground, in metres; without a CRS map units are taken as metres.

    Degrees are measured north-south, where they do not shrink towards the poles.
    """
    return grid.pixel_size[1] * _metres_per_unit(grid.crs)


@in_environment
def square_metres_per_pixel(grid: Grid) -> float | None:
    """Area of a pixel on the ground, the mean over the grid; None without a CRS on the earth.

    The grid's outline is moved into a cylindrical equal-area projection, so that degrees, feet and
    Mercator metres all become square metres.
    """
    system = parse_crs(grid.crs)
    if system is None or not (system.is_geographic or system.is_projected):
        return None
    steps = np.linspace(0.0, 1.0, 21)[:-1]
    side, still = [(s, 0.0) for s in steps], [(1.0, s) for s in steps]
    outline = side + still + [(1 - c, 1 - r) for c, r in side + still]
    xs, ys = zip(*(grid.xy(c * grid.width, r * grid.height) for c, r in outline))
    try:
        middle = rasterio.warp.transform(system, "EPSG:4326", [np.mean(xs)], [np.mean(ys)])[0][0]
        flat = rasterio.crs.CRS.from_proj4(f"+proj=cea +lon_0={middle} +datum=WGS84 +over")
        x, y = map(np.array, rasterio.warp.transform(system, flat, xs, ys))
    except (RasterioError, CPLE_BaseError):
        return None
    area = abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2
    return area / (grid.width * grid.height) if math.isfinite(area) and area else None


@in_environment
def epsg(crs: str) -> int | None:
    """The EPSG code of a CRS text, or None."""
    return parse_crs(crs).to_epsg() if crs else None


@in_environment
def wkt(crs: str) -> str:
    return parse_crs(crs).to_wkt() if crs else ""


@in_environment
def transform_points(points, source: str, target: str) -> list:
    """[(x, y)] moved from one CRS to another."""
    xs, ys = zip(*points)
    return list(zip(*rasterio.warp.transform(parse_crs(source), parse_crs(target), xs, ys)))
