"""Graphs for one size of batch get different tiles in it, not one tile several times."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.infer.session import Model
from tests.engine.tiny import card_of, node

NAMES = ("red", "green", "nir")


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """How many images each call of a graph of this test was given that differ.

    What an earlier test cancelled may still end in its thread.
    """
    seen, own = [], Model._run

    def run(self, group):
        if tmp_path in self.path.parents:
            seen.append(len(group))
        return own(self, group)

    monkeypatch.setattr(Model, "_run", run)
    return seen


@pytest.mark.parametrize("blend", ["crop", "hann"])
@pytest.mark.parametrize("flips", [1, 4])
def test_a_fixed_batch_is_filled_with_tiles_and_gives_the_same(
    graph, run, image, calls, blend, flips
):
    path, item = image(), card_of("semantic-segmentation", classes=NAMES, halo=4)
    smooth = [node("AveragePool", "in0", "out", kernel_shape=[3, 3], pads=[1] * 4)]
    wanted = run(graph(smooth, item, ((1, 3, 32, 32),)), path, blend=blend, flips=flips)[2]
    alone = len(calls)
    calls.clear()
    report, _, made = run(graph(smooth, item, ((3, 3, 32, 32),)), path, blend=blend, flips=flips)
    assert np.array_equal(made["main"], wanted["main"])
    assert len(calls) == flips * -(-report["tiles"] // 3) < alone / 2
    assert calls.count(3) >= len(calls) - flips


def test_chips_and_channels_last_in_a_fixed_batch(graph, run, image, calls):
    item = card_of("similarity-search", halo=None)
    pool = [node("GlobalAveragePool", "in0", "g"), node("Flatten", "g", "out")]
    path = image(width=96, height=64)
    wanted = run(graph(pool, item, ((1, 3, 32, 32),), (("out", 2),)), path)[2]["main"]
    calls.clear()
    made = run(graph(pool, item, ((4, 3, 32, 32),), (("out", 2),)), path)[2]["main"]
    assert np.array_equal(made, wanted) and sorted(calls) == [2, 4]
    axes = ["batch", "height", "width", "bands"]
    item = card_of("similarity-search", halo=None, axes=axes)
    mean = [node("ReduceMean", "in0", "out", axes=[1, 2], keepdims=0)]
    made = run(graph(mean, item, ((4, 32, 32, 3),), (("out", 2),)), path)[2]["main"]
    assert np.allclose(made, wanted, atol=1e-6)


def test_an_answer_without_a_batch_is_asked_for_tile_by_tile(graph, run, image, calls):
    item = card_of("object-detection", classes=("car",), halo=0, detector="boxes", tile=32)
    nodes = [node("ReduceSum", "in0 all", "s", keepdims=0), node("Mul", "s zero", "z"),
             node("Add", "rows z", "out"), node("Add", "scores z", "s2"),
             node("Add", "places z", "p2")]  # fmt: skip
    constants = {"all": np.array([0, 1, 2, 3]), "zero": np.float32(0),
                 "rows": np.float32([[8, 8, 14, 14], [20, 20, 26, 26]]),
                 "scores": np.float32([0.9, 0.8]), "places": np.float32([0, 0])}  # fmt: skip
    outputs = (("out", 2), ("s2", 1), ("p2", 1))
    model = graph(nodes, item, ((2, 3, 32, 32),), outputs, constants)
    report, _, _ = run(model, image(width=64, height=64))
    assert report["objects"] == 8  # two in each of four tiles
    assert calls.count(1) == 4


def test_the_last_group_may_be_smaller_and_nodata_leaves_gaps(graph, run, image, calls):
    values = np.random.default_rng(0).random((3, 64, 160)).astype(np.float32)
    values[:, :, 64:96] = np.nan  # tiles without data send nothing to the graph
    item = card_of("semantic-segmentation", classes=NAMES, halo=0)
    plain = [node("Identity", "in0", "out")]
    path = image(values=values)
    wanted = run(graph(plain, item, ((1, 3, 32, 32),)), path)[2]["main"]
    calls.clear()
    made = run(graph(plain, item, ((4, 3, 32, 32),)), path)[2]["main"]
    assert np.array_equal(made, wanted) and sum(calls) == 8 and not made[0, :, 64:96].any()
