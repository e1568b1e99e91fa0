"""Plans: sampling, balance, places, packed work. Pure values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concord.plugin.engine.campaign import assign, content, sampling, values
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid, Window

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 100, 80)


def test_chips_are_whole_and_do_not_overlap():
    sites = sampling.chip_sites(GRID, 32)
    assert len(sites) == 3 * 2 and len({s.place for s in sites}) == 6
    covered = np.zeros((80, 100), int)
    for site in sites:
        covered[site.window.slices] += 1
    assert covered.max() == 1 and covered.sum() == 6 * 32 * 32


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 15), st.integers(1, 60), st.data())
def test_balance_is_fair_and_nobody_sees_a_place_twice(people, count, data):
    copies = data.draw(st.integers(1, people))
    places = data.draw(st.lists(st.integers(0, count), min_size=count, max_size=count))
    sites = [values.Site(Window(i, 0, 1, 1), p) for i, p in enumerate(places)]
    names = [f"p{i}" for i in range(people)]
    try:
        tasks = assign.balance(sites, [copies] * count, names, seed=count)
    except ConcordError as error:
        assert "overlap" in str(error)
        return
    seen = [(name, task.site.place) for task in tasks for name in task.people]
    assert len(seen) == len(set(seen))
    assert all(len(set(t.people)) == t.copies <= copies for t in tasks)
    if len(set(places)) == count:
        loads = assign.loads(tasks)
        assert sum(loads.values()) == count * copies
        assert max(loads.values()) - min(loads.get(n, 0) for n in names) <= 1


def test_every_pair_of_people_meets():
    sites = sampling.chip_sites(Grid("EPSG:32632", (1, 0, 0, 0, -1, 0), 160, 160), 8)
    tasks = assign.balance(sites, [3] * len(sites), list("abcdef"))
    met = np.zeros((6, 6), int)
    for task in tasks:
        who = ["abcdef".index(name) for name in task.people]
        for i in who:
            for j in who:
                met[i, j] += i != j
    pairs = met[~np.eye(6, dtype=bool)]
    assert pairs.min() > 0.8 * pairs.mean()


def test_gold_goes_to_everybody_and_overlap_is_a_share():
    sites = sampling.chip_sites(GRID, 16)
    copies = assign.copies_of(len(sites), 3, 0.5, 1)
    assert sorted(set(copies)) == [1, 3] and copies.count(3) == round(len(sites) / 2)
    tasks = assign.balance(sites, copies, list("abcd"), everyone=(2, 5))
    assert [t.id for t in tasks if t.gold] == [3, 6]
    assert all(t.people == tuple("abcd") for t in tasks if t.gold)


def test_the_same_seed_plans_the_same():
    sites = sampling.chip_sites(GRID, 8)
    one = assign.balance(sites, [2] * len(sites), list("abcd"), seed=4)
    assert one == assign.balance(sites, [2] * len(sites), list("abcd"), seed=4)
    assert one != assign.balance(sites, [2] * len(sites), list("abcd"), seed=5)


def test_overlapping_polygons_are_one_place():
    boxes = [(5e5, 5399900, 500100, 54e5), (500050, 5399900, 500200, 54e5),
             (500150, 5399900, 500300, 54e5), (500600, 5399900, 500700, 54e5)]  # fmt: skip
    places = [s.place for s in sampling.polygon_sites(GRID, boxes)]
    assert places[0] == places[1] == places[2] != places[3]
    with pytest.raises(ConcordError, match="overlap"):
        assign.balance(sampling.polygon_sites(GRID, boxes), [2] * 4, ["a", "b"])


def test_strata_give_equal_numbers_and_the_rare_all_they_have():
    sites = [values.Site(Window(i, 0, 1, 1), i, "rare" if i < 2 else "common") for i in range(50)]
    chosen = sampling.choose(sites, "stratified", 10)
    kinds = [s.stratum for s in chosen]
    assert kinds.count("rare") == 2 and kinds.count("common") == 8


@pytest.mark.parametrize("names", [["Ana", "ana"], ["A  b", "a b"], ["ａna", "ana"], [" "],
                                   ["x" * 64], ["a\x00b"]])  # fmt: skip
def test_bad_names_are_refused(names):
    with pytest.raises(ConcordError):
        values.people_of(names)


def test_settings_survive_json():
    import json

    one = values.Settings("T", GRID, 16, ("a.tif",), {"id": "x", "classes": []}, stages=2)
    assert values.Settings.from_json(json.loads(json.dumps(one.as_json()))) == one


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_packed_masks_come_back(rows, cols, seed):
    mask = np.random.default_rng(seed).integers(0, 256, (rows, cols)).astype(np.uint8)
    data = content.pack(mask)
    assert np.array_equal(content.unpack(data), mask)
    assert content.digest(data) == content.digest(content.pack(mask.copy()))


@pytest.mark.parametrize("data", [b"", b"CCM1", b"XXXX\x02\x00\x02\x00abc", None])
def test_damaged_work_is_a_sentence(data):
    if data is None:  # claims to be larger than it is
        data = content.pack(np.ones((4, 4), np.uint8)).replace(
            b"\x04\x00\x04\x00", b"\x05\x00\x04\x00"
        )
    with pytest.raises(ConcordError, match="damaged"):
        content.unpack(data)
