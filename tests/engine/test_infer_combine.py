"""Fused predictions, clusters, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import combine
from concord.plugin.engine.learn import cluster

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 40, 30)


@pytest.fixture
def shares(tmp_path):
    def make(name, seed, names=("a", "b", "c")):
        values = np.random.default_rng(seed).dirichlet([1, 1, 1], GRID.width * GRID.height)
        planes = values.T.reshape(3, GRID.height, GRID.width).astype(np.float32)
        path = str(tmp_path / name)
        rasters.write(path, planes, GRID, names=list(names), nodata=np.nan)
        return path

    return make


def test_weights_are_class_by_class(shares, tmp_path):
    one, two = shares("1.tif", 1), shares("2.tif", 2)
    out, apart = str(tmp_path / "o.tif"), str(tmp_path / "d.tif")
    mixed = str(tmp_path / "p.tif")
    report = combine.combine([one, two], out, apart, ["1,2,1", "3"], mixed)
    a, b = rasters.read(one), rasters.read(two)
    w = np.array([1, 2, 1])[:, None, None]
    wanted = (a * w + b * 3) / (w + 3)
    assert np.allclose(rasters.read(mixed), wanted, atol=1e-6)
    assert np.array_equal(rasters.read(out)[0], wanted.argmax(axis=0) + 1)
    same = a.argmax(axis=0) == b.argmax(axis=0)
    assert ((rasters.read(apart)[0] == 0) == same).all()
    assert report["unanimous"] == pytest.approx(same.mean())
    assert sum(c["pixels"] for c in report["classes"]) == same.size


def test_what_only_one_raster_knows_was_counted_as_agreement(shares, tmp_path):
    one, two = shares("1.tif", 1), shares("2.tif", 2)
    a, b = rasters.read(one), rasters.read(two)
    b[:, 3:] = np.nan
    rasters.write(two, b, GRID, names=["a", "b", "c"], nodata=np.nan)
    report = combine.combine([one, two], str(tmp_path / "o.tif"))
    same = (a.argmax(axis=0) == b.argmax(axis=0))[:3]
    assert report["unanimous"] == pytest.approx(same.mean())
    assert report["shared_pixels"] == same.size and report["pixels"] == a[0].size


def test_bands_go_by_name_and_gaps_are_filled_by_the_other(shares, tmp_path):
    one, two = shares("1.tif", 1), shares("2.tif", 1, ("c", "b", "a"))
    values = rasters.read(two)
    turned = values[::-1].copy()
    turned[:, 5:9, 5:9] = np.nan
    rasters.write(two, turned, GRID, names=["c", "b", "a"], nodata=np.nan)
    out = str(tmp_path / "o.tif")
    combine.combine([one, two], out)
    assert np.array_equal(rasters.read(out)[0], rasters.read(one).argmax(axis=0) + 1)


@pytest.mark.parametrize("weights, words", [
    (["1"], "1 weights for 2"), (["a", "1"], "no number"), (["1,2", "1"], "does not fit"),
    (["-1", "1"], "does not fit"), (["0", "0"], "weight 0 in every"), (["nan", "1"], "not fit"),
])  # fmt: skip
def test_wrong_weights(shares, tmp_path, weights, words):
    with pytest.raises(ConcordError, match=words):
        combine.combine([shares("1.tif", 1), shares("2.tif", 2)], str(tmp_path / "o.tif"),
                        weights=weights)  # fmt: skip
    assert not (tmp_path / "o.tif").exists()


def test_rasters_of_other_classes_are_refused(shares, tmp_path):
    with pytest.raises(ConcordError, match="only the same classes"):
        combine.combine([shares("1.tif", 1), shares("2.tif", 2, ("a", "b", "x"))], "o.tif")
    with pytest.raises(ConcordError, match="two or more"):
        combine.combine([shares("1.tif", 1)], "o.tif")


@pytest.fixture
def three(tmp_path):
    """Three kinds of land with noise, 1 % without data."""
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.repeat([0, 1, 2], [600, 400, 200])).reshape(30, 40)
    centres = np.array([[0.1, 0.1, 0.5], [0.5, 0.2, 0.1], [0.3, 0.6, 0.6]])
    values = (centres[truth] + rng.normal(0, 0.02, (30, 40, 3))).transpose(2, 0, 1)
    values[:, 0, :4] = np.nan
    path = str(tmp_path / "scene.tif")
    rasters.write(path, values.astype(np.float32), GRID, names=["red", "green", "nir"],
                  units=["reflectance"] * 3, nodata=np.nan)  # fmt: skip
    return path, truth


@pytest.mark.parametrize("transform", cluster.TRANSFORMS)
def test_clusters_find_the_kinds_and_are_numbered_by_size(three, tmp_path, transform):
    path, truth = three
    out = str(tmp_path / "o.tif")
    report = cluster.cluster([path], out, 3, transform)
    codes = rasters.read(out)[0]
    good = codes > 0
    assert (~good).sum() == 4 and np.array_equal(codes[good], truth[good] + 1)
    assert [c["pixels"] for c in report["classes"]] == sorted(
        (c["pixels"] for c in report["classes"]), reverse=True
    )
    before = (tmp_path / "o.tif").read_bytes()
    cluster.cluster([path], out, 3, transform)
    assert (tmp_path / "o.tif").read_bytes() == before


def test_an_extent_is_clustered_alone(three, tmp_path):
    out = str(tmp_path / "o.tif")
    bounds = (5e5 + 100, 5e6 - 200, 5e5 + 300, 5e6 - 50)
    cluster.cluster([three[0]], out, 2, extent=(bounds, "EPSG:32632"))
    assert rasters.info(out).grid.bounds == bounds


@pytest.mark.parametrize("wish, words", [
    ({"clusters": 1}, "2 to 254"), ({"clusters": 3, "transform": "ica"}, "not known"),
    ({"clusters": 3, "bands": ("blue",)}, "no band named blue"),
])  # fmt: skip
def test_wrong_wishes(three, tmp_path, wish, words):
    with pytest.raises(ConcordError, match=words):
        cluster.cluster([three[0]], str(tmp_path / "o.tif"), **wish)


def test_too_few_values_for_the_clusters(tmp_path):
    path = str(tmp_path / "flat.tif")
    rasters.write(path, np.full((2, 30, 40), 0.5, np.float32), GRID, names=["red", "nir"])
    with pytest.raises(ConcordError, match="fewer than 4 different values"):
        cluster.cluster([path], str(tmp_path / "o.tif"), 4)


def test_both_run_as_algorithms(run_algorithm, shares, three, tmp_path):
    out = str(tmp_path / "c.tif")
    paths = ";".join([shares("1.tif", 1), shares("2.tif", 2)])
    made = run_algorithm(
        "concord:combinepredictions",
        {"INPUT": paths, "WEIGHTS": "1;2", "OUTPUT": out,
         "DISAGREEMENT": str(tmp_path / "d.tif"), "REPORT": str(tmp_path / "r.json")},
    )  # fmt: skip
    assert set(made) == {"OUTPUT", "DISAGREEMENT", "REPORT"}
    run_algorithm("concord:clusterextent", {"INPUT": three[0], "CLUSTERS": 3, "OUTPUT": out})
    assert set(np.unique(rasters.read(out))) == {0, 1, 2, 3}
    run_algorithm.context = None


def test_a_raster_that_lies_elsewhere_was_left_out_silently(shares, tmp_path):
    far = str(tmp_path / "far.tif")
    there = replace(GRID, transform=(10.0, 0.0, 9e5, 0.0, -10.0, 5e6))
    rasters.write(far, rasters.read(shares("1.tif", 1)), there, names=list("abc"))
    with pytest.raises(ConcordError, match="far.tif does not overlap"):
        combine.combine([str(tmp_path / "1.tif"), far], str(tmp_path / "o.tif"))
    assert not (tmp_path / "o.tif").exists()


def test_percent_beside_shares_had_a_hundred_times_the_weight(shares, tmp_path):
    percent = str(tmp_path / "percent.tif")
    values = (rasters.read(shares("1.tif", 1)) * 100).astype(np.uint8)
    rasters.write(percent, values, GRID, names=list("abc"))
    with pytest.raises(ConcordError, match="percent.tif holds whole numbers"):
        combine.combine([shares("2.tif", 2), percent], str(tmp_path / "o.tif"))


def test_a_class_with_no_percent_was_no_data(tmp_path):
    planes = np.zeros((2, GRID.height, GRID.width), np.uint8)
    planes[0] = 100
    planes[:, :3] = 0
    paths = [str(tmp_path / f"{name}.tif") for name in "xy"]
    for path in paths:
        rasters.write(path, planes, GRID, names=["a", "b"], nodata=0)
    combine.combine(paths, str(tmp_path / "o.tif"))
    found = rasters.read(tmp_path / "o.tif")[0]
    assert (found[:3] == 0).all() and (found[3:] == 1).all()
