"""Windowed raster input and output: memory must not grow with the raster's height."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .clock import pause

WIDTH, TILE = 4096, 512


def _strips(folder: Path, height: int) -> dict:
    from concord.plugin.engine import grid, rasters

    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), WIDTH, height)
    path = str(folder / "strips.tif")
    with pause():
        rasters.write(path, np.zeros((1, height, WIDTH), np.uint8), place)
    total = 0
    for row in range(0, height, TILE):
        window = grid.Window(0, row, WIDTH, min(TILE, height - row))
        total += rasters.read(path, window=window).size
    return {"megapixels": round(total / 1e6, 1)}


def bench_read_in_strips(folder: Path) -> dict:
    """Read a raster of 4096 x 4096 in strips of 512 rows."""
    return _strips(folder, 4096)
