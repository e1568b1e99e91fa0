"""Train, validate and test by whole blocks with a buffer, never by random chip.

Neighbouring pixels are alike, so a random split lets a model see its test set (Roberts et al.
2017, Ploton et al. 2020). Blocks are fixed to the origin of the CRS; a seed decides which block
goes where, balanced over the classes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import ConcordError

SPLITS = ("train", "validate", "test")  # the names of the ML-AOI extension


def parse_shares(text: str) -> tuple:
    """Shares (train, validate, test) from '70/15/15'."""
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 3 or any(p < 0 for p in parts) or not math.isclose(sum(parts), 100.0):
        raise ConcordError(
            f"The split '{text}' does not sum to 100; give train/validate/test such as 70/15/15."
        )
    return tuple(p / 100.0 for p in parts)


def default_block(extent: tuple, chip: float) -> float:
    """Four chips, or fewer where the area would hold less than four blocks a side."""
    left, bottom, right, top = extent
    across = min(right - left, top - bottom)
    return chip * max(1, min(4, int(across / chip / 4)))


def assign(planned: list, shares: tuple, block: float, seed: int, codes) -> list:
    """The chips with block and split set.

    Blocks are dealt in seeded order, each to the split that lacks its classes most.

    Raises:
        ConcordError: fewer blocks than splits that were asked for.
    """
    placed = [
        replace(
            p,
            block=(math.floor(p.chip.centre[0] / block), math.floor(p.chip.centre[1] / block)),
        )
        for p in planned
    ]
    return deal(placed, shares, seed, codes, f"block of {block:g} map units")


def deal(placed: list, shares: tuple, seed: int, codes, what: str) -> list:
    """Give whole groups of chips (same ``block``) to the splits; ``what`` names a group."""
    blocks: dict = {}
    for p in placed:
        blocks.setdefault(p.block, np.zeros(len(codes)))
        blocks[p.block] += p.content.counts[list(codes)]
    wanted = [i for i, share in enumerate(shares) if share > 0]
    if len(blocks) < len(wanted):
        if what == "domain":
            raise ConcordError(
                f"There are {len(blocks)} domain(s) for {len(wanted)} splits; choose a field with "
                "more values, or fewer splits."
            )
        raise ConcordError(
            f"A {what} gives {len(blocks)} block(s) for {len(wanted)} "
            "splits; choose a smaller BLOCK or CHIP_SIZE, or fewer splits."
        )
    owner = _deal(blocks, shares, wanted, seed)
    return [replace(p, split=SPLITS[owner[p.block]]) for p in placed]


def _deal(blocks: dict, shares: tuple, wanted: list, seed: int) -> dict:
    total = np.maximum(sum(blocks.values()), 1)
    order = sorted(blocks)
    np.random.default_rng(seed).shuffle(order)
    # Large blocks first: the small ones then even out what is left.
    order.sort(key=lambda key: -round(float(blocks[key].sum()), 6))
    lacking = {i: np.full(len(total), shares[i]) for i in wanted}
    empty = sorted(wanted, key=lambda i: shares[i])
    owner = {}
    for position, key in enumerate(order):
        part = blocks[key] / total
        left = len(order) - position
        if left <= len(empty):  # every split that was asked for gets a block
            chosen = empty[0]
        else:
            chosen = max(wanted, key=lambda i: (float(lacking[i] @ part), shares[i]))
        owner[key] = chosen
        lacking[chosen] = lacking[chosen] - part
        if chosen in empty:
            empty.remove(chosen)
    return owner


def distance(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Gap in map units between a box and boxes (n, 4); 0 when they touch, -1 on overlap."""
    dx = np.maximum(many[:, 0] - one[2], one[0] - many[:, 2])
    dy = np.maximum(many[:, 1] - one[3], one[1] - many[:, 3])
    gap = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    tolerance = 1e-9 * max(1.0, float(np.abs(one).max()))
    return np.where((dx < -tolerance) & (dy < -tolerance), -1.0, gap)


def apart(planned: list, buffer: float) -> tuple:
    """(kept, dropped): chips of the larger split that come too near to another split's go.

    Chips of different splits never overlap and, with a buffer, keep at least that distance.
    """
    order = sorted(
        SPLITS, key=lambda name: (sum(p.split == name for p in planned), SPLITS.index(name))
    )
    kept, dropped = [], []
    for name in order:  # the smallest split first, so that it loses nothing
        # Compared with finished splits only: chips of one split may touch each other.
        boxes = np.array([p.chip.bounds for p in kept]).reshape(-1, 4)
        for p in [p for p in planned if p.split == name]:
            gap = distance(np.array(p.chip.bounds), boxes).min(initial=np.inf)
            near = gap < 0 or (buffer > 0 and gap < buffer * (1 - 1e-9))
            (dropped if near else kept).append(p)
    return sorted(kept, key=lambda p: p.chip.id), dropped


def nearest_distance(planned: list) -> float | None:
    """The smallest gap between chips of different splits; None with one split only."""
    best = np.inf
    for name in SPLITS:
        own = [p for p in planned if p.split == name]
        others = np.array([p.chip.bounds for p in planned if p.split != name]).reshape(-1, 4)
        for p in own:
            best = min(best, distance(np.array(p.chip.bounds), others).min(initial=np.inf))
    return None if np.isinf(best) else float(best)
