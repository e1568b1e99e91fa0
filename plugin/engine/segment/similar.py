"""Objects like the examples in an area: where the features agree, asked for one by one.

With an encoder the features of the examples are compared with those of every tile (cosine), and
the peaks become prompts; without one the nodes of the merge tree are compared. Masks compete on
confidence: where two overlap the better one stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..errors import ConcordError, NoData
from ..grid import Window
from ..progress import SILENT, Progress
from ..scene import Scene
from . import places, resize
from .composite import Composite
from .places import Place
from .predict import Answer
from .prompts import Encoding, Prompt

_SIZES = (0.3, 3.0)  # of the examples' areas
_OVERLAP = 0.3  # of a mask that better ones may cover
_PEAKS = 60  # prompts of a tile
_NEAR = 0.45  # likeness of a node (1 is equal) that makes it a proposal


def find(
    scene: Scene,
    planes: Composite,
    provider,
    examples: list,
    tiles: list,
    most: int = 200,
    progress: Progress = SILENT,
) -> list:
    """Proposals like the examples on some tiles, the most confident first.

    Args:
        examples: answers that were accepted.
        tiles: places to look at; they are encoded when they are not yet.
        most: proposals at most.

    Raises:
        ConcordError: there is no example.
    """
    if not examples:
        raise ConcordError("There is no example to compare with; accept one object first.")
    seen = [
        (example, places.encoding_at(scene, planes, provider, example.place)[0])
        for example in examples
    ]
    look = _by_features if places.features(seen[0][1]) is not None else _by_nodes
    found = []
    for done, place in enumerate(tiles):
        progress.report(done, len(tiles), "Comparing")
        try:
            encoding, valid = places.encoding_at(scene, planes, provider, place)
        except NoData:
            continue
        found += look(provider, seen, place, encoding, valid)
    progress.report(1, 1, "Compared")
    return _competed(found, examples)[:most]


def _areas(examples: list) -> np.ndarray:
    return np.array([example.mask.sum() * example.place.factor**2 for example in examples])


def _fits(mask: np.ndarray, place: Place, areas: np.ndarray) -> bool:
    area = mask.sum() * place.factor**2
    return bool(((area >= _SIZES[0] * areas) & (area <= _SIZES[1] * areas)).any())


# --- with an encoder ----------------------------------------------------------------------------


def _unit(encoding: Encoding, provider) -> np.ndarray:
    """(channels, rows, cols) of length 1 over the picture, without the padding."""
    planes = places.features(encoding)
    rows, cols = provider._fitted(encoding.shape)
    cell = provider.tile / planes.shape[-1]
    planes = planes[:, : max(1, round(rows / cell)), : max(1, round(cols / cell))]
    return planes / np.maximum(np.linalg.norm(planes, axis=0), 1e-6)


def _by_features(provider, seen: list, place: Place, encoding: Encoding, valid) -> list:
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
    smooth = ndimage.gaussian_filter(likeness, 0.7)
    peaks = (smooth == ndimage.maximum_filter(smooth, 3)) & (likeness > limit)
    rows, cols = np.nonzero(peaks)
    order = np.argsort(-smooth[rows, cols], kind="stable")[:_PEAKS]
    step = encoding.shape[0] / likeness.shape[0], encoding.shape[1] / likeness.shape[1]
    areas, found = _areas([example for example, _ in seen]), []
    for row, col in zip(rows[order], cols[order]):
        spot = ((col + 0.5) * step[1], (row + 0.5) * step[0])
        for candidate in provider.predict(encoding, Prompt((spot,), (1,))):
            mask = candidate.mask & valid
            if not mask.any() or not _fits(mask, place, areas):
                continue
            share = resize.logits(mask.astype(np.float32), likeness.shape)
            if not (share > 0.5).any():
                share = share / max(share.max(), 1e-6)
            mean = float(likeness[share > 0.5].mean())
            if mean > limit:
                score = float(np.clip(candidate.score * mean, 0, 1))
                found.append(Answer(0, 0, score, mask, place, candidate.logits))
                break
    return found


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


def _by_nodes(provider, seen: list, place: Place, encoding: Encoding, valid) -> list:
    content, areas = encoding.content, _areas([example for example, _ in seen])
    traits, likeness = _traits(content), 0.0
    scale = 2 * np.log(place.factor) / 0.7  # sizes are compared in pixels of the scene
    traits[:, 4] += scale
    for example, own in seen:
        wanted = _traits(own.content)[_node_of(own.content, example.mask)].copy()
        wanted[4] += 2 * np.log(example.place.factor) / 0.7
        distance = np.linalg.norm(traits - wanted, axis=1)
        likeness = np.maximum(likeness, np.exp(-((distance / 3.0) ** 2)))
    found = []
    for node in np.argsort(-likeness, kind="stable")[:_PEAKS]:
        if likeness[node] < _NEAR:
            break
        mask = np.isin(content["segments"], _members(content, node)) & valid
        mask = ndimage.binary_fill_holes(mask)
        if mask.any() and _fits(mask, place, areas):
            found.append(Answer(0, 0, float(likeness[node]), mask, place))
    return found


# --- which ones stay ----------------------------------------------------------------------------


def _competed(found: list, examples: list) -> list:
    """Without masks that better ones, or the examples, cover; numbered from 1."""
    if not found:
        return []
    factor = min(answer.place.factor for answer in found)
    windows = [answer.place.window for answer in [*found, *examples]]
    col, row = min(w.col for w in windows), min(w.row for w in windows)
    right, below = max(w.col + w.width for w in windows), max(w.row + w.height for w in windows)
    taken = np.zeros((-(-(below - row) // factor) + 1, -(-(right - col) // factor) + 1), bool)

    def part(answer: Answer) -> tuple:
        window, times = answer.place.window, max(1, answer.place.factor // factor)
        rows, cols = answer.mask.shape
        top, left = (window.row - row) // factor, (window.col - col) // factor
        area = Window(left, top, cols * times, rows * times)
        view = taken[area.slices]
        mask = np.repeat(np.repeat(answer.mask, times, 0), times, 1)
        return view, mask[: view.shape[0], : view.shape[1]]

    for example in examples:
        if example.place.factor >= factor:
            view, mask = part(example)
            view |= mask
    kept = []
    for answer in sorted(found, key=lambda one: -one.score):
        view, mask = part(answer)
        if (view & mask).sum() <= _OVERLAP * mask.sum():
            view |= mask
            kept.append(replace(answer, object=len(kept) + 1))
    return kept
