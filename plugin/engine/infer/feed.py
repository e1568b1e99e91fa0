"""What goes into a model for one window: bands by name, gaps filled, edges padded, scaled."""

from __future__ import annotations

import numpy as np

from ..grid import Window
from .tasks.dense import all_finite
from .values import scale


class Feed:
    """Reads the images of a model's inputs; one object serves several threads.

    Args:
        scenes: one scene a date, all on the first one's grid.
        fills: {(band, date): value} for pixels without data; None takes the scenes' means.
    """

    def __init__(self, model, scenes: list, fills=None):
        self.model, self.scenes = model, scenes
        self.grid = scenes[0].grid
        self.channels = [self._channels(i) for i in range(len(model.card.inputs))]
        self.fills = self._means() if fills is None else fills

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

    def images(self, window: Window) -> tuple:
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
