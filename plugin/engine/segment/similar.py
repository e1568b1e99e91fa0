"""Objects like the examples in an area: where the features agree, asked for one by one.

With an encoder the features of the examples are compared with those of every tile (cosine), and
the peaks become prompts; without one the nodes of the merge tree are compared. Masks compete on
confidence: where two overlap the better one stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from .. import jobs
from ..errors import ConcordError, NoData
from ..grid import Window
from ..progress import SILENT, Progress
from ..scene import Scene
from . import looks, places, predict, resize
from .compete import competed
from .composite import Composite
from .places import Place
from .predict import Answer
from .prompts import Encoding, Prompt

_SIZES = (0.3, 3.0)  # of the examples' areas
_PEAKS = 30  # prompts of a tile
_SURE = 0.7  # score of a proposal in which no further prompt is tried
_NEAR = 0.45  # likeness of a node (1 is equal) that makes it a proposal


@dataclass(frozen=True)
class Search:
    """Where is looked, and with what.

    Args:
        window: the part of the scene in which an object's middle must lie.
        areas: of the examples, in pixels of the scene.
    """

    scene: Scene
    planes: Composite
    provider: object
    window: Window
    areas: np.ndarray
    progress: Progress

    def encoding_at(self, place: Place) -> tuple:
        """As of `places`, but a cancel is answered while it computes."""
        return jobs.answered(
            lambda: places.encoding_at(self.scene, self.planes, self.provider, place), self.progress
        )

    def is_mine(self, place: Place, spot: tuple) -> bool:
        """True on the one tile from which a position (x, y in pixels of it) is answered.

        Tiles overlap by half: on the others the object may be cut off at the border.
        """
        x = place.window.col + spot[0] * place.steps[0]
        y = place.window.row + spot[1] * place.steps[1]
        inside = 0 <= x - self.window.col < self.window.width
        inside = inside and 0 <= y - self.window.row < self.window.height
        return inside and place == places.at(x, y, *self._size, self._tile, place.factor)

    def fits(self, answer: Answer) -> bool:
        """True for a mask about as large as an example, and whole."""
        area = _area(answer)
        alike = (area >= _SIZES[0] * self.areas) & (area <= _SIZES[1] * self.areas)
        return bool(alike.any()) and not looks.is_cut_off(answer, *self._size)

    def on_tile(self, place: Place, spot: tuple) -> list:
        """Answers to a click; from farther where the object reaches over the tile's border."""
        x = place.window.col + spot[0] * place.steps[0]
        y = place.window.row + spot[1] * place.steps[1]
        prompt = Prompt(((x, y),), (1,))

        def ask(place, _mask):
            try:
                return jobs.answered(
                    lambda: predict.on_tile(
                        self.scene, self.planes, self.provider, 0, prompt, place
                    ),
                    self.progress,
                )
            except NoData:
                return []

        found = ask(place, None)
        if not found or _area(found[0]) > _SIZES[1] * self.areas.max():
            return found  # the ground is no object that was cut off
        view = looks.View(
            ask, lambda _: True, self.provider, prompt.bounds, *self._size, self._tile
        )
        return looks.whole(view, found)

    @property
    def _size(self) -> tuple:
        return self.scene.grid.width, self.scene.grid.height

    @property
    def _tile(self) -> int:
        return getattr(self.provider, "tile", places.TILE)


def find(
    scene: Scene,
    planes: Composite,
    provider,
    examples: list,
    tiles: list,
    most: int = 200,
    progress: Progress = SILENT,
    window: Window | None = None,
    known=(),
) -> list:
    """Proposals like the examples on some tiles, the most confident first.

    Args:
        examples: answers that were accepted.
        tiles: places to look at (`places.covering`); they are encoded when they are not yet.
        most: proposals at most.
        window: the part of the scene in which they lie; the whole when left out.
        known: labels that are there, as GeoJSON in map units; what they cover is not proposed.

    Raises:
        ConcordError: there is no example.
    """
    if not examples:
        raise ConcordError("There is no example to compare with; accept one object first.")
    areas = np.array([_area(example) for example in examples])
    search = Search(scene, planes, provider, window or scene.grid.window, areas, progress)
    seen = [(example, search.encoding_at(example.place)[0]) for example in examples]
    look = _by_features if places.features(seen[0][1]) is not None else _by_nodes
    found = []
    for done, place in enumerate(tiles):
        share = 100 / len(tiles)
        search = replace(search, progress=progress.part(done * share, (done + 1) * share))
        search.progress.report(0, 1, "Comparing")
        try:
            encoding, valid = search.encoding_at(place)
        except NoData:
            continue
        found += look(search, seen, place, encoding, valid)
    progress.report(1, 1, "Compared")
    return competed(found, examples, scene.grid, known)[:most]


def _area(answer: Answer) -> int:
    """Pixels of the scene."""
    return int(answer.mask.sum()) * answer.place.factor**2


# --- with an encoder ----------------------------------------------------------------------------


def _unit(encoding: Encoding, provider) -> np.ndarray:
    """(channels, rows, cols) of length 1 over the picture, without the padding."""
    planes = places.features(encoding)
    rows, cols = provider._fitted(encoding.shape)
    cell = provider.tile / planes.shape[-1]
    planes = planes[:, : max(1, round(rows / cell)), : max(1, round(cols / cell))]
    return planes / np.maximum(np.linalg.norm(planes, axis=0), 1e-6)


def _by_features(search: Search, seen: list, place: Place, encoding: Encoding, _valid) -> list:
    likeness, limit = _likeness(search.provider, seen, encoding)
    smooth = ndimage.gaussian_filter(likeness, 0.7)
    peaks = (smooth == ndimage.maximum_filter(smooth, 3)) & (likeness > limit)
    rows, cols = np.nonzero(peaks)
    step = encoding.shape[0] / likeness.shape[0], encoding.shape[1] / likeness.shape[1]
    spots = [
        ((cols[k] + 0.5) * step[1], (rows[k] + 0.5) * step[0])
        for k in np.argsort(-smooth[rows, cols], kind="stable")
    ]
    found, asked, done = [], 0, np.zeros(encoding.shape, bool)
    for spot in [spot for spot in spots if search.is_mine(place, spot)]:
        if asked == _PEAKS:
            break
        if done[int(spot[1]), int(spot[0])]:
            continue
        search.progress.report(asked, _PEAKS, "Comparing", "prompts")
        asked += 1
        for answer in search.on_tile(place, spot):
            mean = _mean_under(answer, place, likeness) if search.fits(answer) else 0.0
            if mean > limit:
                found.append(replace(answer, score=float(np.clip(answer.score * mean, 0, 1))))
                if found[-1].score >= _SURE:
                    done |= looks.onto(answer.mask, answer.place, place)
                break
    return found


def _likeness(provider, seen: list, encoding: Encoding) -> tuple:
    """(rows, cols) of the cosine to the nearest example, and from where on it is one of them."""
    here = _unit(encoding, provider)
    likeness, limit = None, 0.0
    for example, own in seen:
        planes = _unit(own, provider)
        share = resize.logits(example.mask.astype(np.float32), planes.shape[1:])
        inside = share > 0.5 * share.max()
        prototype = planes[:, inside].mean(axis=1)
        prototype = prototype / max(float(np.linalg.norm(prototype)), 1e-6)
        own_likeness = np.tensordot(prototype, planes, 1)
        limit += (own_likeness[inside].mean() + own_likeness[~inside].mean()) / 2 / len(seen)
        map_ = np.tensordot(prototype, here, 1)
        likeness = map_ if likeness is None else np.maximum(likeness, map_)
    return likeness, limit


def _mean_under(answer: Answer, place: Place, likeness: np.ndarray) -> float:
    """The likeness under a mask, as far as the tile reaches."""
    mask = answer.mask
    if answer.place != place:
        mask = looks.onto(mask, answer.place, place)
    share = resize.logits(mask.astype(np.float32), likeness.shape)
    if not (share > 0.5).any():
        share = share / max(share.max(), 1e-6)
    return float(likeness[share > 0.5].mean())


# --- without ------------------------------------------------------------------------------------


def _traits(content: dict) -> np.ndarray:
    """(nodes, 6): colour, spread, size and compactness, in units in which 1 is noticeable."""
    area = content["area"]
    compact = 4 * np.pi * area / np.maximum(1, content["border"]) ** 2
    return np.concatenate(
        [
            content["mean"] / 8.0,
            (content["spread"] / 5.0)[:, None],
            (np.log(area) / 0.7)[:, None],
            (np.log(np.maximum(compact, 1e-3)) / 0.8)[:, None],
        ],
        axis=1,
    )


def _members(content: dict, node: int) -> np.ndarray:
    return content["leaves"][content["first"][node] : content["last"][node]]


def _node_of(content: dict, mask: np.ndarray) -> int:
    """The node that is most like a mask."""
    inside = np.bincount(content["segments"][mask], minlength=len(content["usable"]))
    totals = np.concatenate([[0], np.cumsum(inside[content["leaves"]])])
    both = totals[content["last"]] - totals[content["first"]]
    return int(np.argmax(both / (content["area"] + mask.sum() - both)))


def _by_nodes(search: Search, seen: list, place: Place, encoding: Encoding, valid) -> list:
    content = encoding.content
    traits, likeness = _traits(content), 0.0
    scale = 2 * np.log(place.factor) / 0.7  # sizes are compared in pixels of the scene
    traits[:, 4] += scale
    for example, own in seen:
        wanted = _traits(own.content)[_node_of(own.content, example.mask)].copy()
        wanted[4] += 2 * np.log(example.place.factor) / 0.7
        distance = np.linalg.norm(traits - wanted, axis=1)
        likeness = np.maximum(likeness, np.exp(-((distance / 3.0) ** 2)))
    middles = (content["box"][:, :2] + content["box"][:, 2:]) / 2
    order = [node for node in np.argsort(-likeness, kind="stable") if likeness[node] >= _NEAR]
    found = []
    for node in [node for node in order if search.is_mine(place, middles[node])][:_PEAKS]:
        search.progress.check()
        mask = np.isin(content["segments"], _members(content, node)) & valid
        mask = ndimage.binary_fill_holes(mask)
        answer = Answer(0, 0, float(likeness[node]), mask, place)
        if mask.any() and search.fits(answer):
            found.append(answer)
    return found
