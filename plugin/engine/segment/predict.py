"""Prompts in map pixels to masks on the scene's grid, through encodings on a fixed grid of tiles.

A tile never depends on the view, so panning reuses encodings and the answer to a prompt is the
same whatever the extent of the map.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from .. import jobs, rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..progress import SILENT
from ..scene import Scene
from .composite import Composite
from .prompts import Prompt
from .store import SHARED

TILE = 512  # pixels of an encoded image
_STEP = TILE // 2
_MARGIN = 0.25  # of the tile, kept free around what is pointed at


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


@dataclass(frozen=True)
class Answer:
    """A mask with its place; ``candidate`` is its rank, 0 the best."""

    object: int
    candidate: int
    score: float
    mask: np.ndarray
    place: Place


def place_of(prompt: Prompt, width: int, height: int) -> Place:
    """The tile that holds a prompt with a margin, at the finest level at which it fits."""
    left, top, right, bottom = prompt.bounds
    if right < 0 or bottom < 0 or left >= width or top >= height:
        raise ConcordError("A prompt lies outside the image; click on the image.")
    factor = 1
    while max(right - left, bottom - top) > TILE * factor * (1 - 2 * _MARGIN):
        factor *= 2
    step, side = _STEP * factor, TILE * factor

    def start(middle: float, limit: int) -> int:
        wanted = round((middle - side / 2) / step) * step
        return int(max(0, min(wanted, math.ceil(max(0, limit - side) / step) * step)))

    col, row = start((left + right) / 2, width), start((top + bottom) / 2, height)
    return Place(Window(col, row, side, side).clipped(width, height), factor)


def _key(provider_id: str, composite: Composite, place: Place, image, valid) -> tuple:
    digest = hashlib.blake2b(image.tobytes(), digest_size=16)
    digest.update(valid.tobytes())
    return (provider_id, composite, place, digest.hexdigest())


def answer(
    scene: Scene, composite: Composite, provider, number: int, prompt: Prompt, progress=SILENT
) -> list:
    """Candidates for one object, best first; empty when the provider finds nothing.

    The store's key covers the pixels, so a raster that was rewritten is encoded again.
    """
    place = place_of(prompt, scene.grid.width, scene.grid.height)
    image, valid = composite.render(scene, place.window, place.shape)
    if not valid.any():
        raise ConcordError("There is no data under the prompt; click where the image has data.")
    local = prompt.moved(place.window.col, place.window.row, *place.steps)
    key = _key(provider.id, composite, place, image, valid)
    found = jobs.answered(
        lambda: provider.predict(SHARED.get(key, lambda: provider.encode(image, valid)), local),
        progress,
    )
    return [
        Answer(number, rank, candidate.score, candidate.mask & valid, place)
        for rank, candidate in enumerate(found)
    ]


def outline(found: Answer, grid: Grid) -> list:
    """GeoJSON polygons of a mask in map units of the scene's grid."""
    window, (wide, high) = found.place.window, found.place.steps
    a, b, x, d, e, y = grid.sub(window).transform
    rows, cols = found.mask.shape
    coarse = Grid(grid.crs, (a * wide, b * high, x, d * wide, e * high, y), cols, rows)
    return [shape for shape, _ in rasters.polygons(found.mask.astype(np.uint8), coarse, found.mask)]


def prompts_of(points, boxes, grid: Grid) -> dict:
    """{object: Prompt in pixels} from map coordinates.

    Args:
        points: (object, x, y, label) tuples.
        boxes: (object, (left, bottom, right, top)) tuples.

    Raises:
        ConcordError: no prompt, a label that is neither 1 nor 0, an object without a 1, or one
            outside the image; the object is named.
    """
    gathered: dict = {}
    for number, x, y, label in points:
        if label not in (0, 1):
            raise ConcordError(
                f"The prompt of object {number} has the label {label}; use 1 for the object "
                "and 0 for what is not."
            )
        entry = gathered.setdefault(number, ([], [], []))
        entry[0].append(grid.colrow(x, y))
        entry[1].append(label)
    for number, (left, bottom, right, top) in boxes:
        corners = [grid.colrow(x, y) for x in (left, right) for y in (bottom, top)]
        cols, rows = zip(*corners)
        gathered.setdefault(number, ([], [], []))[2].append(
            (min(cols), min(rows), max(cols), max(rows))
        )
    if not gathered:
        raise ConcordError("There is no prompt; click on an object or draw a box.")
    return {number: _prompt(number, *gathered[number], grid) for number in sorted(gathered)}


def _prompt(number: int, xy: list, labels: list, boxes: list, grid: Grid) -> Prompt:
    if not boxes and 1 not in labels:
        raise ConcordError(
            f"The object {number} has no point with label 1 and no box; click on the object first."
        )
    prompt = Prompt(tuple(xy), tuple(labels), boxes[-1] if boxes else None)
    left, top, right, bottom = prompt.bounds
    if right < 0 or bottom < 0 or left >= grid.width or top >= grid.height:
        raise ConcordError(
            f"The prompt of object {number} lies outside the image; click on the image."
        )
    return prompt


def provider_of(model: str):
    """The provider that a MODEL text names; '' and ``regions`` need no model."""
    if model in ("", "regions"):
        from .regions import RegionPrompter

        return RegionPrompter()
    raise ConcordError(
        f"The model '{model}' cannot be prompted in this version; use regions, which needs no "
        "model file."
    )
