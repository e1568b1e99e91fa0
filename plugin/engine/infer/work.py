"""What is done for one tile, wherever it is done: read, scale, run the graph, decode."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..grid import Tile, Window
from . import tasks
from .feed import Feed
from .tiling import SEAM


@dataclass(frozen=True)
class Task:
    """What a tile is asked for.

    Args:
        asked: layers out of main, probabilities, unsure.
        flips: 1, 2, 4 or 8 mirrored and turned copies whose answers are averaged.
        blended: give planes to be blended instead of finished layers.
        drops: run once more for each date, with that date left out.
    """

    asked: tuple = ("main",)
    flips: int = 1
    blended: bool = False
    drops: bool = False

    @property
    def unsure(self) -> bool:
        return "unsure" in self.asked


class TileRunner:
    """Reads a tile, runs the model, decodes; one object serves several threads.

    Args:
        scenes: one scene a date, all on the first one's grid.
        mask: GeoJSON polygons in the grid's CRS; () for everywhere.
        fills: {(band, date): value} for pixels without data; None takes the scenes' means.
        at_once: how many threads may be inside the model; others read meanwhile.
    """

    def __init__(self, model, scenes, mask=(), task: Task | None = None, fills=None, at_once=1):
        self.model, self.mask, self.task = model, mask, task or Task()
        self.scenes = list(scenes) if isinstance(scenes, (list, tuple)) else [scenes]
        self.grid = self.scenes[0].grid
        self.adapter = tasks.adapter(model, self.task.unsure)
        self.feed = Feed(model, self.scenes, fills)
        self._gate = threading.Semaphore(at_once)

    @property
    def fills(self) -> dict:
        return self.feed.fills

    def __call__(self, tile: Tile):
        """(what the task asks for, or None when the core is empty; where the core has data)."""
        return self.many([tile])[0]

    def many(self, tiles) -> list:
        """The answers of several tiles, which go through the graph together where it wants that."""
        steps = [self._steps(tile) for tile in tiles]
        answers: list = [None] * len(steps)
        asked = self._sent(steps, dict.fromkeys(range(len(steps))), answers)
        while asked:
            with self._gate:
                raws = self.model.run_many(list(asked.values()))
            asked = self._sent(steps, dict(zip(asked, raws)), answers)
        return answers

    @staticmethod
    def _sent(steps: list, raws: dict, answers: list) -> dict:
        """Hand each tile what the graph gave; {number: images} of those that ask for more."""
        asked = {}
        for number, raw in raws.items():
            try:
                asked[number] = steps[number].send(raw)
            except StopIteration as done:
                answers[number] = done.value
        return asked

    def _steps(self, tile: Tile):
        """One tile from reading to its answer: yields images, is sent what the graph gives."""
        core = tile.core
        keep = self._inside(core)
        if not keep.any():
            return None, keep
        images, empty = self.feed.images(tile.window)
        off_row, off_col = core.row - tile.window.row, core.col - tile.window.col
        part = (slice(off_row, off_row + core.height), slice(off_col, off_col + core.width))
        keep &= ~empty[part]
        if not keep.any():
            return None, keep
        family = self.adapter.family
        if family == "chips":
            raw = yield images
            return self.adapter.vector(raw), keep
        size = (tile.window.height, tile.window.width)
        if family == "objects":
            raw = yield images
            return self._objects(raw, size, tile), keep
        planes = yield from self._planes(images, size)
        if self.task.blended:
            return planes, keep
        return self._finished(planes, tile, keep), keep

    def _inside(self, core: Window) -> np.ndarray:
        if not self.mask:
            return np.ones((core.height, core.width), bool)
        return rasters.burn([(g, 1) for g in self.mask], self.grid.sub(core)).astype(bool)

    # --- what comes out

    def _planes(self, images: list, size: tuple):
        """Averaged planes of the window; spreads of flips and of dates behind them when asked."""
        views = _views(self.task.flips, images)
        margin = self.model.margin
        stride = self.model.card.inputs[0].stride
        full = tuple(side * stride - 2 * margin for side in images[0].shape[-2:])
        found = []
        for turn in views:
            shape = full[::-1] if turn[2] else full
            raw = yield [_turned(i, turn) for i in images]
            found.append(_back(self.adapter.planes(raw, shape), turn))
        mean = found[0] if len(found) == 1 else np.mean(found, axis=0, dtype=np.float32)
        if self.task.unsure and (len(found) > 1 or self.task.drops):
            dropped = []
            for changed in self._without(images):
                raw = yield changed
                dropped.append(self.adapter.planes(raw, full))
            mean = np.concatenate([mean, _spread(found), _spread(dropped or found[:1])])
        factor = self.adapter.scale
        return mean[:, : size[0] * factor, : size[1] * factor]

    def _without(self, images: list):
        """The images with each date left out in turn; the date beside it stands in for it."""
        if not self.task.drops:
            return
        entries = self.model.card.inputs
        dates = max((len(i) for i, e in zip(images, entries) if "T" in e.axes), default=0)
        for left_out in range(dates):
            beside = left_out - 1 if left_out else min(1, dates - 1)
            changed = []
            for image, entry in zip(images, entries):
                if "T" in entry.axes:
                    image = image.copy()
                    image[left_out] = image[beside]
                changed.append(image)
            yield changed

    def _finished(self, planes, tile: Tile, keep) -> dict:
        factor = self.adapter.scale
        core = planes[(slice(None), *_inside(tile.core, tile.window, factor))]
        seam = seam_of(tile)
        votes = self.adapter.votes(planes[(slice(None), *_inside(seam, tile.window, factor))])
        if votes is None:
            arrays = self.adapter.finish(core, keep)
        else:
            arrays = self.adapter.finish(core, keep, votes[_inside(tile.core, seam, factor)])
        made = {name: _value(arrays[name]) for name in self.task.asked if name in arrays}
        return made if votes is None else {**made, "votes": votes}

    def _objects(self, raw: list, size, tile: Tile) -> list:
        """Objects whose middle lies in the core, in pixels of the whole image."""
        from dataclasses import replace

        core, window = tile.core, tile.window
        kept = []
        for found in self.adapter.find(raw, size):
            left, top, right, bottom = found.box
            col, row = window.col + (left + right) / 2, window.row + (top + bottom) / 2
            if not (0 <= col - core.col < core.width and 0 <= row - core.row < core.height):
                continue
            box = (left + window.col, top + window.row, right + window.col, bottom + window.row)
            outline = [(x + window.col, y + window.row) for x, y in found.outline]
            kept.append(replace(found, box=box, outline=outline))
        return kept


def seam_of(tile: Tile) -> Window:
    """A tile's core and the pixels around it that its neighbours answer for with more context.

    Agreement is counted there: if the halo is large enough, it is complete, since the tiles read
    the halo around these pixels too, but for tiles whose alignment would make that dear.
    """
    wide, window = tile.core.grown(SEAM), tile.window
    inner = Window(wide.col - window.col, wide.row - window.row, wide.width, wide.height)
    inner = inner.clipped(window.width, window.height)
    return Window(inner.col + window.col, inner.row + window.row, inner.width, inner.height)


def _inside(part: Window, whole: Window, factor: int) -> tuple:
    """(rows, columns) of a window in an array of another."""
    row, col = (part.row - whole.row) * factor, (part.col - whole.col) * factor
    return slice(row, row + part.height * factor), slice(col, col + part.width * factor)


def _spread(found: list) -> np.ndarray:
    """(1, rows, cols): standard deviation over the answers, averaged over their planes."""
    return np.std(found, axis=0).mean(axis=0, keepdims=True).astype(np.float32)


def _value(array):
    """Layers that cost something are made only when they are asked for."""
    return array() if callable(array) else array


def _views(flips: int, images: list) -> list:
    """(mirror columns, mirror rows, swap axes) of each copy; axes are swapped in squares only."""
    views = [(False, False, False), (True, False, False), (False, True, False), (True, True, False)]
    square = all(i.shape[-1] == i.shape[-2] for i in images)
    views += [(a, b, True) for a, b, _ in views] if square else []
    return views[: max(1, flips)]


def _turned(image: np.ndarray, turn: tuple) -> np.ndarray:
    image = image[..., ::-1] if turn[0] else image
    image = image[..., ::-1, :] if turn[1] else image
    return np.swapaxes(image, -1, -2) if turn[2] else image


def _back(planes: np.ndarray, turn: tuple) -> np.ndarray:
    planes = np.swapaxes(planes, -1, -2) if turn[2] else planes
    planes = planes[..., ::-1, :] if turn[1] else planes
    return planes[..., ::-1] if turn[0] else planes
