"""concord:applyproposals, revertproposals and comparemaps, from raster to raster."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProcessingException, QgsVectorLayer

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

PLACE = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 96, 70)


@pytest.fixture
def maps(tmp_path):
    """Paths of image, noisy map and truth."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:70, 0:96]
    truth = (np.digitize(np.sin(x / 14) + np.cos(y / 11), [-0.4, 0.5]) + 1).astype(np.uint8)
    noisy = np.where(rng.random(truth.shape) < 0.1, rng.integers(1, 4, truth.shape), truth)
    noisy[:5, :5] = 0
    means = np.array([[0, 0, 0], [60, 120, 30], [120, 60, 160], [200, 190, 90]])
    bands = means[truth].transpose(2, 0, 1) + rng.normal(0, 8, (3, 70, 96))
    paths = {n: str(tmp_path / f"{n}.tif") for n in ("image", "noisy", "truth")}
    rasters.write(paths["image"], bands.clip(1, 255).astype(np.uint8), PLACE,
                  names=["red", "green", "nir"], units=["DN"] * 3)  # fmt: skip
    told = {"categories": {1: "water", 2: "field", 3: "forest"}, "nodata": 0}
    rasters.write(paths["noisy"], noisy.astype(np.uint8), PLACE, **told)
    rasters.write(paths["truth"], truth, PLACE, **told)
    return paths


@pytest.fixture
def refined(run_algorithm, maps, tmp_path):
    """The results of a refinement with proposals."""
    return run_algorithm("concord:refinelabels", {
        "IMAGE": [maps["image"]], "LABELS": maps["noisy"], "ENGINE": "potts",
        "OUTPUT": str(tmp_path / "refined.tif"), "PROPOSALS": str(tmp_path / "proposals.gpkg"),
    })  # fmt: skip


def refusal(run_algorithm, algorithm, parameters) -> str:
    """Everything that was said when an algorithm refused to run."""
    try:
        run_algorithm(algorithm, parameters)
    except QgsProcessingException as error:
        words = [str(error), *(text for _, text in run_algorithm.messages)]
    else:
        pytest.fail("it was not refused")
    run_algorithm.context = None  # its layers must go before QGIS does
    gc.collect()
    return "\n".join(words)


def apply(run_algorithm, maps, tmp_path, name="applied", **more):
    return run_algorithm("concord:applyproposals", {
        "LABELS": maps["noisy"], "PROPOSALS": str(tmp_path / "proposals.gpkg"),
        "OUTPUT": str(tmp_path / f"{name}.tif"), "CHANGES": str(tmp_path / f"{name}.json"), **more,
    })  # fmt: skip


def pixels(path) -> np.ndarray:
    return rasters.read(path)[0]


def test_applying_every_proposal_gives_the_refined_map(run_algorithm, maps, refined, tmp_path):
    before = Path(maps["noisy"]).read_bytes()
    done = apply(run_algorithm, maps, tmp_path)
    np.testing.assert_array_equal(pixels(done["OUTPUT"]), pixels(refined["OUTPUT"]))
    assert Path(maps["noisy"]).read_bytes() == before
    assert rasters.info(done["OUTPUT"]).categories[3] == "forest"
    log = json.loads(Path(done["CHANGES"]).read_text())
    changed = pixels(maps["noisy"]) != pixels(done["OUTPUT"])
    assert log["pixels"] == changed.sum() == done["PIXELS"]
    assert {"user", "when", "settings", "tool"} <= set(log["provenance"])
    assert log["labels_sha256"] and log["proposals"] == len(log["changes"])


def test_a_batch_is_reverted_exactly(run_algorithm, maps, refined, tmp_path):
    done = apply(run_algorithm, maps, tmp_path)
    Path(tmp_path / "proposals.gpkg").unlink()  # the raster and the log are enough
    original = pixels(maps["noisy"])
    Path(maps["noisy"]).unlink()
    back = run_algorithm("concord:revertproposals", {
        "INPUT": done["OUTPUT"], "CHANGES": done["CHANGES"], "OUTPUT": str(tmp_path / "back.tif"),
    })  # fmt: skip
    assert back["IDENTICAL"] is True
    np.testing.assert_array_equal(pixels(back["OUTPUT"]), original)


def test_batches_come_off_in_reverse_order(run_algorithm, maps, refined, tmp_path):
    first = apply(run_algorithm, maps, tmp_path, "first")
    later = pixels(first["OUTPUT"]).copy()
    changed = pixels(maps["noisy"]) != later
    elsewhere = np.argwhere(~changed & (later > 0))[5]
    later[tuple(elsewhere)] = 3 if later[tuple(elsewhere)] != 3 else 1
    kept = str(tmp_path / "kept.tif")
    rasters.write(kept, later, PLACE, nodata=0)
    back = run_algorithm("concord:revertproposals", {
        "INPUT": kept, "CHANGES": first["CHANGES"], "OUTPUT": str(tmp_path / "back.tif"),
    })  # fmt: skip
    assert back["IDENTICAL"] is False
    assert (pixels(back["OUTPUT"]) != pixels(maps["noisy"])).sum() == 1
    later[tuple(np.argwhere(changed)[0])] = 0
    rasters.write(kept, later, PLACE, nodata=0)
    said = refusal(run_algorithm, "concord:revertproposals", {
        "INPUT": kept, "CHANGES": first["CHANGES"], "OUTPUT": str(tmp_path / "no.tif"),
    })  # fmt: skip
    assert "revert the later batch first" in said
    assert not (tmp_path / "no.tif").exists()


def test_rejected_relabelled_and_unsure_proposals(run_algorithm, maps, refined, tmp_path):
    layer = QgsVectorLayer(str(tmp_path / "proposals.gpkg"), "p", "ogr")
    rows = sorted(layer.getFeatures(), key=lambda f: f.id())
    status, new = (layer.fields().indexOf(n) for n in ("status", "new_class"))
    other = ({1, 2, 3} - {rows[1]["old_class"], rows[1]["new_class"]}).pop()
    layer.dataProvider().changeAttributeValues({
        rows[0].id(): {status: "rejected"}, rows[1].id(): {status: "accepted", new: other},
    })  # fmt: skip
    del layer
    done = apply(run_algorithm, maps, tmp_path, "some")
    assert done["PIXELS"] == sum(f["pixels"] for f in rows[1:])
    only = apply(run_algorithm, maps, tmp_path, "only", ACCEPT="accepted")
    assert only["PIXELS"] == rows[1]["pixels"]
    assert (pixels(only["OUTPUT"]) == other).sum() >= rows[1]["pixels"]
    none = apply(run_algorithm, maps, tmp_path, "none", MIN_CONFIDENCE=1.0)
    assert none["PIXELS"] <= done["PIXELS"]


def test_proposals_of_a_finer_image_apply_on_its_grid(run_algorithm, maps, tmp_path):
    coarse = pixels(maps["truth"])[::7, ::8][:10, :12]
    place = Grid(PLACE.crs, (80.0, 0.0, 5e5, 0.0, -70.0, 5e6), 12, 10)
    rasters.write(maps["noisy"], coarse, place, nodata=0)
    results = run_algorithm("concord:refinelabels", {
        "IMAGE": [maps["image"]], "LABELS": maps["noisy"], "ENGINE": "felzenszwalb",
        "OUTPUT": str(tmp_path / "refined.tif"), "PROPOSALS": str(tmp_path / "proposals.gpkg"),
    })  # fmt: skip
    for name, more in (("plain", {}), ("given", {"GRID": results["OUTPUT"]})):
        done = apply(run_algorithm, maps, tmp_path, name, **more)
        np.testing.assert_array_equal(pixels(done["OUTPUT"]), pixels(results["OUTPUT"]))


@pytest.mark.parametrize(
    "more, words",
    [
        ({"OUTPUT": "noisy.tif"}, "would overwrite the input"),
        ({"ACCEPT": "some"}, "use notrejected or accepted"),
        ({"PROPOSALS": "image.tif"}, "PROPOSALS"),
    ],
)
def test_impossible_wishes_are_sentences(run_algorithm, maps, refined, tmp_path, more, words):
    more = {k: str(tmp_path / v) if "." in v else v for k, v in more.items()}
    given = {
        "LABELS": maps["noisy"], "PROPOSALS": str(tmp_path / "proposals.gpkg"),
        "OUTPUT": str(tmp_path / "bad.tif"), **more,
    }  # fmt: skip
    assert words in refusal(run_algorithm, "concord:applyproposals", given)
    assert not (tmp_path / "bad.tif").exists()


def test_a_file_that_is_no_log_is_a_sentence(run_algorithm, maps, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    said = refusal(run_algorithm, "concord:revertproposals", {
        "INPUT": maps["noisy"], "CHANGES": str(tmp_path / "x.json"),
        "OUTPUT": str(tmp_path / "o.tif"),
    })  # fmt: skip
    assert "is no change log" in said


def points(tmp_path, truth, count=400):
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(8, 70, count), rng.integers(8, 96, count)
    features = [
        {"type": "Feature", "properties": {"class": int(truth[r, c])},
         "geometry": {"type": "Point", "coordinates": list(PLACE.xy(c + 0.5, r + 0.5))}}
        for r, c in zip(rows, cols)
    ]  # fmt: skip
    path = tmp_path / "points.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return str(path)


def test_compared_maps(run_algorithm, maps, refined, tmp_path):
    truth = pixels(maps["truth"])
    results = run_algorithm("concord:comparemaps", {
        "BEFORE": maps["noisy"], "AFTER": refined["OUTPUT"], "REFERENCE": maps["truth"],
        "POINTS": points(tmp_path, truth), "FIELD": "class",
        "OUTPUT": str(tmp_path / "fromto.tif"), "REPORT": str(tmp_path / "r.html"),
    })  # fmt: skip
    before, after = pixels(maps["noisy"]), pixels(refined["OUTPUT"])
    np.testing.assert_array_equal(pixels(results["OUTPUT"]), before.astype(int) * 256 + after)
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["changed"] == (before != after).sum()
    table = {(t["from"], t["to"]): t["pixels"] for t in told["transitions"]}
    for (a, b), n in table.items():
        assert n == ((before == a) & (after == b)).sum()
    assert told["quality"]["accuracy_after"] > told["quality"]["accuracy_before"]
    for entry in told["area_estimates"]["classes"]:
        true = (truth[after > 0] == entry["code"]).sum() * 100.0
        assert abs(entry["area"] - true) < 2 * entry["area_interval"] + 4000
    assert "Olofsson" in (tmp_path / "r.html").read_text()
    legend = json.loads((tmp_path / "fromto.tif.legend.json").read_text())
    assert legend[str(256 + 1)] == "water -> water"


def test_what_one_map_does_not_know_was_counted_as_changed(run_algorithm, tmp_path):
    """A map that covers more than the earlier one had a changed share above 1."""
    before, after = np.zeros((20, 20), np.uint8), np.full((20, 20), 2, np.uint8)
    before[:2], before[2], after[1, :5], after[0, :10] = 2, 3, 255, 3
    for name, codes in (("b", before), ("a", after)):
        rasters.write(tmp_path / f"{name}.tif", codes, Grid(PLACE.crs, PLACE.transform, 20, 20))
    results = run_algorithm("concord:comparemaps", {
        "BEFORE": str(tmp_path / "b.tif"), "AFTER": str(tmp_path / "a.tif"),
        "REPORT": str(tmp_path / "r.html"),
    })  # fmt: skip
    told = json.loads((tmp_path / "r.json").read_text())
    assert (told["pixels"], told["changed"]) == (55, 30)  # 10 of 2 to 3, 20 of 3 to 2
    assert results["CHANGED_SHARE"] == pytest.approx(30 / 55)


def test_areas_of_a_map_in_degrees_are_said_to_be_in_degrees(run_algorithm, tmp_path):
    grid = Grid("EPSG:4326", (0.001, 0, 10.0, 0, -0.001, 47.0), 20, 20)
    for name in "ba":
        rasters.write(tmp_path / f"{name}.tif", np.full((20, 20), 2, np.uint8), grid)
    run_algorithm("concord:comparemaps", {
        "BEFORE": str(tmp_path / "b.tif"), "AFTER": str(tmp_path / "a.tif"),
        "REPORT": str(tmp_path / "r.html"),
    })  # fmt: skip
    notes = json.loads((tmp_path / "r.json").read_text())["notes"]
    assert any("are square degrees" in note for note in notes)


def test_without_a_reference_it_says_so(run_algorithm, maps, tmp_path):
    run_algorithm("concord:comparemaps", {
        "BEFORE": maps["noisy"], "AFTER": maps["truth"], "REPORT": str(tmp_path / "r.html"),
    })  # fmt: skip
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["quality"] is None and told["area_estimates"] is None
    assert any("not known which" in note for note in told["notes"])
    far, place = str(tmp_path / "far.tif"), Grid(PLACE.crs, (10.0, 0, 9e5, 0, -10.0, 5e6), 96, 70)
    rasters.write(far, pixels(maps["truth"]), place)
    given = {"BEFORE": far, "AFTER": maps["truth"], "REPORT": str(tmp_path / "s.html")}
    assert "does not overlap" in refusal(run_algorithm, "concord:comparemaps", given)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("new_class:string", "water", "new_class holds 'water'"),
        ("new_class:double", 2.5, "new_class holds '2.5'"),
        ("new_class:integer&field=confidence:string", (3, "high"), "confidence holds 'high'"),
    ],
)
def test_proposals_with_odd_fields_ended_in_a_traceback(
    run_algorithm, maps, tmp_path, field, value, words
):
    from qgis.core import QgsFeature, QgsGeometry, QgsRectangle

    layer = QgsVectorLayer(f"Polygon?crs=EPSG:32632&field={field}", "own", "memory")
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(5e5, 4999700, 500300, 5e6)))
    feature.setAttributes(list(value) if isinstance(value, tuple) else [value])
    layer.dataProvider().addFeature(feature)
    told = refusal(run_algorithm, "concord:applyproposals", {
        "LABELS": maps["noisy"], "PROPOSALS": layer, "OUTPUT": str(tmp_path / "x.tif"),
    })  # fmt: skip
    assert words in told and "Traceback" not in told
    assert not (tmp_path / "x.tif").exists()
