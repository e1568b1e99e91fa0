"""concord:refinelabels on a speckled map of stripes and a pond."""

from __future__ import annotations

import json

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsProcessingUtils

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

ENGINES = ("mode", "slic", "felzenszwalb", "watershed")


@pytest.fixture
def refine(run_algorithm, place):
    def run(**parameters):
        given = {
            "IMAGE": [place.image], "LABELS": place.labels, "ENGINE": "felzenszwalb",
            "OUTPUT": place.target("refined.tif"),
        }  # fmt: skip
        return run_algorithm("concord:refinelabels", {**given, **parameters})

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_is_scored_rightly_and_the_good_ones_mend(refine, place, engine, read_report):
    truth = makers.labels(place.out.parent / "truth.tif")
    results = refine(ENGINE=engine, REFERENCE=truth, REPORT=place.target("r.html"))
    old, new = (makers.look(p).values[0] for p in (place.labels, results["OUTPUT"]))
    right = makers.truth()
    mended = ((old != right) & (new == right)).sum()
    broken = ((old == right) & (new != right)).sum()
    assert mended > 300
    if engine in ("mode", "felzenszwalb"):  # superpixels of 150 px are coarse for 96 x 64
        assert mended > 5 * broken and (new == right).mean() > 0.97
    quality = read_report(results)[0]["quality"]
    assert quality["accuracy_after"] == pytest.approx((new == right).mean())
    assert quality["corrected_share"] == pytest.approx(mended / (old != right).sum())
    assert quality["damaged_share"] == pytest.approx(broken / (old == right).sum())


def test_the_grid_names_and_colours_are_kept_and_nothing_else_is_written(refine, place):
    found, given = makers.look(refine()["OUTPUT"]), makers.look(place.labels)
    assert found.transform == given.transform and found.epsg == given.epsg
    assert found.categories == given.categories and found.nodata == [0]
    names = {path.name for path in place.out.iterdir()}
    assert names == {"refined.tif", "refined.tif.aux.xml"}


@pytest.mark.parametrize("output", ["memory:", "proposals.gpkg", "pro posals.shp"])
def test_proposals_are_exactly_the_changes(refine, run_algorithm, place, output):
    target = output if output == "memory:" else place.target(output)
    results = refine(PROPOSALS=target)
    layer = results["PROPOSALS"]
    if isinstance(layer, str):
        layer = QgsProcessingUtils.mapLayerFromString(layer, run_algorithm.context)
    assert layer.isValid() and layer.crs().authid() == makers.CRS
    old, new = (makers.look(p).values[0] for p in (place.labels, results["OUTPUT"]))
    rows = list(layer.getFeatures())
    names = [field.name() for field in layer.fields()]
    column = {n: next(f for f in names if f.startswith(n[:9])) for n in ("old_class", "new_class")}
    shapes = [
        (json.loads(f.geometry().asJson(12)), 16 * f[column["old_class"]] + f[column["new_class"]])
        for f in rows
    ]
    changed = np.where(old != new, 16 * old + new, 0)
    assert np.array_equal(rasters.burn(shapes, makers.GRID), changed)
    assert sum(f["pixels"] for f in rows) == (old != new).sum()
    assert sum(f["area"] for f in rows) == 100 * (old != new).sum()
    assert all(0 < f["confidence"] <= 1 for f in rows)
    assert not [p for p in place.out.iterdir() if p.name.startswith(".")]


def test_the_report_says_the_same_twice(refine, place, read_report):
    results = refine(REPORT=place.target("report.html"))
    values, page = read_report(results)
    old, new = (makers.look(p).values[0] for p in (place.labels, results["OUTPUT"]))
    assert values["changed"] == (old != new).sum() and values["quality"] is None
    for number in (values["changed"], values["regions"], values["pixels"]):
        assert f"{number:,}" in page
    share = f"{100 * values['changed_share']:.3g} %"
    assert share in page and values["engine"] in page
    for entry in values["transitions"][:40]:
        assert f"{entry['pixels']:,}" in page
    assert page.count("<img") == 3 and "http" not in page


def test_unsure_protect_and_margin_hold_changes_back(refine, place):
    old = makers.look(place.labels).values[0]
    everything = makers.look(refine()["OUTPUT"]).values[0]
    only = makers.look(refine(UNSURE="grass;4")["OUTPUT"]).values[0]
    touched = old != only
    assert touched.any() and set(np.unique(old[touched])) <= {3, 4}
    assert np.array_equal(only[touched], everything[touched])
    kept = makers.look(refine(PROTECT=["water"])["OUTPUT"]).values[0]
    assert (kept[old == 1] == 1).all()
    margins = [
        (makers.look(refine(MARGIN=m)["OUTPUT"]).values[0] != old).sum() for m in (0, 0.6, 1)
    ]
    assert margins[0] >= margins[1] >= margins[2]


def test_unlabelled_and_ignored_pixels_stay_as_they_are(refine, tmp_path):
    codes = makers.noisy(makers.truth())
    codes[:8], codes[-8:] = 0, 255
    path = makers.labels(tmp_path / "gaps.tif", codes)
    for engine in ENGINES:
        new = makers.look(refine(LABELS=path, ENGINE=engine)["OUTPUT"]).values[0]
        assert (new[:8] == 0).all(), engine
        assert not (new[8:-8] == 0).any() and not (new[8:-8] == 255).any()


def test_a_coarse_map_in_another_crs_is_refined_on_the_images_grid(refine, tmp_path, read_report):
    box = rasters.transform_bounds(makers.GRID.bounds, makers.CRS, "EPSG:4326")
    step = 4e-4
    wide, high = int((box[2] - box[0]) / step) + 2, int((box[3] - box[1]) / step) + 2
    coarse = Grid(
        "EPSG:4326", (step, 0, box[0] - step / 2, 0, -step, box[3] + step / 2), wide, high
    )
    rows, cols = np.mgrid[:high, :wide]
    spots = [coarse.xy(c + 0.5, r + 0.5) for r, c in zip(rows.ravel(), cols.ravel())]
    moved = rasters.transform_points(spots, "EPSG:4326", makers.CRS)
    truth = makers.truth()
    codes = np.zeros(high * wide, np.uint8)
    for i, (x, y) in enumerate(moved):
        col, row = makers.GRID.colrow(x, y)
        codes[i] = truth[min(max(int(row), 0), 63), min(max(int(col), 0), 95)]
    path = makers.labels(tmp_path / "coarse.tif", codes.reshape(high, wide), coarse)
    results = refine(LABELS=path, REPORT=str(tmp_path / "r.html"))
    found = makers.look(results["OUTPUT"])
    assert found.transform == makers.transform_of(makers.GRID) and found.epsg == "32632"
    assert (found.values[0] == truth).mean() > 0.9
    assert any("nearest" in note for note in read_report(results)[0]["notes"])


def test_names_come_from_the_taxonomy_when_the_raster_has_none(refine, tmp_path, read_report):
    bare = makers.labels(tmp_path / "bare.tif", makers.noisy(makers.truth()), named=False)
    values, _ = read_report(refine(LABELS=bare, REPORT=str(tmp_path / "a.html")))
    assert values["classes"][0]["name"] == "class 1"
    assert any("classes named by code" in note for note in values["notes"])
    values, _ = read_report(
        refine(LABELS=bare, TAXONOMY="concord-sample", REPORT=str(tmp_path / "b.html"))
    )
    assert "class 1" not in [entry["name"] for entry in values["classes"]]
