"""Sets of classes keep their promise on blocks that were not looked at."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import files, rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import conformal

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 160, 160)


def land(seed=0):
    """Truth and honest probabilities whose quality differs from block to block."""
    rng = np.random.default_rng(seed)
    sharp = np.kron(rng.uniform(0.3, 4, (16, 16)), np.ones((10, 10)))
    scores = np.exp(rng.normal(size=(3, 160, 160)) * sharp)
    shares = scores / scores.sum(axis=0)
    draw = rng.random((160, 160))
    truth = 1 + (draw > shares[0]) + (draw > shares[0] + shares[1])
    return truth.astype(np.uint8), shares.astype(np.float32)


@pytest.fixture
def made(tmp_path):
    truth, shares = land()
    paths = str(tmp_path / "p.tif"), str(tmp_path / "l.tif")
    reviewed = truth.copy()
    reviewed[:, 80:] = 0
    rasters.write(paths[0], shares, GRID, names=["a", "b", "c"], nodata=np.nan)
    rasters.write(paths[1], reviewed, GRID, nodata=0)
    return *paths, truth, shares


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_coverage_is_kept_on_land_that_was_not_reviewed(made, tmp_path, level):
    probabilities, labels, truth, shares = made
    out = str(tmp_path / "o.tif")
    report = conformal.write_sets(probabilities, labels, out, level)
    sizes = rasters.read(out)[0]
    within = 1 - shares <= report["threshold"]
    assert np.array_equal(sizes, np.maximum(within.sum(axis=0), 1))
    fresh = np.take_along_axis(within, truth[None].astype(int) - 1, 0)[0][:, 80:]
    assert fresh.mean() >= level - 0.02 and fresh.mean() <= level + 0.06
    assert report["coverage"] == pytest.approx(level, abs=0.05) and report["blocks"] == 128


def test_every_block_weighs_the_same():
    few, many = np.array([0.9]), np.zeros(10_000)
    assert conformal.threshold([few, many, many, many], 0.7) == 0.9
    assert conformal.threshold([few, many, many, many], 0.6) == 0.0
    assert conformal.threshold([few, many], 0.9) == float("inf")


@pytest.mark.parametrize("level, words", [(0.3, "makes no sense"), (0.999, "cannot promise")])
def test_promises_that_cannot_be_kept(made, tmp_path, level, words):
    with pytest.raises(ConcordError, match=words):
        conformal.write_sets(made[0], made[1], str(tmp_path / "o.tif"), level)
    assert not (tmp_path / "o.tif").exists()


def test_it_runs_as_an_algorithm(run_algorithm, made, tmp_path):
    results = run_algorithm(
        "concord:conformalsets",
        {"INPUT": made[0], "LABELS": made[1], "OUTPUT": str(tmp_path / "o.tif"),
         "REPORT": str(tmp_path / "r.json")},
    )  # fmt: skip
    assert files.read_json(results["REPORT"])["level"] == 0.9
    assert any("of the land held out" in text for _, text in run_algorithm.messages)
    run_algorithm.context = None
