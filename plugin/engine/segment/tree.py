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
    growing = _Growing(segments, lab, gradient, count)
    for number in np.flatnonzero(~np.asarray(usable)).tolist():
        growing.isolate(number)
    heap = [
        (growing.cost_of(a, b, edge), a, b)
        for a in range(count) for b, edge in growing.near[a].items() if a < b
    ]  # fmt: skip
    heapq.heapify(heap)
    alive = bytearray(b"\1" * count)
    while heap:
        cost, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]):
            continue
        node = growing.merge(a, b, cost)
        alive[a] = alive[b] = 0
        alive.append(1)
        for other, edge in growing.near[node].items():
            heapq.heappush(heap, (growing.cost_of(node, other, edge), node, other))
    return growing.tree()


class _Growing:
    """The tree while it is merged: plain lists with one number a node, or one a common border.

    Numbers and not tuples, because tens of thousands of small containers make Python collect its
    garbage in all of QGIS's objects; that takes 80 ms during which no thread can run. Lists and
    not arrays, because single values are read and written far more often than whole columns.
    """

    def __init__(self, segments, lab, gradient, count: int):
        flat = segments.ravel()
        self.count = count
        self.area = np.bincount(flat, minlength=count).astype(float).tolist()
        self.sums = [
            np.bincount(flat, lab[..., k].ravel(), minlength=count).tolist() for k in range(3)
        ]
        squares = (lab**2).sum(axis=2).ravel()
        self.squares = np.bincount(flat, squares, minlength=count).tolist()
        self.box = [side.tolist() for side in _boxes(segments, count)]
        self.parent = [-1] * count
        self.children: tuple = ([-1] * count, [-1] * count)
        self.cost = [0.0] * count
        # Of each node's border: its length, the colour steps and the gradients along it.
        self.border: tuple = ([0.0] * count, [0.0] * count, [0.0] * count)
        keys, *shared = _borders(segments, lab, gradient, count)
        self.length, self.step, self.edge = (values.tolist() for values in shared)
        # {neighbour: place of their common border in the three lists} for each node
        self.near: list = [{} for _ in range(count)]
        for place, (a, b) in enumerate(zip((keys // count).tolist(), (keys % count).tolist())):
            self.near[a][b] = self.near[b][a] = place

    def isolate(self, number: int) -> None:
        """Take a segment's neighbours away."""
        for other in self.near[number]:
            self.near[other].pop(number, None)
        self.near[number] = {}

    def cost_of(self, a: int, b: int, edge: int) -> float:
        """Ward-like: colour difference and edge on the border, smaller regions first."""
        na, nb = self.area[a], self.area[b]
        s0, s1, s2 = self.sums
        difference = (
            (s0[a] / na - s0[b] / nb) ** 2
            + (s1[a] / na - s1[b] / nb) ** 2
            + (s2[a] / na - s2[b] / nb) ** 2
        ) ** 0.5
        strength = difference + _EDGE * self.edge[edge] / self.length[edge]
        return strength * (na * nb / (na + nb)) ** 0.35

    def merge(self, a: int, b: int, cost: float) -> int:
        """Join two neighbours; the number of the new node."""
        node = len(self.area)
        for column in (self.area, self.squares, *self.sums):
            column.append(column[a] + column[b])
        for side, choose in zip(self.box, (min, min, max, max)):
            side.append(choose(side[a], side[b]))
        self.parent.append(-1)
        self.parent[a] = self.parent[b] = node
        self.children[0].append(a)
        self.children[1].append(b)
        self.cost.append(max(cost, self.cost[a], self.cost[b]))
        self._measure(a)
        self._measure(b)
        for column in self.border:
            column.append(0.0)
        self._hand_over(a, b, node)
        return node

    def _hand_over(self, a: int, b: int, node: int) -> None:
        """The new node gets the neighbours of both; a border with both becomes one."""
        near, length, step, edge = self.near, self.length, self.step, self.edge
        joined: dict = {}
        for child, other in ((a, b), (b, a)):
            for neighbour, shared in near[child].items():
                near[neighbour].pop(child, None)
                if neighbour == other:
                    continue
                before = joined.setdefault(neighbour, shared)
                if before != shared:
                    length[before] += length[shared]
                    step[before] += step[shared]
                    edge[before] += edge[shared]
            near[child] = {}
        for neighbour, shared in joined.items():
            near[neighbour][node] = shared
        near.append(joined)

    def _measure(self, node: int) -> None:
        """Sum up a node's whole border."""
        places = self.near[node].values()
        for column, values in zip(self.border, (self.length, self.step, self.edge)):
            column[node] = float(sum(map(values.__getitem__, places)))

    def tree(self) -> Tree:
        """What has grown."""
        for node in (node for node, parent in enumerate(self.parent) if parent < 0):
            self._measure(node)
        first, last, leaves = self._order()
        area = np.array(self.area)
        mean = np.array(self.sums).T / area[:, None]
        spread = np.sqrt(np.maximum(np.array(self.squares) / area - (mean**2).sum(axis=1), 0))
        border, steps, edges = (np.array(column) for column in self.border)
        length = np.maximum(border, 1)
        return Tree(
            np.array(self.parent), first, last, leaves, area, mean, spread, border,
            steps / length, edges / length, np.array(self.cost), np.array(self.box).T,
        )  # fmt: skip

    def _order(self) -> tuple:
        """(first, last, leaves): the segments in such an order that each node's stand together."""
        total = len(self.area)
        first, last, leaves = [0] * total, [0] * total, []
        stack = [node for node in range(total - 1, -1, -1) if self.parent[node] < 0]
        while stack:
            node = stack.pop()
            if node < 0:  # all below it was seen
                last[~node] = len(leaves)
                continue
            first[node] = len(leaves)
            if node < self.count:
                leaves.append(node)
                last[node] = len(leaves)
            else:
                stack += (~node, self.children[1][node], self.children[0][node])
        return np.array(first), np.array(last), np.array(leaves)


def _boxes(segments, count: int) -> tuple:
    """(left, top, right, bottom) of each segment as four arrays."""
    sides = []
    for axis in (1, 0):
        flat = segments.ravel("F" if axis else "C")  # ascending along the axis
        values = np.repeat(np.arange(segments.shape[axis]), segments.shape[1 - axis])
        lowest, highest = np.zeros(count, int), np.zeros(count, int)
        lowest[flat[::-1]] = values[::-1]  # of values for one place the last one stays
        highest[flat] = values + 1
        sides.append((lowest, highest))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def _borders(segments, lab, gradient, count: int) -> tuple:
    """(low * count + high, border length, colour steps summed, gradients summed) of neighbours."""
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
    step = np.bincount(which, np.concatenate(steps))
    edge = np.bincount(which, np.concatenate(edges))
    return unique, np.bincount(which), step, edge
