"""Class rasters: codes as uint8 on a grid, 0 for no data, 255 for ignore."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import rasters
from .errors import ConcordError
from .grid import Grid, Window
from .taxonomy import IGNORE, NO_DATA, Taxonomy, of_raster


class ClassRaster:
    """A raster of class codes read as uint8 on its own grid or, by nearest pixel, on another.

    Args:
        path: a raster whose first band holds whole numbers 0-255.
        grid: the grid to read on; None for its own.

    Raises:
        ConcordError: no CRS, more than one band type, fractions, or codes outside 0-255.
    """

    def __init__(self, path: str | Path, grid: Grid | None = None):
        self.info = rasters.require_crs(rasters.info(path))
        self.path = str(path)
        self._raster = rasters.Raster(path, grid, "nearest")
        self.grid = self._raster.grid
        self._nodata = self.info.bands[0].nodata
        if not self._raster.is_resampled and grid is not None:
            self.grid = grid

    @property
    def is_resampled(self) -> bool:
        return self._raster.is_resampled

    def read(self, window: Window | None = None) -> np.ndarray:
        """Codes (rows, cols) as uint8."""
        raw = self._raster.read(window, [1])[0]
        valid = self._raster.valid(window)
        if valid is not None:  # the file's own mask
            raw = np.where(valid, raw, raw.dtype.type(NO_DATA))
        if raw.dtype == np.uint8 and self._nodata in (None, NO_DATA):
            return raw  # most maps, and nothing to look for
        empty = np.zeros(raw.shape, bool)
        if raw.dtype.kind == "f":
            empty = ~np.isfinite(raw)
        if self._nodata is not None and not np.isnan(self._nodata):
            empty |= raw == self._nodata
        values = np.where(empty, NO_DATA, raw)
        if raw.dtype.kind == "f" and (values != np.round(values)).any():
            raise ConcordError(
                f"{self.path} holds fractions, not class codes; choose a class raster."
            )
        low, high = values.min(initial=0), values.max(initial=0)
        if low < 0 or high > IGNORE:
            wrong = low if low < 0 else high
            raise ConcordError(
                f"{self.path} holds the value {wrong:.0f}; class codes are 1-254 with 0 for no "
                "data and 255 for ignore, recode it first."
            )
        return values.astype(np.uint8)

    def codes(self, progress=None) -> list:
        """Every code that occurs, sorted, found by windows."""
        return sorted(self.shares(progress))

    def shares(self, progress=None) -> dict:
        """{code: share of all pixels} of the codes that occur, counted by windows."""
        counts = np.zeros(256, np.int64)
        for tile in self.grid.tiles(1024):
            if progress is not None:
                progress.check()
            counts += np.bincount(self.read(tile.core).ravel(), minlength=256)
        return {int(code): float(counts[code] / counts.sum()) for code in np.flatnonzero(counts)}

    def taxonomy(self, given: str = "", codes=None) -> Taxonomy:
        """The class scheme, see ``taxonomy.of_raster``."""
        return of_raster(self.info, self.codes() if codes is None else codes, given)

    def close(self) -> None:
        self._raster.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
