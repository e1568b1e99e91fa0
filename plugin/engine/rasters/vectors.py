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
