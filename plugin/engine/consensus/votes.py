"""Votes of several annotators as counted patterns.

With A annotators and K classes there are far fewer distinct vote patterns than pixels, so every
method works on pattern counts and looks the answer of a pixel up. Exact, and windowed: memory
does not depend on the height of the rasters.
"""

from __future__ import annotations

import contextlib

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..progress import Progress
from .patterns import Coding, Patterns, Tally, near_edge

_TILE = 1024


class Ballot:
    """The class rasters of all annotators, read on the first one's grid.

    Args:
        paths: one raster per annotator, at least two.
        codes: the classes of the taxonomy, sorted; votes for others do not occur.
    """

    def __init__(self, paths, codes):
        if len(paths) < 2:
            raise ConcordError("Consensus needs at least two annotators; add another raster.")
        self._stack = contextlib.ExitStack()
        self.codes = np.array(sorted(codes), np.int64)
        try:
            first = self._stack.enter_context(ClassRaster(paths[0]))
            self.grid: Grid = first.grid
            others = [self._stack.enter_context(ClassRaster(path, self.grid)) for path in paths[1:]]
            for other in others:  # one that lies elsewhere would vote for nothing, silently
                own = other.info.grid
                bounds = rasters.bounds_on(self.grid, own.bounds, own.crs, other.path)
                self.grid.window_of(bounds, other.path)
        except BaseException:
            self._stack.close()
            raise
        self.rasters = [first, *others]
        self._index = np.full(256, -1, np.int16)
        self._index[self.codes] = np.arange(len(self.codes))
        try:
            self.coding = Coding(self.codes, len(self.rasters))
        except ConcordError:
            self._stack.close()
            raise

    def tiles(self) -> list:
        return list(self.grid.tiles(_TILE))

    def read(self, window) -> np.ndarray:
        """(annotators, rows, cols) of class index, -1 for no vote (0 and 255)."""
        return np.stack([self._index[raster.read(window)] for raster in self.rasters])

    def numbers(self, window) -> np.ndarray:
        """One whole number for each pixel's pattern."""
        return self.coding.encode([raster.read(window) for raster in self.rasters])

    def encode(self, votes: np.ndarray) -> np.ndarray:
        """The same from class indexes (annotators, rows, cols)."""
        code = np.zeros(votes.shape[1:], np.int64)
        for plane in votes:
            code = code * self.coding.base + (plane + 1)
        return code

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(patterns, annotators) of class index from pattern numbers."""
        return self.coding.decode(codes)

    def count(self, progress: Progress, tolerance: int = 0) -> tuple:
        """(pattern numbers sorted, Patterns) of the whole area.

        With a ``tolerance`` in pixels, ``Patterns.inner`` leaves out what lies within it of an
        edge in anybody's map: where exactly an edge runs says little about how careful one is.
        """
        every, inner = Tally(self.coding), Tally(self.coding)
        tiles = list(self.grid.tiles(_TILE, tolerance))
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Counting votes")
            planes = [raster.read(tile.window) for raster in self.rasters]
            numbers = self.coding.encode(planes)
            top, left = tile.core.row - tile.window.row, tile.core.col - tile.window.col
            core = (slice(top, top + tile.core.height), slice(left, left + tile.core.width))
            every.add(numbers[core])
            if tolerance:
                inner.add(numbers[core][~near_edge(planes, tolerance)[core]])
        numbers = every.numbers()
        return numbers, Patterns(
            self.decode(numbers),
            every.counts(numbers),
            self.codes,
            inner.counts(numbers) if tolerance else None,
        )

    def close(self) -> None:
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
