"""Regions of the whole map, cut cell by cell and joined across the cells' lines.

Cells lie on a lattice that is fixed to the map, so that regions do not depend on the tiles in
which a result is computed. Each cell is cut with an overlap; a region of one cell and a region of
its neighbour are the same when each covers most of the other inside the overlap and they meet on
the line. Whatever is counted in regions is summed over what was joined: a region has one answer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from ..files import atomic_file
from ..grid import Window
from ..progress import SILENT, Progress

CELL = 1024
OVERLAP = 48  # pixels beyond its lines that a cell is cut with


class Cells:
    """Region numbers by cell: in memory, or in a folder for large maps and for resuming."""

    def __init__(self, folder: Path | None):
        self._folder, self._kept = folder, {}

    def get(self, key: tuple) -> np.ndarray | None:
        if self._folder is None:
            return self._kept.get(key)
        path = self._folder / "regions_{}_{}.npy".format(*key)
        return np.load(path) if path.exists() else None

    def put(self, key: tuple, numbers: np.ndarray) -> None:
        if self._folder is None:
            self._kept[key] = numbers
            return
        with atomic_file(self._folder / "regions_{}_{}.npy".format(*key)) as path:
            with open(path, "wb") as out:
                np.save(out, numbers)


class Partition:
    """A cut of the whole map into regions.

    Args:
        cut: function of a Patch to (rows, cols) of int32: region numbers from 0, -1 for none.
        count: function of (Patch, numbers, regions) to an array (regions, columns) of sums.
        exact: regions are known to be the same when they meet on the line (map components).
        overlap: of exact regions, when ``count`` looks around them. Then it gets the numbers of
            all that the cell sees and the slices of its core, and regions are the same when they
            share a pixel.
    """

    def __init__(
        self, cut, count, folder: Path | None = None, exact: bool = False, overlap: int = 1
    ):
        self._cut, self._count, self._exact = cut, count, exact
        self._cells = Cells(folder)
        self._overlap = overlap if exact else OVERLAP
        self._around = exact and overlap > 1
        self._first: dict = {}
        self.root = np.zeros(0, np.int64)
        self.sums = np.zeros((0, 0))

    def prepare(self, source, progress: Progress = SILENT) -> None:
        """Cut every cell, count in its regions and join them over the lines."""
        self._size = (source.width, source.height)
        total, tables, pairs = 0, [], []
        down = -(-source.height // CELL)
        across = -(-source.width // CELL)
        above: dict = {}
        for row in range(down):
            left = None
            for col in range(across):
                progress.report(row * across + col, down * across, "Cutting regions", "cells")
                core, wide = self._windows(row, col)
                patch = source.patch(wide)
                numbers = self._cells.get((row, col))
                if numbers is None:
                    numbers = self._cut(patch).astype(np.int32)
                    self._cells.put((row, col), numbers)
                regions = int(numbers.max(initial=-1)) + 1
                self._first[row, col] = total
                tables.append(self._counted(patch, numbers, regions, _part(core, wide)))
                here = (core, wide, numbers, total)
                pairs += self._joined(left, here, 1) + self._joined(above.get(col), here, 0)
                left = here
                above[col] = self._lower(here)
                total += regions
        self._join(total, pairs, tables)

    def _counted(self, patch, numbers: np.ndarray, regions: int, part: tuple) -> np.ndarray:
        if self._around:
            return self._count(patch, numbers, regions, part)
        inner = np.full(numbers.shape, -1, np.int32)
        inner[part] = numbers[part]
        return self._count(patch, inner, regions)

    def _windows(self, row: int, col: int) -> tuple:
        width, height = self._size
        core = Window(col * CELL, row * CELL, CELL, CELL).clipped(width, height)
        return core, core.grown(self._overlap).clipped(width, height)

    def _lower(self, cell: tuple) -> tuple:
        """A cell with only the strip that the cell below needs."""
        core, wide, numbers, first = cell
        top = max(wide.row, core.row + core.height - self._overlap)
        strip = Window(wide.col, top, wide.width, wide.row + wide.height - top)
        return core, strip, numbers[_part(strip, wide)].copy(), first

    def _joined(self, one, other, axis: int) -> list:
        """[(n, 2)] of region numbers that are the same on both sides of a line."""
        if one is None:
            return []
        (_, wide_a, a, first_a), (core, wide_b, b, first_b) = one, other
        line = core.col if axis else core.row
        shared = _overlap_of(wide_a, wide_b, None if self._around else core, axis)
        a, b = a[_part(shared, wide_a)], b[_part(shared, wide_b)]
        if self._around:
            both = (a >= 0) & (b >= 0)
            found = np.unique(np.stack([a[both], b[both]], 1).astype(np.int64), axis=0)
            return [found + np.array([first_a, first_b])] if len(found) else []
        at = line - (shared.col if axis else shared.row)
        near_a = a[:, at - 1] if axis else a[at - 1]
        near_b = b[:, at] if axis else b[at]
        if self._exact:
            touching = near_a, near_b
            same = (near_a >= 0) & (near_b >= 0)
            same &= self._equal_on_line(a, b, at, axis)
            found = np.stack([touching[0][same], touching[1][same]], 1)
        else:
            found = _mutual(a, b)
            found = found[np.isin(found[:, 0], near_a) & np.isin(found[:, 1], near_b)]
        if not len(found):
            return []
        found = np.unique(found.astype(np.int64), axis=0)
        return [found + np.array([first_a, first_b])]

    @staticmethod
    def _equal_on_line(a, b, at: int, axis: int) -> np.ndarray:
        """For exact regions: the left cell's region reaches over the line in its own overlap and
        covers the same pixel that the right cell starts with, and the other way round."""
        a_over = a[:, at] if axis else a[at]
        a_near = a[:, at - 1] if axis else a[at - 1]
        return a_over == a_near

    def _join(self, total: int, pairs: list, tables: list) -> None:
        links = np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)
        graph = sparse.coo_matrix(
            (np.ones(len(links), bool), (links[:, 0], links[:, 1])), (total, total)
        )
        count, self.root = sparse.csgraph.connected_components(graph, directed=False)
        columns, kind = (tables[0].shape[1], tables[0].dtype) if tables else (1, float)
        self.root = self.root.astype(np.int32)
        self.sums = np.zeros((count, columns), kind)
        tables.reverse()
        first = 0
        while tables:  # each is let go at once: a large map has millions of regions
            table = tables.pop()
            np.add.at(self.sums, self.root[first : first + len(table)], table)
            first += len(table)

    def numbers(self, window: Window) -> np.ndarray:
        """(rows, cols) of int64: the joined region of each pixel, -1 for none."""
        out = np.full((window.height, window.width), -1, np.int64)
        for row in range(window.row // CELL, -(-(window.row + window.height) // CELL)):
            for col in range(window.col // CELL, -(-(window.col + window.width) // CELL)):
                core, wide = self._windows(row, col)
                top, left = max(core.row, window.row), max(core.col, window.col)
                below = min(core.row + core.height, window.row + window.height)
                right = min(core.col + core.width, window.col + window.width)
                shared = Window(left, top, right - left, below - top)
                own = self._cells.get((row, col))[_part(shared, wide)].astype(np.int64)
                if (own >= 0).any():  # a cell without regions has no number to look up
                    joined = self.root[np.maximum(own, 0) + self._first[row, col]]
                    out[_part(shared, window)] = np.where(own >= 0, joined, -1)
        return out


def _part(inner: Window, outer: Window) -> tuple:
    """Slices of ``inner`` in an array of ``outer``."""
    row, col = inner.row - outer.row, inner.col - outer.col
    return slice(row, row + inner.height), slice(col, col + inner.width)


def _overlap_of(a: Window, b: Window, core: Window | None, axis: int) -> Window:
    """What both windows see, along the core of the second where one is given."""
    top, left = max(a.row, b.row), max(a.col, b.col)
    below = min(a.row + a.height, b.row + b.height)
    right = min(a.col + a.width, b.col + b.width)
    if core is None:
        pass
    elif axis:
        top, below = max(top, core.row), min(below, core.row + core.height)
    else:
        left, right = max(left, core.col), min(right, core.col + core.width)
    return Window(left, top, right - left, below - top)


def _mutual(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 2): pairs of regions of which each covers more than half of the other."""
    both = (a >= 0) & (b >= 0)
    if not both.any():
        return np.zeros((0, 2), np.int64)
    base = int(b.max()) + 1
    keys, counts = np.unique(a[both].astype(np.int64) * base + b[both], return_counts=True)
    first, second = keys // base, keys % base
    size_a = np.bincount(a[a >= 0], minlength=int(a.max()) + 1)
    size_b = np.bincount(b[b >= 0], minlength=base)
    fits = (counts * 2 > size_a[first]) & (counts * 2 > size_b[second])
    return np.stack([first[fits], second[fits]], 1)


def votes_of(patch, numbers: np.ndarray, regions: int) -> np.ndarray:
    """(regions, classes): labelled pixels of each class in each region."""
    codes = np.array(patch.codes, np.int64)
    index = np.full(256, -1, np.int64)
    index[codes] = np.arange(len(codes))
    votes = index[patch.labels]
    voting = (votes >= 0) & patch.valid & (numbers >= 0)
    flat = numbers[voting].astype(np.int64) * len(codes) + votes[voting]
    return np.bincount(flat, minlength=regions * len(codes)).reshape(regions, len(codes))
