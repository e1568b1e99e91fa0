"""Votes of several annotators as counted patterns.

With A annotators and K classes there are far fewer distinct vote patterns than pixels, so every
method works on pattern counts and looks the answer of a pixel up. Exact, and windowed: memory
does not depend on the height of the rasters.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..progress import Progress

_TILE = 1024
_LARGEST_CODE = 2**62


@dataclass(frozen=True)
class Patterns:
    """Distinct vote patterns (patterns, annotators) as class index, -1 for no vote, and counts."""

    votes: np.ndarray
    counts: np.ndarray
    codes: np.ndarray

    @property
    def classes(self) -> int:
        return len(self.codes)

    @property
    def annotators(self) -> int:
        return self.votes.shape[1]


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
        if (len(self.codes) + 1) ** len(self.rasters) > _LARGEST_CODE:
            self._stack.close()
            raise ConcordError(
                f"{len(self.rasters)} annotators with {len(self.codes)} classes are too many for "
                "one consensus; split the annotators in groups."
            )

    def tiles(self) -> list:
        return list(self.grid.tiles(_TILE))

    def read(self, window) -> np.ndarray:
        """(annotators, rows, cols) of class index, -1 for no vote (0 and 255)."""
        return np.stack([self._index[raster.read(window)] for raster in self.rasters])

    def encode(self, votes: np.ndarray) -> np.ndarray:
        """One whole number for each pixel's pattern."""
        base = len(self.codes) + 1
        code = np.zeros(votes.shape[1:], np.int64)
        for plane in votes:
            code = code * base + (plane + 1)
        return code

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(patterns, annotators) of class index from pattern numbers."""
        base = len(self.codes) + 1
        votes = np.empty((len(codes), len(self.rasters)), np.int16)
        rest = codes.copy()
        for a in range(len(self.rasters) - 1, -1, -1):
            votes[:, a] = rest % base - 1
            rest //= base
        return votes

    def count(self, progress: Progress) -> tuple:
        """(pattern numbers sorted, Patterns) of the whole area."""
        found: dict = {}
        tiles = self.tiles()
        for done, tile in enumerate(tiles):
            progress.report(done, len(tiles), "Counting votes")
            numbers, counts = np.unique(self.encode(self.read(tile.core)), return_counts=True)
            for number, count in zip(numbers.tolist(), counts.tolist()):
                found[number] = found.get(number, 0) + count
        numbers = np.array(sorted(found), np.int64)
        counts = np.array([found[n] for n in numbers.tolist()], np.int64)
        return numbers, Patterns(self.decode(numbers), counts, self.codes)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
