"""Distances between splits found by cells are those found by trying every pair."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.chips import plan, split


def planned(rng, count: int) -> list:
    corners = rng.integers(-40, 40, (count, 2)) * 5.0
    names = rng.choice(split.SPLITS, count, p=(0.6, 0.2, 0.2))
    content = plan.Content(np.zeros(256), 1.0, None)
    return [
        plan.Planned(plan.Chip(str(i), None, (x, y, x + 20.0, y + 20.0)), content, split=str(name))
        for i, ((x, y), name) in enumerate(zip(corners, names))
    ]


def brute(chips: list) -> float:
    best = np.inf
    for p in chips:
        others = np.array([q.chip.bounds for q in chips if q.split != p.split]).reshape(-1, 4)
        best = min(best, split.distance(np.array(p.chip.bounds), others).min(initial=np.inf))
    return best


@pytest.mark.parametrize("buffer", [0.0, 15.0, 60.0])
def test_cells_find_what_pairs_find(buffer):
    rng = np.random.default_rng(int(buffer))
    for count in (2, 30, 300):
        chips = planned(rng, count)
        kept, dropped = split.apart(chips, buffer)
        assert len(kept) + len(dropped) == count
        found, wanted = split.nearest_distance(kept), brute(kept)
        assert (np.inf if found is None else found) == wanted
        assert wanted >= buffer
        # Every dropped chip was too near to a kept one of another split, or to one of its time.
        boxes = {name: np.array([p.chip.bounds for p in kept if p.split != name]).reshape(-1, 4)
                 for name in split.SPLITS}  # fmt: skip
        for p in dropped:
            gap = split.distance(np.array(p.chip.bounds), boxes[p.split]).min()
            assert gap < 0 or gap < buffer


def test_nearest_distance_before_anything_is_dropped():
    rng = np.random.default_rng(9)
    for count in (5, 100):
        chips = planned(rng, count)
        assert split.nearest_distance(chips) == brute(chips)
