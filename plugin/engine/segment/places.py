"""The fixed grid of tiles on which a scene is encoded.

A tile never depends on the view, so panning reuses encodings and the answer to a prompt is the
same whatever the extent of the map. Tiles overlap by half: whatever is pointed at has at least a
quarter of a tile around it.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError, NoData
from ..grid import Grid, Window
from ..scene import Scene
from .composite import Composite
from .prompts import Encoding, Prompt
from .store import SHARED, EncodingStore

TILE = 512  # pixels of an encoded image, unless the provider wants another size
_MARGIN = 0.25  # of the tile, kept free around what is pointed at
_REMEMBERED = 64  # tiles whose pixels were looked at and need not be read again


@dataclass(frozen=True)
class Place:
    """A tile of the fixed grid: a window of the scene, read decimated by ``factor``."""

    window: Window
    factor: int

    @property
    def shape(self) -> tuple:
        return (
            math.ceil(self.window.height / self.factor),
            math.ceil(self.window.width / self.factor),
        )

    @property
    def steps(self) -> tuple:
        """Image pixels per pixel read, (x, y); less than ``factor`` where the image ends."""
        rows, cols = self.shape
        return (self.window.width / cols, self.window.height / rows)

    def grid(self, grid: Grid) -> Grid:
        """The grid of the tile's decimated pixels."""
        a, b, x, d, e, y = grid.sub(self.window).transform
        rows, cols = self.shape
        wide, high = self.steps
        return Grid(grid.crs, (a * wide, b * high, x, d * wide, e * high, y), cols, rows)

    def holds(self, bounds: tuple, margin: float = 0.0) -> bool:
        """True when (left, top, right, bottom) in scene pixels lies inside, with a margin."""
        window, m = self.window, margin * max(self.window.width, self.window.height)
        left, top, right, bottom = bounds
        return (
            left >= window.col + m
            and top >= window.row + m
            and right <= window.col + window.width - m
            and bottom <= window.row + window.height - m
        )


def _start(middle: float, limit: int, side: int, step: int) -> int:
    # Halves upwards, always: round() would leave every other tile without a place of its own.
    wanted = math.floor((middle - side / 2) / step + 0.5) * step
    return int(max(0, min(wanted, math.ceil(max(0, limit - side) / step) * step)))


def place_of(
    prompt: Prompt,
    width: int,
    height: int,
    tile: int = TILE,
    level: int = 0,
    stay: Place | None = None,
) -> Place:
    """The tile that holds a prompt with a margin.

    Args:
        prompt: in pixels of the scene.
        width, height: of the scene.
        tile: pixels along a side of the encoded image.
        level: 2**level pixels of the scene make one of the image; coarser when the prompt needs it.
        stay: a tile that is kept when it holds the prompt.

    Raises:
        ConcordError: the prompt lies outside the scene.
    """
    left, top, right, bottom = prompt.bounds
    if right < 0 or bottom < 0 or left >= width or top >= height:
        raise ConcordError("A prompt lies outside the image; click on the image.")
    if stay is not None and stay.holds((left, top, right, bottom), 0.02):
        return stay
    factor = 2**level
    while max(right - left, bottom - top) > tile * factor * (1 - 2 * _MARGIN):
        factor *= 2
    factor = _useful(factor, width, height, tile)
    return at((left + right) / 2, (top + bottom) / 2, width, height, tile, factor)


def _useful(factor: int, width: int, height: int, tile: int) -> int:
    """No coarser than it takes to have the whole scene on one tile."""
    while factor > 1 and tile * factor >= 2 * max(width, height):
        factor //= 2
    return factor


def at(x: float, y: float, width: int, height: int, tile: int, factor: int) -> Place:
    """The tile of the grid whose middle is nearest to a pixel position."""
    side = tile * factor
    step = side // 2
    col, row = _start(x, width, side, step), _start(y, height, side, step)
    return Place(Window(col, row, side, side).clipped(width, height), factor)


def covering(window: Window, width: int, height: int, tile: int, factor: int) -> list:
    """Tiles from which every prompt inside ``window`` is answered, in row order."""
    factor = _useful(factor, width, height, tile)
    side = tile * factor
    step = side // 2
    found = OrderedDict()
    for row in range(window.row, window.row + window.height + step, step):
        for col in range(window.col, window.col + window.width + step, step):
            x = min(col, window.col + window.width)
            y = min(row, window.row + window.height)
            found[at(x, y, width, height, tile, factor)] = None
    return list(found)


def coarser(place: Place, bounds: tuple, width: int, height: int, tile: int) -> Place:
    """The tile of twice the side around what was pointed at."""
    left, top, right, bottom = bounds
    factor = place.factor * 2
    return at((left + right) / 2, (top + bottom) / 2, width, height, tile, factor)


def closer(place: Place, bounds: tuple, width: int, height: int, tile: int) -> Place:
    """The tile of half the side around what was pointed at; the encoder enlarges what is read."""
    left, top, right, bottom = bounds
    side = max(place.window.width, place.window.height) // place.factor
    factor, side = (place.factor // 2, side) if place.factor > 1 else (1, side // 2)
    return at((left + right) / 2, (top + bottom) / 2, width, height, min(side, tile), factor)


# --- encodings of tiles ------------------------------------------------------------------------

_looked: OrderedDict = OrderedDict()
_looked_lock = threading.Lock()


def signature(scene: Scene) -> tuple:
    """What changes when a file of the scene is written: path, size and times."""
    found = []
    for path in sorted({source.path for source in scene.sources.values()}):
        try:
            stat = os.stat(path)
            found.append((path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        except OSError:  # a /vsi path
            found.append((path,))
    return tuple(found)


def encoding_at(
    scene: Scene, composite: Composite, provider, place: Place, store: EncodingStore = SHARED
) -> tuple:
    """(encoding, valid (rows, cols)) of a tile.

    The key covers the pixels, so a raster that was rewritten is encoded again. Pixels are read
    once as long as the files stay as they are.

    Raises:
        NoData: the tile has none.
    """
    marks = signature(scene)
    known = (marks, provider.id, composite, place)
    trusted = all(len(mark) > 1 for mark in marks)
    with _looked_lock:
        key, valid = _looked.get(known, (None, None)) if trusted else (None, None)
    if key is not None:
        found = store.find(key)
        if found is not None:
            return found, valid
    image, valid = composite.render(scene, place.window, place.shape)
    if not valid.any():
        raise NoData("There is no data under the prompt; click where the image has data.")
    key = _key(provider.id, composite, place, scene.grid, image, valid)
    found = store.get(key, lambda: provider.encode(image, valid))
    with _looked_lock:
        _looked[known] = (key, valid)
        while len(_looked) > _REMEMBERED:
            _looked.popitem(last=False)
    return found, valid


def is_encoded(scene: Scene, composite: Composite, provider, place: Place) -> bool:
    """True when a prompt there needs no encoding; reads nothing."""
    with _looked_lock:
        key, _ = _looked.get((signature(scene), provider.id, composite, place), (None, None))
    return key is not None and SHARED.find(key) is not None


def _key(model: str, composite: Composite, place: Place, grid: Grid, image, valid) -> tuple:
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    digest.update(np.packbits(valid).tobytes())
    window = place.window
    return (
        model,
        composite.bands,
        composite.limits,
        (window.col, window.row, window.width, window.height, place.factor),
        (grid.crs, grid.transform),
        digest.hexdigest(),
    )


def features(encoding: Encoding) -> np.ndarray | None:
    """The (channels, rows, cols) features of an encoding, None when the provider has none."""
    planes = [value for value in encoding.content.values() if value.ndim == 4]
    return max(planes, key=lambda value: value.shape[1])[0] if planes else None
