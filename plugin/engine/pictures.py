"""Small pictures of rasters for reports."""

from __future__ import annotations

import numpy as np

from . import rasters
from .scene import Scene
from .segment import composite
from .taxonomy import IGNORE, Taxonomy

_LONGEST = 512


def _shape(grid) -> tuple:
    step = max(1.0, max(grid.width, grid.height) / _LONGEST)
    return max(1, round(grid.height / step)), max(1, round(grid.width / step))


def of_scene(paths, bands=()) -> bytes:
    """A composite of a scene as PNG, whole extent, 2-98 % stretch."""
    with Scene(paths) as scene:
        image, _ = composite.of_scene(scene, bands).render(scene, None, _shape(scene.grid))
    return rasters.png(image)


def colour_codes(codes: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """(rows, cols) of codes to (rows, cols, 3); no data white, ignore grey."""
    table = np.full((256, 3), 255, np.uint8)
    table[IGNORE] = (120, 120, 120)
    for code, rgb in taxonomy.colours.items():
        table[code] = rgb
    return table[codes]


def of_classes(path: str, taxonomy: Taxonomy) -> bytes:
    """A class raster in its colours as PNG, nearest pixels."""
    with rasters.Raster(path) as raster:
        codes = raster.read(None, [1], _shape(raster.grid))[0]
    codes = np.clip(np.nan_to_num(codes), 0, 255).astype(np.uint8)
    return rasters.png(colour_codes(codes, taxonomy))


def of_numbers(path: str, low: float, high: float, band: int = 1) -> bytes:
    """A band from ``low`` (dark) to ``high`` (light) as a grey PNG."""
    with rasters.Raster(path) as raster:
        values = raster.read(None, [band], _shape(raster.grid))[0].astype(np.float32)
    grey = composite.stretch(values, low, high)
    return rasters.png(np.repeat(grey[..., None], 3, axis=2))
