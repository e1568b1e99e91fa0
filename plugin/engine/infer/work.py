"""What is done for one tile, wherever it is done: read, scale, run the graph, decode."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..grid import Tile, Window
from . import tasks
from .tasks.dense import all_finite
from .values import scale

SEAM = 1  # pixels beyond a core that are compared with the neighbouring tile


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
        self.channels = [self._channels(i) for i in range(len(model.card.inputs))]
        self.fills = self._means() if fills is None else fills
        self._gate = threading.Semaphore(at_once)

    def _channels(self, number: int) -> list:
        """[(band, date) or None] of an input, date by date where it has a time axis."""
        entry = self.model.card.inputs[number]
        if "T" in entry.axes:
            steps = self.model.steps(number) or len(self.scenes)
            return [(band, date) for date in range(steps) for band in entry.bands]
        present = [n for n, d in entry.channels if d < len(self.scenes)
                   and n in self.scenes[d].sources]  # fmt: skip
        if entry.optional and len(present) < len(entry.bands):
            return [None] * len(entry.bands)
        return entry.channels

    def _means(self) -> dict:
        means = {}
        for date, scene in enumerate(self.scenes):
            names = sorted({c[0] for cs in self.channels for c in cs if c and c[1] == date})
            if not names:
                continue
            for name, plane in zip(names, scene.glance(scene.require(names))):
                finite = plane[np.isfinite(plane)]
                means[(name, date)] = float(finite.mean()) if finite.size else 0.0
        return means

    def __call__(self, tile: Tile):
        """(what the task asks for, or None when the core is empty; where the core has data)."""
        core = tile.core
        keep = self._inside(core)
        if not keep.any():
            return None, keep
        images, empty = self._images(tile.window)
        off_row, off_col = core.row - tile.window.row, core.col - tile.window.col
        part = (slice(off_row, off_row + core.height), slice(off_col, off_col + core.width))
        keep &= ~empty[part]
        if not keep.any():
            return None, keep
        family = self.adapter.family
        if family == "chips":
            return self.adapter.vector(self._raw(images)), keep
        size = (tile.window.height, tile.window.width)
        if family == "objects":
            return self._objects(images, size, tile), keep
        planes = self._planes(images, size)
        if self.task.blended:
            return planes, keep
        return self._finished(planes, tile, keep), keep

    def _inside(self, core: Window) -> np.ndarray:
        if not self.mask:
            return np.ones((core.height, core.width), bool)
        return rasters.burn([(g, 1) for g in self.mask], self.grid.sub(core)).astype(bool)

    # --- what goes in

    def _images(self, window: Window) -> tuple:
        """([scaled image of each input], (rows, cols) of pixels that lack a band)."""
        margin = self.model.margin
        wide = window.grown(margin)
        inner = wide.clipped(self.grid.width, self.grid.height)
        step = self.model.card.alignment
        side = self.model.fixed_size
        rows, cols = wide.height, wide.width
        more = [(side - n if side else -n % step) for n in (rows, cols)]
        pads = (
            (inner.row - wide.row, wide.row + rows - inner.row - inner.height + more[0]),
            (inner.col - wide.col, wide.col + cols - inner.col - inner.width + more[1]),
        )
        wanted = list(dict.fromkeys(c for channels in self.channels for c in channels if c))
        planes, empty = {}, np.zeros((inner.height, inner.width), bool)
        for date, scene in enumerate(self.scenes):
            names = [name for name, d in wanted if d == date]
            if not names:
                continue
            read = scene.read(scene.require(names), inner)
            for name, plane in zip(names, read):
                if not all_finite(plane):
                    lacking = ~np.isfinite(plane)
                    empty |= lacking
                    # The scene's mean pulls no neighbour to an extreme.
                    plane[lacking] = self.fills[(name, date)]
                planes[(name, date)] = plane
            if wanted == self.channels[0] and len(self.channels) == len(self.scenes) == 1:
                planes = {"whole": read}
        shape = (inner.height, inner.width)
        images = [self._image(number, planes, shape, pads) for number in range(len(self.channels))]
        top, left = window.row - inner.row, window.col - inner.col
        return images, empty[top : top + window.height, left : left + window.width]

    def _image(self, number: int, planes: dict, shape, pads) -> np.ndarray:
        entry, channels = self.model.card.inputs[number], self.channels[number]
        if "whole" in planes:  # the usual case: what was read is what goes in
            image = planes["whole"]
        else:
            blank = np.zeros(shape, np.float32)
            image = np.stack([planes[c] if c else blank for c in channels])
        if any(any(pair) for pair in pads):
            image = np.pad(image, ((0, 0), *pads), mode="symmetric")
        if entry.stride > 1:
            n, k = len(image), entry.stride
            rows, cols = image.shape[1] // k, image.shape[2] // k
            blocks = image[:, : rows * k, : cols * k].reshape(n, rows, k, cols, k)
            image = blocks.mean(axis=(2, 4))
        if "T" not in entry.axes:
            return scale(image, entry)
        dates = image.reshape(-1, len(entry.bands), *image.shape[1:])
        return np.stack([scale(one, entry) for one in dates])

    # --- what comes out

    def _raw(self, images: list) -> list:
        with self._gate:
            return self.model.run_all(images)

    def _planes(self, images: list, size: tuple) -> np.ndarray:
        """Averaged planes of the window; spreads of flips and of dates behind them when asked."""
        views = _views(self.task.flips, images)
        margin = self.model.margin
        stride = self.model.card.inputs[0].stride
        full = tuple(side * stride - 2 * margin for side in images[0].shape[-2:])
        found = []
        for turn in views:
            shape = full[::-1] if turn[2] else full
            planes = self.adapter.planes(self._raw([_turned(i, turn) for i in images]), shape)
            found.append(_back(planes, turn))
        mean = found[0] if len(found) == 1 else np.mean(found, axis=0, dtype=np.float32)
        if self.task.unsure and (len(found) > 1 or self.task.drops):
            dropped = [self.adapter.planes(self._raw(i), full) for i in self._without(images)]
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

    def _objects(self, images, size, tile: Tile) -> list:
        """Objects whose middle lies in the core, in pixels of the whole image."""
        from dataclasses import replace

        core, window = tile.core, tile.window
        kept = []
        for found in self.adapter.find(self._raw(images), size):
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

    Agreement is counted there: if the halo is large enough, it is complete.
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
