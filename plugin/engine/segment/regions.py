"""A provider without a network: regions of a merge tree, the one most like an object.

The image is cut into small segments (Felzenszwalb and Huttenlocher 2004) that are merged into a
tree (see tree.py). A click means one of the nodes above its segment; which one is told by a line
of twelve fitted coefficients over measures of the node. Later clicks add a node to the answer or
take one away.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from scipy import ndimage
from skimage import color, filters, segmentation

from .prompts import Candidate, Encoding, Prompt
from .tree import Tree, build

_SCALE = 40.0  # Felzenszwalb's scale; small, because segments are joined later
_SMALLEST = 16  # pixels of a segment
_UNIT = 512.0 * 512.0  # pixels; areas are measured against a tile
# Least squares of IoU over the measures below, on the nodes above every second building of
# fair-uganda (from 0) and every sixth pond of naip-nd; see README for the other half.
_LINE = (
    -0.6455, -0.2454, -0.0265, -0.1039, 0.2044, -0.0115, 0.0304, 0.4597, 0.0338, 0.028, 0.0072,
    -0.2557,
)  # fmt: skip
_MODEST = 0.5  # IoU that a correction as large as the whole answer has to make up for
_GROUND = 0.35  # IoU by which a region that reaches across the picture has to look better
_APART = 0.35  # of the log of the area between two candidates


class RegionPrompter:
    """Region growing from prompts; deterministic, needs no model file."""

    id = "regions"
    tile = 512
    takes_masks = True

    def encode(self, image: np.ndarray, valid: np.ndarray) -> Encoding:
        lab = color.rgb2lab(image)
        segments = segmentation.felzenszwalb(
            image, scale=_SCALE, sigma=0.6, min_size=_SMALLEST, channel_axis=-1
        )
        segments = _relabel(segments, valid)
        count = int(segments.max()) + 1
        usable = np.ones(count, bool)
        if not valid.all():
            usable = np.bincount(segments[~valid].ravel(), minlength=count) == 0
        tree = build(segments, lab, filters.sobel(lab[..., 0]), usable)
        content = {field.name: getattr(tree, field.name) for field in fields(Tree)}
        content.update(segments=segments, usable=usable, quality=quality(tree))
        return Encoding(image.shape[:2], content)

    def predict(self, encoding: Encoding, prompt: Prompt) -> list:
        answer = _Answer(encoding)
        starts = answer.starts(prompt)
        found = []
        for chosen, score in starts:
            chosen = answer.corrected(chosen, prompt)
            if chosen.any():
                found.append(Candidate(answer.mask(chosen, prompt), score))
        return [candidate for candidate in found if candidate.mask.any()]


def measures(tree: Tree) -> np.ndarray:
    """(nodes, 12) of what tells an object from a part or a group."""
    up = np.maximum(tree.parent, 0)
    top = tree.parent < 0
    area = np.log(tree.area / _UNIT)
    width = tree.box[:, 2] - tree.box[:, 0]
    height = tree.box[:, 3] - tree.box[:, 1]
    later = np.where(top, tree.cost * 1.5 + 1, tree.cost[up])
    step = np.where(top, 1.0, np.linalg.norm(tree.mean[up] - tree.mean, axis=1))
    return np.stack(
        [
            np.ones(len(area)),
            area,
            area**2,
            np.log1p(tree.contrast),
            np.log1p(tree.edge),
            np.log1p(tree.spread),
            np.log((later + 1) / (tree.cost + 1)),
            tree.area / np.maximum(1, width * height),
            np.log(4 * np.pi * tree.area / np.maximum(1, tree.border) ** 2),
            np.where(top, 1.0, np.log1p(step)),
            np.where(top, 0.0, np.log(tree.area / tree.area[up])),
            (tree.border == 0).astype(float),
        ],
        axis=1,
    )


def quality(tree: Tree) -> np.ndarray:
    """How much each node looks like an object, about the IoU to expect."""
    return measures(tree) @ np.array(_LINE)


def _relabel(segments: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Consecutive numbers; pixels without data become segments of their own."""
    if not valid.all():
        segments = segments * 2 + (~valid)
    _, flat = np.unique(segments, return_inverse=True)
    return flat.reshape(segments.shape).astype(np.int32)


class _Answer:
    """One prompt on one encoding; a choice is a boolean for each segment."""

    def __init__(self, encoding: Encoding):
        kept = encoding.content
        self.shape = encoding.shape
        self.segments, self.usable = kept["segments"], kept["usable"]
        self.quality = kept["quality"]
        self.tree = Tree(**{field.name: kept[field.name] for field in fields(Tree)})
        self.count = len(self.usable)

    def leaf(self, x: float, y: float) -> int:
        """The segment at a position, -1 outside or without data."""
        rows, cols = self.shape
        if not (0 <= x < cols and 0 <= y < rows):
            return -1
        number = int(self.segments[int(y), int(x)])
        return number if self.usable[number] else -1

    def leaves(self, prompt: Prompt, label: int) -> list:
        spots = [spot for spot, own in zip(prompt.points, prompt.labels) if own == label]
        return [leaf for leaf in (self.leaf(*spot) for spot in spots) if leaf >= 0]

    def members(self, node: int) -> np.ndarray:
        chosen = np.zeros(self.count, bool)
        chosen[self.tree.leaves[self.tree.first[node] : self.tree.last[node]]] = True
        return chosen

    def chain(self, leaf: int, without=()) -> list:
        """The nodes above a segment that hold none of the segments in ``without``."""
        found = []
        for node in self.tree.above(leaf):
            inside = self.tree.leaves[self.tree.first[node] : self.tree.last[node]]
            if np.isin(without, inside).any():
                break
            found.append(node)
        return found

    def starts(self, prompt: Prompt) -> list:
        """[(choice, score)] to start from: a mask, a box, or the nodes above the first click."""
        if prompt.mask is not None and prompt.mask.dtype == bool:
            return [(self._like(prompt.mask), 0.5)]
        if prompt.box is not None:
            return self._boxed(prompt.box)
        wanted = self.leaves(prompt, 1)
        if not wanted:
            return []
        nodes = self.tree.above(wanted[0])
        # The ground may be meant, but an object in it is what people click on.
        ground = np.array([self._is_background(node) for node in nodes])
        return self._apart(nodes, self.quality[nodes] - _GROUND * ground)

    def _is_background(self, node: int) -> bool:
        """What fills the picture or reaches from side to side of it is no object in it."""
        rows, cols = self.shape
        left, top, right, bottom = self.tree.box[node]
        across = (left <= 0 and right >= cols) or (top <= 0 and bottom >= rows)
        return across or self.tree.area[node] >= 0.9 * self.segments.size

    def _apart(self, nodes, scores) -> list:
        """The three best nodes whose areas differ."""
        picked: list = []
        for k in np.argsort(-np.asarray(scores), kind="stable"):
            area = np.log(self.tree.area[nodes[k]])
            if all(abs(area - np.log(self.tree.area[n])) > _APART for n, _ in picked):
                picked.append((nodes[k], float(np.clip(scores[k], 0, 1))))
            if len(picked) == 3:
                break
        return [(self.members(node), score) for node, score in picked]

    def _like(self, mask: np.ndarray) -> np.ndarray:
        """The segments of which most lies in a mask."""
        inside = np.bincount(self.segments[mask], minlength=self.count)
        total = np.bincount(self.segments.ravel(), minlength=self.count)
        return (inside > 0.5 * total) & self.usable

    def _boxed(self, box: tuple) -> list:
        """The nodes whose own boxes are most like the drawn one."""
        left, top, right, bottom = box
        own = self.tree.box
        wide = np.clip(np.minimum(own[:, 2], right) - np.maximum(own[:, 0], left), 0, None)
        high = np.clip(np.minimum(own[:, 3], bottom) - np.maximum(own[:, 1], top), 0, None)
        both = wide * high
        areas = (own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])
        alike = both / (areas + (right - left) * (bottom - top) - both)
        # A node that fills its box says more than one that only reaches its corners.
        scores = alike * (0.6 + 0.4 * self.tree.area / np.maximum(1, areas))
        nodes = [int(node) for node in np.argsort(-scores, kind="stable")[:12] if scores[node] > 0]
        return self._apart(nodes, scores[nodes]) if nodes else []

    def corrected(self, chosen: np.ndarray, prompt: Prompt) -> np.ndarray:
        """Clicks in their order: one outside the choice adds a node, one inside takes one away."""
        chosen = chosen.copy()
        clicks = [
            (leaf, label)
            for leaf, label in (
                (self.leaf(*spot), label) for spot, label in zip(prompt.points, prompt.labels)
            )
            if leaf >= 0
        ]
        for i, (leaf, label) in enumerate(clicks):
            if chosen[leaf] == bool(label):
                continue
            others = [other for other, own in clicks[: i + 1] if own != label]
            nodes = self.chain(leaf, others) or [leaf]
            # What is added must not swallow the picture, what is taken away not the object.
            limit = max(self.tree.area[leaf], self._area(chosen) * (0.9 if not label else 3.0))
            nodes = [node for node in nodes if self.tree.area[node] <= limit] or [leaf]
            # A correction is rather small: what was right before should stay.
            share = self.tree.area[nodes] / max(self._area(chosen), 1.0)
            best = nodes[int(np.argmax(self.quality[nodes] - _MODEST * np.minimum(share, 1)))]
            chosen[self.members(best)] = bool(label)
        return chosen & self.usable

    def _area(self, chosen: np.ndarray) -> float:
        return float(self.tree.area[: self.count][chosen].sum())

    def mask(self, chosen: np.ndarray, prompt: Prompt) -> np.ndarray:
        """The choice as pixels: what hangs together with a click, small holes filled."""
        mask = chosen[self.segments]
        wanted = [leaf for leaf in self.leaves(prompt, 1) if chosen[leaf]]
        parts, number = ndimage.label(mask)
        if number > 1:
            if wanted:
                kept = np.unique(parts[np.isin(self.segments, wanted)])
            else:
                kept = np.array([np.argmax(np.bincount(parts.ravel())[1:]) + 1])
            mask = np.isin(parts, kept[kept > 0])
        if mask.sum() >= 64:  # opening would eat what is smaller
            opened = ndimage.binary_opening(mask)
            mask = opened if opened.any() else mask
        holes = ndimage.binary_fill_holes(mask) & ~mask
        unwanted = self.leaves(prompt, 0)
        if unwanted and holes.any():
            holes &= ~np.isin(self.segments, unwanted)
        return mask | holes
