"""Between class rasters and polygons."""

from __future__ import annotations

import numpy as np
import rasterio.features

from ..grid import Grid
from .environment import affine, environment, in_environment


def polygons(codes: np.ndarray, grid: Grid, mask: np.ndarray | None = None):
    """Yield (GeoJSON geometry in map units, code) for every 4-connected region of equal codes."""
    if codes.dtype not in (np.uint8, np.int16, np.uint16, np.int32, np.float32):
        codes = codes.astype(np.int32)
    with environment():
        yield from rasterio.features.shapes(codes, mask, 4, affine(grid.transform))


def regions(numbers: np.ndarray, grid: Grid):
    """Yield ([GeoJSON polygon], number) once for every number above 0, however many its parts.

    Pixels of one number that meet only at corners, or not at all, are several polygons of one
    region. Held at a time are the parts of the regions that lack some, not all of the raster's.
    """
    sizes, started = _sizes(numbers), {}
    a, b, _, d, e, _ = grid.transform
    pixel = abs(a * e - b * d)
    for shape, value in polygons(numbers, grid, numbers > 0):
        number = int(value)
        parts, seen = started.pop(number, ([], 0))
        parts, seen = [*parts, shape], seen + round(_area(shape["coordinates"]) / pixel)
        if seen < sizes[number]:
            started[number] = (parts, seen)
        else:
            yield parts, number
    yield from ((parts, number) for number, (parts, _) in sorted(started.items()))


def _sizes(numbers: np.ndarray) -> np.ndarray:
    """How many pixels carry each number, counted strip by strip."""
    sizes = np.zeros(1, np.int64)
    for row in range(0, len(numbers), 512):
        found = np.bincount(numbers[row : row + 512].ravel(), minlength=len(sizes))
        found[: len(sizes)] += sizes
        sizes = found
    return sizes


def _area(rings) -> float:
    """The area of a polygon's outer ring less its holes, in map units squared."""
    return sum(_ring_area(ring) * (-1 if hole else 1) for hole, ring in enumerate(rings))


def _ring_area(ring) -> float:
    # From the first corner, so that large coordinates do not eat the digits of small areas.
    x, y = (np.asarray(ring, float) - ring[0]).T
    return abs(float(x[:-1] @ y[1:] - x[1:] @ y[:-1])) / 2


@in_environment
def burn(
    shapes, grid: Grid, dtype: str = "uint8", fill: int = 0, touched: bool = False
) -> np.ndarray:
    """Rasterise (GeoJSON geometry, value) pairs; later ones win.

    A pixel counts when its centre lies inside; with ``touched`` when any of it does.
    """
    shapes = list(shapes)
    if not shapes:
        return np.full((grid.height, grid.width), fill, dtype)
    return rasterio.features.rasterize(
        shapes,
        (grid.height, grid.width),
        fill,
        transform=affine(grid.transform),
        dtype=dtype,
        all_touched=touched,
    )
