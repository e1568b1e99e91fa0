"""Tiles put together row band by row band, so that memory does not grow with the height."""

from __future__ import annotations

import numpy as np

from ..grid import Tile, Window
from .tiling import hann
from .work import _value, seam_of

ROWS = 256  # a strip is a multiple of the writer's block rows, so that no block is written twice
_NONE = 255  # no tile has voted


class _Band:
    """A growing band of rows of one array (planes, rows, width), from row ``top`` on."""

    def __init__(self, planes: int, width: int, dtype, blank):
        self.blank = blank
        self.array = np.full((planes, 0, width), blank, dtype)

    def reach(self, rows: int) -> None:
        lacking = rows - self.array.shape[1]
        if lacking > 0:
            planes, _, width = self.array.shape
            more = np.full((planes, lacking, width), self.blank, self.array.dtype)
            self.array = np.concatenate([self.array, more], axis=1)

    def cut(self, rows: int) -> np.ndarray:
        done, self.array = self.array[:, :rows], self.array[:, rows:].copy()
        return done


class Canvas:
    """Takes tiles in row order and hands out finished strips {layer: (bands, rows, width)}.

    Args:
        area: the window of the image that is mapped.
        layers: {name: Layer} that are asked for.
        first: rows of the result that are finished already.
    """

    def __init__(self, adapter, area: Window, layers: dict, task, emit, first: int = 0):
        self.adapter, self.area, self.task, self.emit = adapter, area, task, emit
        self.factor = adapter.scale
        self.width, self.height = area.width * self.factor, area.height * self.factor
        self.top = first
        self.layers = layers
        if task.blended:
            self.sum = None
            self.weight = _Band(1, self.width, np.float32, 0)
            self.keep = _Band(1, self.width, bool, False)
        else:
            self.bands = {
                name: _Band(layer.count, self.width, layer.dtype,
                            0 if layer.nodata is None else layer.nodata)
                for name, layer in layers.items()
            }  # fmt: skip
        self.votes = _Band(1, self.width, np.uint8, _NONE)
        self.tallies = _Band(2, 1, np.int64, 0)  # pixels compared, pixels that agree

    def needs(self, tile: Tile) -> bool:
        """Whether a tile touches rows that are not finished."""
        below = (tile.core.row + tile.core.height - self.area.row) * self.factor
        return below > self.top

    def begin(self, tile: Tile) -> None:
        """Hand out the strips above a tile, which is waited for: should it fail, they are kept."""
        self._finish((tile.core.row - self.area.row) * self.factor)

    def add(self, tile: Tile, answer, keep: np.ndarray) -> None:
        """Put a tile in its place; strips above it are finished."""
        self.begin(tile)
        if answer is None:
            self._reach(tile.core)
            return
        if self.task.blended:
            self._blend(tile.core, answer, keep)
        else:
            self._put(tile, answer)

    def close(self) -> None:
        """Hand out what is left."""
        self._reach(self.area)
        self._give(self.height - self.top)

    # --- parts

    def _place(self, window: Window, rows: int, cols: int) -> tuple:
        """(slices of the band, slices of a window's array), clipped to area and unfinished rows."""
        row = (window.row - self.area.row) * self.factor
        col = (window.col - self.area.col) * self.factor
        first, last = max(row, self.top), min(row + rows, self.height)
        left, right = max(col, 0), min(col + cols, self.width)
        if first >= last or left >= right:
            return None, None
        there = (slice(first - self.top, last - self.top), slice(left, right))
        here = (slice(first - row, last - row), slice(left - col, right - col))
        return there, here

    def _reach(self, window: Window) -> None:
        below = (window.row + window.height - self.area.row) * self.factor
        rows = min(below, self.height) - self.top
        bands = [self.votes, self.tallies]
        if self.task.blended:
            bands += [self.weight, self.keep] + ([self.sum] if self.sum is not None else [])
        else:
            bands += list(self.bands.values())
        for band in bands:
            band.reach(rows)

    def _put(self, tile: Tile, arrays: dict) -> None:
        core = tile.core
        self._reach(core)
        there, here = self._place(core, core.height * self.factor, core.width * self.factor)
        if there is None:
            return
        for name, band in self.bands.items():
            band.array[(slice(None), *there)] = arrays[name][(slice(None), *here)]
        if "votes" in arrays:
            seam = seam_of(tile)
            off_row, off_col = core.row - seam.row, core.col - seam.col
            for part in _ring(core, seam):  # nobody else has answered for the core
                row, col = part.row - seam.row, part.col - seam.col
                self._compare(part, arrays["votes"][row : row + part.height,
                                                    col : col + part.width])  # fmt: skip
            own = arrays["votes"][off_row : off_row + core.height, off_col : off_col + core.width]
            self.votes.array[(0, *there)] = own[here]

    def _blend(self, window: Window, planes: np.ndarray, keep: np.ndarray) -> None:
        if self.sum is None:
            self.sum = _Band(len(planes), self.width, np.float32, 0)
        self._reach(window)
        there, here = self._place(window, *planes.shape[1:])
        if there is None:
            return
        votes = self.adapter.votes(planes)
        if votes is not None:
            self._compare(window, votes)
            self.votes.array[(0, *there)] = votes[here]
        weights = hann(*planes.shape[1:])[here]
        self.sum.array[(slice(None), *there)] += planes[(slice(None), *here)] * weights
        self.weight.array[(0, *there)] += weights
        if self.factor > 1:
            keep = np.repeat(np.repeat(keep, self.factor, axis=0), self.factor, axis=1)
        self.keep.array[(0, *there)] |= keep[here]

    def _compare(self, window: Window, votes: np.ndarray) -> None:
        """Count where a tile answers for pixels that another one has answered for."""
        there, here = self._place(window, *votes.shape)
        if there is None:
            return
        rows = min(there[0].stop, self.votes.array.shape[1]) - there[0].start
        if rows <= 0:
            return
        there = (slice(there[0].start, there[0].start + rows), there[1])
        here = (slice(here[0].start, here[0].start + rows), here[1])
        before = self.votes.array[(0, *there)]
        both = before != _NONE
        if both.any():
            self.tallies.array[0, there[0], 0] += both.sum(axis=1)
            self.tallies.array[1, there[0], 0] += (both & (before == votes[here])).sum(axis=1)

    def _finish(self, row: int) -> None:
        ready = (min(row, self.height) - self.top) // ROWS * ROWS
        if ready > 0:
            self._give(ready)

    def _give(self, rows: int) -> None:
        if rows <= 0:
            return
        if self.task.blended:
            arrays = self._averaged(rows)
        else:
            arrays = {name: band.cut(rows) for name, band in self.bands.items()}
        self.votes.cut(rows)
        compared, agreed = (int(v) for v in self.tallies.cut(rows).sum(axis=(1, 2)))
        top, self.top = self.top, self.top + rows
        self.emit(top, arrays, (compared, agreed))

    def _averaged(self, rows: int) -> dict:
        weight, keep = self.weight.cut(rows)[0], self.keep.cut(rows)[0]
        planes = None
        if self.sum is not None:
            planes = self.sum.cut(rows) / np.maximum(weight, 1e-9)
        if self.factor > 1:
            arrays = self.adapter.finish_fine(planes, keep)
        else:
            arrays = self.adapter.finish(planes if keep.any() else None, keep)
        return {name: _value(arrays[name]) for name in self.layers}


def _ring(core: Window, seam: Window) -> list:
    """The parts of ``seam`` around ``core``: above, below, left and right of it."""
    right, below = core.col + core.width, core.row + core.height
    parts = [
        Window(seam.col, seam.row, seam.width, core.row - seam.row),
        Window(seam.col, below, seam.width, seam.row + seam.height - below),
        Window(seam.col, core.row, core.col - seam.col, core.height),
        Window(right, core.row, seam.col + seam.width - right, core.height),
    ]
    return [part for part in parts if part.width > 0 and part.height > 0]
