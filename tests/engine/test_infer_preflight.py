"""Verdicts that need the world or the graph: region, CRS, dates, units, what it receives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import fit, preflight, received
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.scene import Scene


def card_of(bands=("red", "nir"), described=(), **hyper):
    said = {"tile": 64, "halo": 0, "activation": "none", "unit": "reflectance",
            "pixel_size_range_m": [5, 20], **hyper}  # fmt: skip
    item = {"id": "x", "properties": {
        "bands": list(described),
        "mlm:input": [{"name": "in", "bands": list(bands),
                       "value_scaling": [{"type": "scale", "value": 0.5}]}],
        "mlm:output": [{"tasks": ["regression"]}],
        "mlm:hyperparameters": said}}  # fmt: skip
    return items.from_item(item, "the test")


@pytest.fixture
def scene(tmp_path):
    opened = []

    def make(crs="EPSG:32632", pixel=10.0, corner=(5e5, 5e6), names=("red", "nir"), units=None):
        values = np.random.default_rng(0).random((len(names), 40, 50)).astype(np.float32)
        path = tmp_path / f"{len(opened)}.tif"
        grid = Grid(crs, (pixel, 0.0, corner[0], 0.0, -pixel, corner[1]), 50, 40)
        units = units or ["reflectance"] * len(names)
        rasters.write(path, values, grid, names=list(names), units=units)
        opened.append(Scene([str(path)]))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def found(card, scene, what, **more):
    return {v.what: v for v in preflight.check(card, scene, **more)}.get(what)


def test_region_of_the_training_data(scene):
    here = found(card_of(training_region=[8, 44, 10, 46]), scene(), "Region")
    far = found(card_of(training_region=[100, 0, 110, 5]), scene(), "Region")
    assert here.level == "green" and far.level == "amber"
    assert "100.00 to 110.00 E" in far.detail and found(card_of(), scene(), "Region") is None


@pytest.mark.parametrize("latitude, level", [(1.0, "green"), (60.0, "amber")])
def test_degrees_far_from_the_equator(scene, latitude, level):
    there = scene("EPSG:4326", 9e-5, (9.0, latitude))
    assert found(card_of(), there, "CRS").level == level
    assert found(card_of(), scene(), "CRS") is None


def test_units_of_bands_of_several_sensors(scene):
    described = [{"name": "red", "unit": "reflectance"}, {"name": "vv", "unit": "dB"}]
    card = card_of(("red", "vv"), described, unit=None)
    assert card.missing == ()
    good = scene(names=("red", "vv"), units=["reflectance", "dB"])
    assert good.units(("red", "vv")) == ["reflectance", "dB"]
    assert found(card, good, "Unit").level == "green"
    wrong = scene(names=("red", "vv"), units=["reflectance", "reflectance"])
    verdict = found(card, wrong, "Unit")
    assert verdict.level == "red" and "vv wants dB, is in reflectance" in verdict.detail


def test_pixels_that_any_input_lacks_count_as_empty(tmp_path):
    """Of two inputs only the first was looked at, and a map came out emptier than was said."""
    item = {"id": "x", "properties": {
        "mlm:input": [{"name": n, "bands": [n], "value_scaling": [{"type": "scale", "value": 1}]}
                      for n in ("red", "swir16", "nir")],
        "mlm:output": [{"tasks": ["regression"]}],
        "mlm:hyperparameters": {"tile": 64, "halo": 0, "activation": "none",
                                "unit": "reflectance", "pixel_size_range_m": [5, 20],
                                "inputs": {"nir": {"optional": True}}}}}  # fmt: skip
    values = np.ones((2, 40, 50), np.float32)
    values[1, :10] = np.nan
    path = str(tmp_path / "picture.tif")
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 50, 40)
    rasters.write(path, values, grid, names=["red", "swir16"], units=["reflectance"] * 2)
    with Scene([path]) as opened:
        verdict = found(items.from_item(item, "the test"), opened, "No data")
    assert verdict.detail.startswith("25.0%")


def test_a_band_without_any_data_is_named(scene, tmp_path):
    values = np.ones((2, 40, 50), np.float32)
    values[1] = np.nan
    path = str(tmp_path / "bare.tif")
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 50, 40)
    rasters.write(path, values, grid, names=["red", "nir"], units=["reflectance"] * 2)
    with Scene([path]) as opened:
        verdict = found(card_of(), opened, "No data")
    assert verdict.level == "red" and verdict.detail.startswith("nir hold")


def test_bands_that_are_read_on_another_date_may_be_empty_on_the_first(scene, tmp_path):
    """The first date was looked at for all of them, and the run was refused."""
    card = card_of(("red", "nir", "red", "nir"))
    card = replace(card, inputs=(replace(card.inputs[0], bands=("red", "red", "nir")),))
    values = np.ones((2, 40, 50), np.float32)
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 50, 40)
    paths = [str(tmp_path / f"{n}.tif") for n in ("one", "two")]
    for path, empty in zip(paths, (0.0, 0.5)):
        values[:, : round(40 * empty)] = np.nan
        rasters.write(path, values, grid, names=["red", "nir"], units=["reflectance"] * 2)
    with Scene(paths[:1]) as first, Scene(paths[1:]) as second:
        verdict = found(card, first, "No data", later=[second])
    assert verdict.level == "green" and verdict.detail.startswith("50.0%")


def test_a_missing_date_is_red(scene):
    card = card_of(("red", "red"))
    assert found(card, scene(), "Dates").level == "red"
    assert found(card, scene(), "Dates", later=[scene()]).level == "green"


def test_what_the_network_receives(scene):
    png, rows = received.view(card_of(), scene())
    assert png.startswith(b"\x89PNG") and [r["band"] for r in rows] == ["red", "nir"]
    assert 1.8 < rows[0]["maximum"] <= 2 and rows[0]["minimum"] >= 0


def test_optional_bands_that_are_absent_are_not_called_found(scene):
    more = {"name": "more", "bands": ["nir", "swir16"]}
    item = {"id": "x", "properties": {
        "mlm:input": [{"name": "in", "bands": ["red"]}, more],
        "mlm:output": [{"tasks": ["regression"]}],
        "mlm:hyperparameters": {"tile": 64, "halo": 0, "unit": "reflectance",
                                "pixel_size_range_m": [5, 20],
                                "inputs": {"more": {"optional": True}}}}}  # fmt: skip
    said = found(items.from_item(item, "the test"), scene(), "Bands")
    assert said.level == "amber"
    assert said.detail == "red found by name; runs without nir, swir16, less surely"
    whole = found(items.from_item(item, "the test"), scene(names=("red", "nir", "swir16")), "Bands")
    assert whole.level == "green" and "nir, swir16 found" in whole.detail


def test_a_look_at_a_large_image_does_not_read_all_of_it(tmp_path, monkeypatch):
    """A decimated view of a file without overviews is a full read; a run made two of them."""
    from concord.plugin.engine import scene as scenes

    monkeypatch.setattr(scenes, "_SMALL", 100)
    path, side = str(tmp_path / "large.tif"), 1536
    place = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), side, side)
    values = np.random.default_rng(0).random((2, side, side)).astype(np.float32)
    values[:, :700] = np.nan
    rasters.write(path, values, place, names=["red", "nir"], nodata=np.nan)
    read, own = [], rasters.Raster.read

    def counted(self, window=None, indexes=None, shape=None):
        read.append(side**2 if window is None else window.width * window.height)
        return own(self, window, indexes, shape)

    monkeypatch.setattr(rasters.Raster, "read", counted)
    with scenes.Scene([path]) as scene:
        view = scene.glance(["nir", "red"])
        assert view.shape[0] == 2 and sum(read) < 0.1 * side**2
        assert abs(np.isfinite(view).mean() - (1 - 700 / side)) < 0.1
        finite = view[:, np.isfinite(view).all(axis=0)]
        assert np.allclose(finite.mean(axis=1), 0.5, atol=0.02)
        again = scene.glance(["red", "nir"])
        assert np.array_equal(again, view[::-1], equal_nan=True) and sum(read) < 0.1 * side**2
        again[:] = 0  # what one caller does to it is no other's business
        assert np.array_equal(scene.glance(["nir", "red"]), view, equal_nan=True)
        scene.change(scene.sources["red"], scale=2.0)
        assert np.nanmean(scene.glance(["red"])) == pytest.approx(1.0, abs=0.05)


def test_a_look_finds_the_only_data_of_a_large_image(tmp_path, monkeypatch):
    from concord.plugin.engine import scene as scenes

    monkeypatch.setattr(scenes, "_SMALL", 100)
    values = np.full((1, 1536, 1536), np.nan, np.float32)
    values[0, 60:110, 60:110] = 3
    path = str(tmp_path / "corner.tif")
    place = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 1536, 1536)
    rasters.write(path, values, place, names=["red"], nodata=np.nan)
    with scenes.Scene([path]) as scene:
        assert np.nanmax(scene.glance(["red"])) == 3


@pytest.mark.parametrize(("size", "remedy"), [(10.0, "sharper image"), (0.1, "resample it to 0.7")])
def test_a_coarse_image_was_told_to_be_resampled(size, remedy):
    card = replace(card_of(), pixel_size_range=(0.7, 1.5))
    assert remedy in fit.of_size(card, size).detail
