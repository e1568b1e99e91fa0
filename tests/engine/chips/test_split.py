"""Splits that never overlap, keep their buffer and meet their shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from concord.plugin.engine.chips import plan, split
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid


@pytest.mark.parametrize("text, shares", [("70/15/15", (0.7, 0.15, 0.15)), ("100/0/0", (1, 0, 0)),
                                          ("33.4/33.3/33.3", (0.334, 0.333, 0.333))])  # fmt: skip
def test_shares_are_parsed(text, shares):
    assert split.parse_shares(text) == pytest.approx(shares)


@pytest.mark.parametrize("text", ["70/15/10", "70/30", "a/b/c", "", "120/-10/-10", "70;15;15"])
def test_shares_that_do_not_sum_are_refused(text):
    with pytest.raises(ConcordError, match="does not sum to 100; give train/validate/test"):
        split.parse_shares(text)


def planned(grid, size, stride, seed=0):
    rng = np.random.default_rng(seed)
    return [plan.Planned(chip, plan.content_of(rng.integers(1, 4, (4, 4)).astype(np.uint8), None))
            for chip in plan.chip_grid(grid, size, stride)]  # fmt: skip


def gaps(kept) -> list:
    """Gaps between chips of different splits, the slow way; negative when they overlap."""
    found = []
    for i, one in enumerate(kept):
        for other in kept[:i]:
            if one.split != other.split:
                a, b = one.chip.bounds, other.chip.bounds
                dx, dy = max(a[0] - b[2], b[0] - a[2]), max(a[1] - b[3], b[1] - a[3])
                found.append(-1.0 if max(dx, dy) < 0 else float(np.hypot(max(dx, 0), max(dy, 0))))
    return found


@given(
    st.integers(8, 20), st.integers(3, 24), st.floats(50.0, 900.0), st.floats(0.0, 300.0),
    st.integers(0, 99), st.integers(60, 130),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_splits_never_overlap_and_keep_the_buffer(size, stride, block, buffer, seed, width):
    assume((width - size) // stride * ((60 - size) // stride) < 160)
    grid = Grid("EPSG:32632", (10.0, 0.0, 500_005.0, 0.0, -10.0, 5_000_000.0), width, 60)
    chips = planned(grid, size, stride, seed)
    try:
        dealt = split.assign(chips, (0.6, 0.2, 0.2), block, seed, [1, 2, 3])
    except ConcordError as error:
        assert "choose a smaller BLOCK" in str(error)
        return
    kept, dropped = split.apart(dealt, buffer)
    assert len(kept) + len(dropped) == len(chips)
    found = gaps(kept)
    assert all(gap >= 0 and gap >= buffer * (1 - 1e-6) for gap in found)
    nearest = split.nearest_distance(kept)
    assert nearest == (pytest.approx(min(found)) if found else None)
    assert [p.chip.id for p in kept] == sorted(p.chip.id for p in kept)


def test_shares_are_met_on_a_large_area(make_grid):
    chips = planned(make_grid(1600, 1600), 16, 16)
    for seed in (0, 1):
        dealt = split.assign(chips, (0.7, 0.15, 0.15), 640.0, seed, [1, 2, 3])
        for name, share in zip(split.SPLITS, (0.7, 0.15, 0.15)):
            own = [p for p in dealt if p.split == name]
            assert len(own) / len(chips) == pytest.approx(share, abs=0.02)
            counts = sum(p.content.counts[1:4] for p in own)
            assert counts / counts.sum() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_block_is_never_torn(make_grid):
    dealt = split.assign(
        planned(make_grid(400, 400), 16, 16), (0.5, 0.25, 0.25), 700.0, 1, [1, 2, 3]
    )
    owners = {}
    for p in dealt:
        assert owners.setdefault(p.block, p.split) == p.split
    assert set(owners.values()) == set(split.SPLITS)


def test_a_rare_class_reaches_every_split(make_grid):
    chips = planned(make_grid(640, 640), 16, 16)
    for p in chips:
        p.content.counts[4] = 10 if p.chip.window.col < 64 and p.chip.window.row < 640 else 0
    dealt = split.assign(chips, (0.6, 0.2, 0.2), 640.0, 3, [1, 2, 3, 4])
    for name in split.SPLITS:
        assert sum(p.content.counts[4] for p in dealt if p.split == name) > 0
