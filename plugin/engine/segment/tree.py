"""A binary tree of image regions, merged from small segments, the most alike neighbours first.

Binary partition tree (Salembier and Garrido 2000) over segments of Felzenszwalb and Huttenlocher
(2004). Every node is a region one may mean; a click means one of the nodes above its segment.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

_EDGE = 1.5  # weight of the edge strength along a common border against the colour difference


@dataclass(frozen=True)
class Tree:
    """Nodes 0 ... n-1 are the segments, the others in the order in which they were merged.

    Arrays have one entry a node: ``parent`` (-1 at the top), ``first`` and ``last`` (the node's
    segments are ``leaves[first:last]``), ``area`` (pixels), ``mean`` (Lab), ``spread`` (root of
    the mean squared distance to the mean, Lab), ``border`` (pixels), ``contrast`` (mean colour
    step over the border), ``edge`` (mean gradient on the border), ``cost`` (of the merge that
    made the node, 0 for segments) and ``box`` (left, top, right, bottom).
    """

    parent: np.ndarray
    first: np.ndarray
    last: np.ndarray
    leaves: np.ndarray
    area: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    border: np.ndarray
    contrast: np.ndarray
    edge: np.ndarray
    cost: np.ndarray
    box: np.ndarray

    def above(self, leaf: int) -> list:
        """The nodes that hold a segment, the segment itself first."""
        found = [int(leaf)]
        while self.parent[found[-1]] >= 0:
            found.append(int(self.parent[found[-1]]))
        return found

    def holds(self, node: int, leaf: int) -> bool:
        """True when a segment belongs to a node."""
        return bool(leaf in self.leaves[self.first[node] : self.last[node]])


def build(segments: np.ndarray, lab: np.ndarray, gradient: np.ndarray, usable) -> Tree:
    """The tree of an image.

    Args:
        segments: (rows, cols) numbers 0 ... n-1.
        lab: (rows, cols, 3).
        gradient: (rows, cols) edge strength in units of Lab.
        usable: n booleans; segments that are not stay alone at the top.
    """
    count = int(segments.max()) + 1
    state = _leaves(segments, lab, count)
    near = _neighbours(segments, lab, gradient, count)
    for number in np.flatnonzero(~np.asarray(usable)):
        for other in near[number]:
            near[other].pop(number, None)
        near[number] = {}
    heap = [
        (_cost(state, a, b, shared), a, b)
        for a in range(count) for b, shared in near[a].items() if a < b
    ]  # fmt: skip
    heapq.heapify(heap)
    alive = [True] * count
    while heap:
        cost, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]):
            continue
        node = _merge(state, near, a, b, cost)
        alive[a] = alive[b] = False
        alive.append(True)
        for other, shared in near[node].items():
            heapq.heappush(heap, (_cost(state, node, other, shared), node, other))
    return _finished(state, near, count)


def _leaves(segments, lab, count: int) -> dict:
    flat = segments.ravel()
    area = np.bincount(flat, minlength=count).astype(float)
    sums = np.stack(
        [np.bincount(flat, lab[..., k].ravel(), minlength=count) for k in range(3)], axis=1
    )
    squares = np.bincount(flat, (lab**2).sum(axis=2).ravel(), minlength=count)
    rows, cols = segments.shape
    from scipy import ndimage

    boxes = [(c.start, r.start, c.stop, r.stop) for r, c in ndimage.find_objects(segments + 1)]
    # Plain lists: single values are read and written far more often than whole columns.
    return {
        "area": area.tolist(),
        "sums": [tuple(row) for row in sums.tolist()],
        "squares": squares.tolist(),
        "box": boxes,
        "parent": [-1] * count,
        "children": [None] * count,
        "cost": [0.0] * count,
        "stats": [None] * count,
    }


def _neighbours(segments, lab, gradient, count: int) -> list:
    """For each segment {neighbour: (border length, colour steps summed, gradients summed)}."""
    keys, steps, edges = [], [], []
    for axis in (0, 1):
        one = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
        two = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        a, b = segments[one], segments[two]
        differ = a != b
        low, high = np.minimum(a, b)[differ], np.maximum(a, b)[differ]
        keys.append(low.astype(np.int64) * count + high)
        steps.append(np.linalg.norm(lab[one][differ] - lab[two][differ], axis=1))
        edges.append(np.maximum(gradient[one][differ], gradient[two][differ]))
    unique, which = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(which)
    step = np.bincount(which, np.concatenate(steps))
    edge = np.bincount(which, np.concatenate(edges))
    near: list = [{} for _ in range(count)]
    for key, values in zip(unique.tolist(), zip(length.tolist(), step.tolist(), edge.tolist())):
        a, b = divmod(key, count)
        near[a][b] = near[b][a] = values
    return near


def _cost(state: dict, a: int, b: int, shared: tuple) -> float:
    """Ward-like: colour difference and edge on the border, smaller regions first."""
    na, nb = state["area"][a], state["area"][b]
    (a0, a1, a2), (b0, b1, b2) = state["sums"][a], state["sums"][b]
    difference = (
        (a0 / na - b0 / nb) ** 2 + (a1 / na - b1 / nb) ** 2 + (a2 / na - b2 / nb) ** 2
    ) ** 0.5
    strength = difference + _EDGE * shared[2] / shared[0]
    return strength * (na * nb / (na + nb)) ** 0.35


def _merge(state: dict, near: list, a: int, b: int, cost: float) -> int:
    node = len(state["area"])
    state["area"].append(state["area"][a] + state["area"][b])
    state["sums"].append(tuple(x + y for x, y in zip(state["sums"][a], state["sums"][b])))
    state["squares"].append(state["squares"][a] + state["squares"][b])
    one, two = state["box"][a], state["box"][b]
    state["box"].append(
        (min(one[0], two[0]), min(one[1], two[1]), max(one[2], two[2]), max(one[3], two[3]))
    )
    state["parent"].append(-1)
    state["parent"][a] = state["parent"][b] = node
    state["children"].append((a, b))
    state["cost"].append(max(cost, state["cost"][a], state["cost"][b]))
    joined: dict = {}
    state["stats"][a], state["stats"][b] = _border(near[a]), _border(near[b])
    for child, other in ((a, b), (b, a)):
        for neighbour, shared in near[child].items():
            near[neighbour].pop(child, None)
            if neighbour == other:
                continue
            before = joined.get(neighbour)
            joined[neighbour] = (
                shared if before is None else tuple(x + y for x, y in zip(before, shared))
            )
        near[child] = {}
    for neighbour, shared in joined.items():
        near[neighbour][node] = shared
    near.append(joined)
    state["stats"].append(None)
    return node


def _border(near: dict) -> tuple:
    """(length, colour steps, gradients) over a whole border."""
    if not near:
        return (0.0, 0.0, 0.0)
    return tuple(map(sum, zip(*near.values())))


def _finished(state: dict, near: list, count: int) -> Tree:
    total = len(state["area"])
    for node in range(total):
        if state["stats"][node] is None:
            state["stats"][node] = _border(near[node])
    first, last, leaves = [0] * total, [0] * total, []
    for top in (node for node in range(total) if state["parent"][node] < 0):
        stack = [(top, False)]
        while stack:
            node, closed = stack.pop()
            if closed:
                last[node] = len(leaves)
                continue
            first[node] = len(leaves)
            children = state["children"][node]
            if children is None:
                leaves.append(node)
                last[node] = len(leaves)
            else:
                stack += [(node, True), (children[1], False), (children[0], False)]
    area = np.array(state["area"])
    mean = np.array(state["sums"]) / area[:, None]
    spread = np.sqrt(np.maximum(np.array(state["squares"]) / area - (mean**2).sum(axis=1), 0))
    border, steps, edges = np.array(state["stats"], float).T
    length = np.maximum(border, 1)
    return Tree(
        np.array(state["parent"]), np.array(first), np.array(last), np.array(leaves), area, mean,
        spread, border, steps / length, edges / length, np.array(state["cost"]),
        np.array(state["box"]),
    )  # fmt: skip
