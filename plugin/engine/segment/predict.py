"""Prompts to masks on the scene's grid, through encodings on a fixed grid of tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import jobs, rasters
from ..errors import ConcordError, NoData
from ..grid import Grid, Window
from ..progress import SILENT, Progress
from ..scene import Scene
from . import bundled, looks, parts, places
from .composite import Composite
from .places import TILE, Place, place_of
from .prompts import Prompt

__all__ = ["TILE", "Answer", "Place", "answer", "outline", "place_of", "prompts_of", "provider_of"]


@dataclass(frozen=True)
class Answer:
    """A mask with its place; ``candidate`` is its rank, 0 the best.

    ``logits`` is the mask prompt of a next question at the same place.
    """

    object: int
    candidate: int
    score: float
    mask: np.ndarray
    place: Place
    logits: np.ndarray | None = None
    stability: float | None = None


def answer(
    scene: Scene,
    composite: Composite,
    provider,
    number: int,
    prompt: Prompt,
    level: int = 0,
    previous: Answer | None = None,
    shape: dict | None = None,
    widen: bool = True,
    progress: Progress = SILENT,
) -> list:
    """Candidates for one object, best first; empty when the provider finds nothing.

    Args:
        level: pyramid level to look at, 0 is full resolution.
        previous: the answer that is being corrected: its tile is kept and its mask is prompted.
        shape: an old outline as GeoJSON in map units; it becomes a mask prompt.
        widen: look again on a larger tile when the object reaches over the tile's border, on a
            smaller one when it is small and the model wants that, and on larger ones when the
            model doubts its answer: of a large roof seen from near it may know only a part.
            Without it only tiles that are encoded already are looked at: a preview.

    Raises:
        ConcordError: the prompt lies outside the image.
        NoData: it lies where the image has no data.
    """
    width, height = scene.grid.width, scene.grid.height
    tile = getattr(provider, "tile", TILE)
    stay = previous.place if previous is not None else None
    place = place_of(prompt, width, height, tile, level, stay)

    def ask(place, mask):
        return jobs.answered(
            lambda: on_tile(
                scene, composite, provider, number, prompt, place, previous, shape, mask
            ),
            progress,
        )

    def ready(place):
        return widen or places.is_encoded(scene, composite, provider, place)

    def ask_again(place, mask):
        try:
            return ask(place, mask)
        except NoData:  # the pixels of another scale may miss the data under the prompt
            return []

    view = looks.View(ask_again, ready, provider, prompt.bounds, width, height, tile)
    found = looks.whole(view, ask(place, None))
    if previous is None:
        found = looks.trusted(view, looks.closer(view, found), place)
    return found


def on_tile(
    scene: Scene,
    composite: Composite,
    provider,
    number: int,
    prompt: Prompt,
    place: Place,
    previous: Answer | None = None,
    shape: dict | None = None,
    mask: np.ndarray | None = None,
) -> list:
    """What ``answer`` gives when it looks at one tile alone; ``mask`` goes with the prompt.

    Raises:
        NoData: the image has no data under the prompt.
    """
    encoding, valid = places.encoding_at(scene, composite, provider, place)
    local = prompt.moved(place.window.col, place.window.row, *place.steps)
    if not parts.on_data(valid, local):
        raise NoData(
            f"There is no data under the prompt of object {number}; click where the image has data."
        )
    whole = shape is not None  # an old outline may have parts that nobody clicks on
    if getattr(provider, "takes_masks", False):
        prior = _prior(scene.grid, place, previous, shape) if mask is None else mask
        local = replace(local, mask=prior)
    found = []
    for candidate in provider.predict(encoding, local):
        mask = candidate.mask & valid
        mask = mask if whole else parts.pointed_at(mask, local)
        if mask.any():
            said = (candidate.score, mask, place, candidate.logits, candidate.stability)
            found.append(Answer(number, len(found), *said))
    return found


def _prior(grid: Grid, place: Place, previous: Answer | None, shape: dict | None):
    """The mask prompt: the last answer's logits, else the old outline."""
    if previous is not None and previous.place == place and previous.logits is not None:
        return previous.logits
    if shape is None:
        return None
    mask = rasters.burn([(shape, 1)], place.grid(grid)).astype(bool)
    return mask if mask.any() else None


def outline(found: Answer, grid: Grid, grow: int = 0) -> list:
    """GeoJSON polygons of a mask in map units of the scene's grid.

    Args:
        grow: pixels to push the border outwards (or inwards, when negative).
    """
    mask = grown(found.mask, grow) if grow else found.mask
    rows, cols = np.any(mask, axis=1).nonzero()[0], np.any(mask, axis=0).nonzero()[0]
    if not rows.size:
        return []
    # Tracing the whole tile would take most of the time of a click.
    part = Window(
        int(cols[0]), int(rows[0]), int(cols[-1] - cols[0]) + 1, int(rows[-1] - rows[0]) + 1
    )
    mask, place = mask[part.slices], found.place.grid(grid).sub(part)
    return [shape for shape, _ in rasters.polygons(mask.astype(np.uint8), place, mask)]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask with its border moved by a number of pixels; Euclidean, both ways."""
    from scipy import ndimage

    rows, cols = np.any(mask, axis=1).nonzero()[0], np.any(mask, axis=0).nonzero()[0]
    if not rows.size:
        return mask
    pad = abs(pixels) + 1
    r0, r1 = max(0, rows[0] - pad), min(mask.shape[0], rows[-1] + 1 + pad)
    c0, c1 = max(0, cols[0] - pad), min(mask.shape[1], cols[-1] + 1 + pad)
    part, result = mask[r0:r1, c0:c1], np.zeros_like(mask)
    if pixels > 0:
        result[r0:r1, c0:c1] = ndimage.distance_transform_edt(~part) <= pixels
    else:
        result[r0:r1, c0:c1] = ndimage.distance_transform_edt(part) > -pixels
    return result


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


_opened: dict = {}


def provider_of(model: str, threads: int = 1):
    """The provider that a MODEL text names: ``regions``, a bundled id, a file or a folder.

    '' is the bundled model that comes first (see ``bundled.offered``).

    Raises:
        ConcordError: no promptable model, with the reason.
    """
    model = model or bundled.default()
    if model == bundled.REGIONS:
        from .regions import RegionPrompter

        return RegionPrompter()
    from .. import packages

    absent = bundled.lacking(model)
    if absent:
        raise ConcordError(packages.sentence(absent))
    from . import pair as pairs
    from .sam import SamPrompter

    pair = pairs.find(str(bundled.folder(model) or model))
    key = (pair, pair.id, threads)
    if key not in _opened:
        _opened.clear()  # one model's weights in memory at a time
        _opened[key] = SamPrompter(pair, threads)
    return _opened[key]
