"""At which scales a prompt is looked at: whole, from nearer, from farther, and sharply again.

What a click means shows best where the object fills some tenth of the tile. Nobody says how large
it is, so that the first answer decides where to look next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from . import places
from .places import Place

_CUT = 0.03  # of the tile's border: a mask that touches more of it was cut off there
_WIDER = 2  # times a larger tile is tried for an object that was cut off
_CLOSER = 2  # times a smaller tile is tried for a small object
DOUBTED = 2  # times a larger tile is tried when the model does not trust its own answer
_SAME = 0.6  # IoU with what was seen from farther, that a sharper mask must keep


@dataclass(frozen=True)
class View:
    """What is asked at every scale.

    Args:
        ask: (place, mask or None) to answers, best first; ``mask`` is bool on the place's pixels.
        ready: (place) to whether it may be looked at; a preview waits for no encoding.
        provider: ``closer`` and ``doubt`` say when it wants to look again (`pair.Preparation`).
        bounds: (left, top, right, bottom) of the prompt in pixels of the scene.
        width, height: of the scene; ``tile``: pixels along a side of the encoded image.
    """

    ask: Callable
    ready: Callable
    provider: object
    bounds: tuple
    width: int
    height: int
    tile: int

    def coarser(self, place: Place) -> Place:
        return places.coarser(place, self.bounds, self.width, self.height, self.tile)

    def closer(self, place: Place) -> Place:
        return places.closer(place, self.bounds, self.width, self.height, self.tile)


def whole(view: View, found: list) -> list:
    """Look again on larger tiles as long as the object reaches over the tile's border."""
    for _ in range(_WIDER):
        if not (found and is_cut_off(found[0], view.width, view.height)):
            break
        place = view.coarser(found[0].place)
        if not view.ready(place):
            break
        found = view.ask(place, None) or found
    return found


def closer(view: View, found: list) -> list:
    """Look again on smaller tiles when the object is small and the model wants that."""
    for _ in range(_CLOSER):
        if not (found and _is_small(found[0], view.provider)):
            break
        place = view.closer(found[0].place)
        if place == found[0].place or not place.holds(view.bounds, 0.02):
            break
        if not view.ready(place):
            break
        found = view.ask(place, None) or found
    return found


def trusted(view: View, found: list, place: Place) -> list:
    """Look on larger tiles than ``place`` while the model doubts its answer; the surest is kept.

    Of a large roof that is seen from near a model may know only the part under the click. What was
    seen better from farther is then outlined at the sharpness of ``place``.
    """
    doubt, sharp = getattr(view.provider, "doubt", 0.0), place.factor
    if not doubt:
        return found
    for _ in range(DOUBTED):
        if found and found[0].score >= doubt:
            break
        wider = view.coarser(place)
        if wider.window == place.window or not view.ready(wider):
            break
        place = wider
        other = view.ask(place, None)
        if other and not (found and other[0].score <= found[0].score):
            found = other
    return _sharpened(view, found, sharp)


def _sharpened(view: View, found: list, factor: int) -> list:
    """The same object on finer tiles, as long as they hold it; the coarse score is kept."""
    while found and found[0].place.factor > factor:
        known = found[0]
        place = view.closer(known.place)
        mask = onto(known.mask, known.place, place)
        cut = is_cut_off(replace(known, mask=mask, place=place), view.width, view.height)
        if cut or not mask.any() or not view.ready(place):
            break
        finer = view.ask(place, mask)
        if not finer or _overlap(finer[0].mask, mask) < _SAME:
            break
        others = [answer for answer in finer[1:] if _overlap(answer.mask, mask) >= _SAME]
        ranked = (finer[0], *others)
        found = [
            replace(answer, score=known.score * answer.score / finer[0].score, candidate=rank)
            for rank, answer in enumerate(ranked)
        ]
    return found


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def onto(mask: np.ndarray, source: Place, target: Place) -> np.ndarray:
    """A mask of one place on the pixels of another; what lies outside is False."""
    rows, cols = target.shape
    wide, high = target.steps
    over, down = source.steps
    ri = (target.window.row + (np.arange(rows) + 0.5) * high - source.window.row) / down
    ci = (target.window.col + (np.arange(cols) + 0.5) * wide - source.window.col) / over
    ri, ci = np.floor(ri).astype(int), np.floor(ci).astype(int)
    good_r, good_c = (ri >= 0) & (ri < mask.shape[0]), (ci >= 0) & (ci < mask.shape[1])
    found = mask[np.clip(ri, 0, mask.shape[0] - 1)[:, None], np.clip(ci, 0, mask.shape[1] - 1)]
    return found & good_r[:, None] & good_c[None]


def is_cut_off(found, width: int, height: int) -> bool:
    """True when a mask runs along a border of its tile that is no border of the scene."""
    window, mask = found.place.window, found.mask
    touched = 0
    if window.col > 0:
        touched += mask[:, 0].sum()
    if window.row > 0:
        touched += mask[0].sum()
    if window.col + window.width < width:
        touched += mask[:, -1].sum()
    if window.row + window.height < height:
        touched += mask[-1].sum()
    return touched > _CUT * sum(mask.shape)


def _is_small(found, provider) -> bool:
    """True when a model that wants to look closer at small objects sees one."""
    rows, cols = np.any(found.mask, axis=1).nonzero()[0], np.any(found.mask, axis=0).nonzero()[0]
    if not rows.size:
        return False
    extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    return bool(extent < getattr(provider, "closer", 0.0) * max(found.mask.shape))
