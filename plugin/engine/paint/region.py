"""The region of equal codes around a pixel, however far it reaches, found tile by tile."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Callable

import numpy as np
from scipy import ndimage

from ..grid import Window
from ..progress import SILENT, Progress

TILE = 1024


class Region:
    """Pixels joined by their sides to a start; one packed mask a tile, so that a scene fits.

    Args:
        read: codes (rows, cols) of a window.
        width, height: of the map, in pixels.
    """

    def __init__(self, read: Callable[[Window], np.ndarray], width: int, height: int):
        self._read, self._width, self._height = read, width, height
        self._masks: dict = {}
        self.pixels = 0

    def grow(self, col: int, row: int, progress: Progress = SILENT) -> Region:
        """Find all that hangs together with a pixel. Raises Cancelled."""
        code = int(self._read(Window(col, row, 1, 1))[0, 0])
        total = -(-self._width // TILE) * -(-self._height // TILE)
        waiting = {(row // TILE, col // TILE): [np.array([[row % TILE, col % TILE]])]}
        while waiting:
            # At most each tile once would be `total`; a winding region comes back to some.
            progress.report(min(len(self._masks), total), total, "Looking for the region's end")
            place = next(iter(waiting))
            seeds = np.concatenate(waiting.pop(place))
            for neighbour, spots in self._spread(place, seeds, code):
                waiting.setdefault(neighbour, []).append(spots)
        return self

    @property
    def count(self) -> int:
        """Tiles that hold a part."""
        return len(self._masks)

    def _window(self, place: tuple) -> Window:
        top, left = place[0] * TILE, place[1] * TILE
        return Window(left, top, min(TILE, self._width - left), min(TILE, self._height - top))

    def _mask(self, place: tuple) -> np.ndarray:
        window = self._window(place)
        if place not in self._masks:
            return np.zeros((window.height, window.width), bool)
        bits = np.frombuffer(zlib.decompress(self._masks[place]), np.uint8)
        count = window.height * window.width
        return np.unpackbits(bits, count=count).reshape(window.height, window.width).astype(bool)

    def _spread(self, place: tuple, seeds: np.ndarray, code: int) -> Iterator:
        """(neighbouring tile, (n, 2) rows and cols in it) where the region may go on."""
        old = self._mask(place)
        seeds = seeds[~old[tuple(seeds.T)]]
        if not len(seeds):
            return
        same = self._read(self._window(place)) == code
        parts, count = ndimage.label(same)
        wanted = np.zeros(count + 1, bool)
        wanted[parts[tuple(seeds.T)]] = True
        wanted[0] = False
        fresh = wanted[parts] & ~old
        if not fresh.any():
            return
        self.pixels += int(np.count_nonzero(fresh))
        self._masks[place] = zlib.compress(np.packbits(fresh | old).tobytes(), 1)
        rows, cols = fresh.shape
        tile_row, tile_col = place
        for neighbour, line, side in (
            ((tile_row - 1, tile_col), fresh[0], lambda k: (TILE - 1, k)),
            ((tile_row + 1, tile_col), fresh[-1], lambda k: (0, k)),
            ((tile_row, tile_col - 1), fresh[:, 0], lambda k: (k, TILE - 1)),
            ((tile_row, tile_col + 1), fresh[:, -1], lambda k: (k, 0)),
        ):
            window = self._window(neighbour)
            if min(neighbour) < 0 or window.width <= 0 or window.height <= 0:
                continue
            along = np.flatnonzero(line)
            if along.size:
                yield neighbour, np.stack(np.broadcast_arrays(*side(along)), axis=1)

    def tiles(self) -> Iterator:
        """(window, mask) of every tile that holds a part, in the order of rows."""
        for place in sorted(self._masks):
            yield self._window(place), self._mask(place)
