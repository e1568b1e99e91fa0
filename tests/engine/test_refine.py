"""Refinement against naive code: mode, segment vote, guards, grids, proposals, quality."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.refine import engines, page, run
from concord.plugin.engine.refine.mode import ModeEngine
from concord.plugin.engine.refine.opinion import Patch

ENGINES = sorted(engines.DESCRIPTIONS)


@pytest.fixture
def refine(put, tmp_path, image):
    """refine(labels, ...) -> (values, before, after, proposals) on one image."""

    def go(labels, grid=None, name="refined", path=None, told=None, reference=None, **more):
        labels = np.asarray(labels, np.uint8)
        path = path or image(*labels.shape)
        before = put(f"{name}-labels.tif", labels, grid, **(told or {}))
        if reference is not None:
            more["reference"] = put(f"{name}-truth.tif", np.asarray(reference, np.uint8), grid)
        output = str(tmp_path / f"{name}.tif")
        content = open(before, "rb").read()
        values, scheme, proposals = run.refine([path], before, output, **more)
        assert open(before, "rb").read() == content, "the old map must not be touched"
        json.dumps(values, allow_nan=False)
        return values, labels, rasters.read(output)[0], proposals

    return go


@pytest.fixture
def speckled():
    """(truth, noisy): two halves with 4 % of the pixels wrong."""
    truth = np.repeat([[1] * 30 + [2] * 30], 50, axis=0).astype(np.uint8)
    wrong = np.random.default_rng(3).random(truth.shape) < 0.04
    return truth, np.where(wrong, 3 - truth, truth).astype(np.uint8)


def test_speckle_is_repaired_and_counted(refine, speckled):
    truth, noisy = speckled
    values, before, after, _ = refine(noisy, engine="mode", reference=truth)
    was, now = before == truth, after == truth
    assert now.mean() > 0.98 > was.mean()
    assert values["changed"] == (before != after).sum()
    assert values["changed_share"] == pytest.approx((before != after).mean())
    assert values["quality"] == {
        "pixels": truth.size,
        "accuracy_before": pytest.approx(was.mean()),
        "accuracy_after": pytest.approx(now.mean()),
        "corrected_share": pytest.approx((~was & now).sum() / (~was).sum()),
        "damaged_share": pytest.approx((was & ~now).sum() / was.sum()),
    }
    for entry in values["transitions"]:
        hit = (before == entry["from"]) & (after == entry["to"])
        assert entry["pixels"] == hit.sum() > 0
    for entry in values["classes"]:
        assert entry["before"] == (before == entry["code"]).sum()
        assert entry["area_after"] == (after == entry["code"]).sum() * 100.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_clean_map_on_its_own_image_is_left_alone(refine, put, engine):
    truth = np.repeat([[1] * 50 + [2] * 50], 90, axis=0)
    noise = np.random.default_rng(1).normal(0, 0.01, (3, 90, 100))
    values = (np.stack([truth * 0.3, truth * -0.2 + 0.6, truth * 0.1]) + noise).astype(np.float32)
    path = put("own.tif", values, names=["red", "green", "nir"], units=["reflectance"] * 3)
    most = {"slic": 0.03, "watershed": 0.01}.get(engine, 0.001)  # compact segments round edges off
    assert refine(truth, path=path, engine=engine)[0]["changed_share"] < most


@pytest.mark.parametrize(
    "guards, touched",
    [
        ({"unsure": ["1"]}, [1]),
        ({"unsure": ["class 2"]}, [2]),
        ({"protect": [2]}, [1]),
        ({"unsure": ["all"]}, [1, 2]),
        ({"unsure": [1], "protect": [1]}, []),
        ({"margin": 1.0}, []),
    ],
)
def test_guards_keep_what_they_guard(refine, speckled, guards, touched):
    values, before, after, _ = refine(speckled[1], engine="mode", **{"margin": 0.1, **guards})
    changed = before != after
    assert sorted(np.unique(before[changed])) == touched
    free, old, new, _ = refine(speckled[1], name="free", engine="mode", margin=0.0)
    assert free["changed"] == values["changed"] + sum(values["held_back"].values())


def test_a_margin_holds_back_what_leads_by_less(refine, speckled):
    picture, valid = np.zeros((50, 60, 3), np.uint8), np.ones((50, 60), bool)
    proposed = ModeEngine().propose(Patch(picture, valid, speckled[1], (1, 2)))
    for margin in (0.0, 0.3, 0.8):
        values, before, after, _ = refine(speckled[1], engine="mode", margin=margin)
        wanted = (proposed.proposed != before) & (proposed.lead >= margin)
        np.testing.assert_array_equal(after, np.where(wanted, proposed.proposed, before))


@pytest.mark.parametrize("code", [0, 255])
def test_gaps_are_filled_only_on_demand(refine, speckled, code):
    labels = speckled[0].copy()
    labels[20:24, 10:14] = code
    values, _, after, _ = refine(labels, engine="mode")
    assert (after[20:24, 10:14] == code).all() and values["changed_share"] <= 1
    _, _, after, _ = refine(labels, engine="mode", unsure=[code])
    assert (after[20:24, 10:14] == 1).all()


def test_proposals_add_up_to_the_changes(refine, speckled, make_grid):
    values, before, after, proposals = refine(speckled[1], engine="mode")
    changed = before != after
    assert sum(p["pixels"] for _, p in proposals) == changed.sum()
    assert sum(p["area"] for _, p in proposals) == values["changed"] * 100.0
    order = [-p["confidence"] * p["area"] for _, p in proposals]
    assert order == sorted(order) and len(proposals) == values["regions"]
    grid = make_grid(60, 50)
    for shape, told in proposals:
        mask = rasters.burn([(shape, 1)], grid).astype(bool)
        assert mask.sum() == told["pixels"]
        assert (before[mask] == told["old_class"]).all() and (
            after[mask] == told["new_class"]
        ).all()
        assert told["new_name"] == f"class {told['new_class']}"


def test_tiles_change_nothing_for_an_engine_with_an_exact_halo(refine, speckled, monkeypatch):
    _, _, whole, _ = refine(speckled[1], engine="mode")
    monkeypatch.setattr(run, "TILE", 13)
    values, before, tiled, proposals = refine(speckled[1], engine="mode")
    np.testing.assert_array_equal(tiled, whole)
    assert sum(p["pixels"] for _, p in proposals) == (before != tiled).sum()


def test_same_input_same_bytes(refine, speckled, tmp_path):
    for name in "ab":
        refine(speckled[1], name=name, engine="felzenszwalb")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_the_map_keeps_its_classes(refine, speckled, tmp_path):
    told = {"categories": {1: "left", 2: "right", 9: "rare"}, "colours": {1: (9, 8, 7)}}
    refine(speckled[1], engine="mode", told=told)
    info = rasters.info(tmp_path / "refined.tif")
    assert info.categories == told["categories"] and info.colours[1] == (9, 8, 7)


@pytest.mark.parametrize("engine", ENGINES)
def test_coarse_labels_move_to_the_grid_of_a_finer_image(refine, image, make_grid, engine):
    labels = np.array([[1, 1, 2], [1, 2, 2]], np.uint8)
    values, _, after, _ = refine(labels, make_grid(3, 2, 300.0), path=image(60, 90), engine=engine)
    assert after.shape == (60, 90)
    assert any("moved to the image's grid" in note for note in values["notes"])


def test_fine_labels_keep_their_grid_under_a_coarser_image(refine, image, make_grid, speckled):
    path = image(20, 20, make_grid(20, 20, 40.0))
    values, before, after, _ = refine(speckled[1], path=path, engine="mode")
    assert after.shape == before.shape and values["grid"]["pixel_size"] == [10, 10]


def test_labels_of_another_crs_are_placed(refine, put, image, make_grid):
    inner = make_grid(60, 60)
    left, bottom, right, top = rasters.transform_bounds(inner.bounds, inner.crs, "EPSG:4326")
    labels = np.repeat([[1] * 20 + [2] * 20], 40, axis=0)
    degrees = make_grid(40, 40, (right - left) / 40, left=left, top=top, crs="EPSG:4326")
    values, _, after, _ = refine(labels, degrees, path=image(60, 60), engine="mode")
    if values["grid"]["crs"] == "EPSG:32632":
        assert after.shape == (60, 60) and (after[5:-5, 5:25] == 1).all()
    assert {c["code"] for c in values["classes"]} == {1, 2}


@pytest.mark.parametrize("where", [{"left": 900_000.0}, {"left": 10.0, "top": 50.0, "size": 1e-4,
                                                         "crs": "EPSG:4326"}])  # fmt: skip
def test_no_overlap_is_a_sentence(refine, image, make_grid, tmp_path, where):
    with pytest.raises(ConcordError, match="does not overlap"):
        refine(np.ones((20, 20)), make_grid(20, 20, **where), path=image(20, 20))
    assert not (tmp_path / "refined.tif").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_one_class_stays_one_class(refine, engine):
    values, before, after, proposals = refine(np.full((40, 40), 7), engine=engine)
    np.testing.assert_array_equal(before, after)
    assert values["changed"] == 0 and proposals == []


def test_no_class_at_all_is_a_sentence(refine):
    with pytest.raises(ConcordError, match="holds no class at all"):
        refine(np.zeros((20, 20)))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_without_data_changes_nothing_under_it(refine, image, speckled, engine):
    path = image(50, 60, hole=(slice(None), slice(0, 25)))
    _, before, after, _ = refine(speckled[1], path=path, engine=engine)
    if engine != "mode":  # which does not look at the image
        np.testing.assert_array_equal(before[:, :25], after[:, :25])
    with pytest.raises(ConcordError, match="has no data; choose another"):
        refine(speckled[1], path=image(50, 60, hole=(slice(None), slice(None))), engine=engine)


@pytest.mark.parametrize(
    "more, words",
    [
        ({"engine": "sam"}, "'sam' is not known; use .*felzenszwalb"),
        ({"margin": 1.5}, "margin 1.5 is not a share"),
        ({"margin": -0.1}, "margin -0.1 is not a share"),
        ({"unsure": [9]}, "UNSURE names the class '9'"),
        ({"protect": ["sea"]}, r"PROTECT names the class 'sea', .* use one of 1 \(class 1\)"),
        ({"protect": ["²"]}, "PROTECT names the class '²'"),
        ({"bands": ["red", "swir16"]}, "no band named swir16"),
        ({"taxonomy": "nothing"}, "'nothing' is not known"),
    ],
)
def test_impossible_wishes_are_sentences(refine, speckled, tmp_path, more, words):
    with pytest.raises(ConcordError, match=words):
        refine(speckled[1], **{"engine": "mode", **more})
    assert not (tmp_path / "refined.tif").exists()


def test_without_a_reference_no_quality_is_claimed(refine, speckled):
    values, *_ = refine(speckled[1], engine="mode")
    assert values["quality"] is None
    assert any("quality of the change is not known" in note for note in values["notes"])


def test_a_cancel_leaves_nothing(refine, speckled, tmp_path):
    with pytest.raises(Cancelled):
        refine(speckled[1], engine="mode", progress=Progress(cancelled=lambda: True))
    assert not list(tmp_path.glob("refined.tif*"))


def test_the_page_shows_numbers_of_its_json(refine, speckled, tmp_path):
    truth, noisy = speckled
    values, *_ = refine(noisy, engine="mode", reference=truth)
    from concord.plugin.engine.labels import ClassRaster

    with ClassRaster(values["labels"]) as raster:
        paths = page.write_report(str(tmp_path / "page.html"), values, raster.taxonomy())
    text = open(paths["html"], encoding="utf-8").read()
    assert f"{values['changed']:,}" in text and f"{values['quality']['accuracy_after']:.4g}" in text
    assert json.load(open(paths["json"]))["changed"] == values["changed"]
