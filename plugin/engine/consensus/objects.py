"""Consensus of polygons: who drew the same object, its class, its shape, and three agreements.

Extent, count and edge agreement are kept apart, because people who find the same fields may draw
their edges quite differently (Africa field boundaries: 0.75, 0.33 and 0.05).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from .patterns import near_edge

SAME = 0.5  # intersection over union from which two outlines are one object


@dataclass(frozen=True)
class Drawn:
    """One outline on a grid: class code and the mask (rows, cols) of its pixels."""

    code: int
    mask: np.ndarray


@dataclass(frozen=True)
class Agreed:
    """One object of the consensus: class (255 for a tie), mask, who drew it, and agreements.

    ``posterior`` is the share of all annotators that drew it with this class, ``support`` the
    share that drew it at all, ``overlap`` the mean IoU of their outlines with the agreed one.
    """

    code: int
    mask: np.ndarray
    people: tuple
    posterior: float
    support: float
    overlap: float


def outlines(shapes, grid: Grid) -> list:
    """``Drawn`` of (GeoJSON geometry, class code) pairs in the CRS of the grid.

    An outline that covers no pixel centre is left out.
    """
    found = []
    for shape, code in shapes:
        mask = rasters.burn([(shape, 1)], grid).astype(bool)
        if mask.any():
            found.append(Drawn(int(code), mask))
    return found


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks; 0 when both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def match(left, right, least: float = SAME) -> list:
    """[(index left, index right, IoU)]: one-to-one with the largest sum of IoU (Hungarian).

    Args:
        left, right: lists of masks on one grid.
    """
    if not left or not right:
        return []
    from scipy.optimize import linear_sum_assignment

    table = np.array([[overlap(a, b) for b in right] for a in left])
    table[table < least] = 0.0
    rows, cols = linear_sum_assignment(-table)
    return [(int(r), int(c), float(table[r, c])) for r, c in zip(rows, cols) if table[r, c] > 0]


def group(drawn: list, least: float = SAME) -> list:
    """Groups [{annotator: index}] of outlines that are one object, nobody twice in a group.

    Annotators join one after another; each is matched one-to-one with the mean mask of the groups
    so far, those with the most outlines first, so that the order of names does not matter.

    Args:
        drawn: one list of ``Drawn`` per annotator.
    """
    order = sorted(range(len(drawn)), key=lambda a: (-len(drawn[a]), a))
    groups: list = []
    for a in order:
        centres = [_majority([drawn[p][i].mask for p, i in g.items()]) for g in groups]
        pairs = match(centres, [d.mask for d in drawn[a]], least)
        taken = set()
        for g, i, _ in pairs:
            groups[g][a] = i
            taken.add(i)
        groups += [{a: i} for i in range(len(drawn[a])) if i not in taken]
    return groups


def _majority(masks: list) -> np.ndarray:
    """Pixels inside at least half of the masks."""
    return 2 * np.sum(masks, axis=0, dtype=np.int32) >= len(masks)


def agree(drawn: list, least: float = SAME, support: float = 0.5) -> list:
    """Objects that at least a share ``support`` of the annotators drew, the surest first.

    Args:
        drawn: one list of ``Drawn`` per annotator, empty for somebody who saw nothing.
    """
    people = len(drawn)
    if people < 2:
        raise ConcordError("A consensus of objects needs at least two annotators; add another.")
    found = []
    for members in group(drawn, least):
        if len(members) < support * people:
            continue
        codes = np.array([drawn[a][i].code for a, i in members.items()])
        kinds, counts = np.unique(codes, return_counts=True)
        best = counts.max()
        code = int(kinds[counts.argmax()]) if (counts == best).sum() == 1 else 255
        masks = [drawn[a][i].mask for a, i in members.items()]
        mask = _majority(masks)
        found.append(
            Agreed(code, mask, tuple(sorted(members)), float(best / people),
                   len(members) / people, float(np.mean([overlap(mask, m) for m in masks])))
        )  # fmt: skip
    return sorted(found, key=lambda o: (-o.posterior, -o.support, -int(o.mask.sum())))


def _union(objects: list, shape: tuple) -> np.ndarray:
    total = np.zeros(shape, bool)
    for drawn in objects:
        total |= drawn.mask
    return total


def edge_agreement(one: np.ndarray, other: np.ndarray, tolerance: int = 1) -> float | None:
    """Boundary F-score: share of edge pixels that have the other's edge within ``tolerance``.

    None when neither mask has an edge, 0 when only one has.
    """
    edges = [near_edge([m.astype(np.uint8)], 1) for m in (one, other)]
    wide = [near_edge([m.astype(np.uint8)], 1 + tolerance) for m in (one, other)]
    if not edges[0].any() and not edges[1].any():
        return None
    if not edges[0].any() or not edges[1].any():
        return 0.0
    precision = (edges[0] & wide[1]).sum() / edges[0].sum()
    recall = (edges[1] & wide[0]).sum() / edges[1].sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def compare(one: list, other: list, shape: tuple, tolerance: int = 1) -> dict:
    """Extent, count and edge agreement of two annotators' outlines, each 0-1, and the matches.

    Returns:
        extent (IoU of the areas), count (1 - difference over the larger number), edge (boundary
        F-score), matched, only_first, only_second, same_class (share of matches; None without).
    """
    first, second = _union(one, shape), _union(other, shape)
    pairs = match([d.mask for d in one], [d.mask for d in other])
    larger = max(len(one), len(other))
    same = [one[i].code == other[j].code for i, j, _ in pairs]
    return {
        "extent": overlap(first, second) if first.any() or second.any() else 1.0,
        "count": 1 - abs(len(one) - len(other)) / larger if larger else 1.0,
        "edge": edge_agreement(first, second, tolerance),
        "matched": len(pairs),
        "only_first": len(one) - len(pairs),
        "only_second": len(other) - len(pairs),
        "same_class": float(np.mean(same)) if same else None,
    }
