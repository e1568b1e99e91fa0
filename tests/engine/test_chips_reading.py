"""Sets that open again, points to chips, parcel tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import check, export, objects, parcels, points, reading
from concord.plugin.engine.errors import ConcordError
from tests.engine import chips_data as data


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("reading")


@pytest.fixture(scope="module")
def scene(place):
    return data.scene(place)


@pytest.fixture(scope="module")
def chips(place, scene):
    wish = data.wish(formats=("native", "coco", "landcovernet"))
    export.export([scene.first], scene.labels, str(place / "set"), wish, scene.consensus)
    return place / "set"


def test_a_native_set_opens_as_the_labels_it_was_cut_from(chips, scene, tmp_path):
    found = reading.open_set(str(chips), str(tmp_path / "open"))
    info = rasters.info(found.layers["labels"])
    assert np.array_equal(rasters.read(found.layers["labels"])[0], scene.codes)
    assert info.grid == data.GRID and info.categories == data.CLASSES and found.count == 64
    outlines = json.loads(Path(found.layers["chips"]).read_text("utf-8"))["features"]
    assert {f["properties"]["split"] for f in outlines} == {"train", "validate", "test"}


def test_landcovernet_opens_with_class_and_score(chips, scene, tmp_path):
    found = reading.open_set(str(chips / "landcovernet"), str(tmp_path / "open"))
    bands = rasters.read(found.layers["labels"])
    assert found.kind == "landcovernet" and np.array_equal(bands[0], scene.codes)
    used = scene.codes > 0
    assert np.array_equal(bands[1][used], scene.posterior[used])


def test_coco_opens_in_map_units_within_a_tenth_of_a_pixel(chips, scene, tmp_path):
    found = reading.open_set(str(chips / "coco"), str(tmp_path / "open"))
    content = json.loads(Path(found.layers["objects"]).read_text("utf-8"))
    assert "32632" in content["crs"]["properties"]["name"]
    numbers = {name: code for code, name in data.CLASSES.items()}
    shapes = [(f["geometry"], numbers[f["properties"]["class"]]) for f in content["features"]]
    assert np.array_equal(rasters.burn(shapes, data.GRID), scene.codes)
    corners = np.concatenate(
        [np.array(ring) for f in content["features"] for part in f["geometry"]["coordinates"]
         for ring in part]
    )  # fmt: skip
    offsets = (corners - np.array([5e5, 5e6])) / 10.0
    assert np.abs(offsets - offsets.round()).max() < 0.1


def test_cvat_polygons_with_fractions_come_back_to_a_tenth_of_a_pixel(tmp_path):
    """As CVAT writes COCO: corners between pixels, no geo block unless ours was kept."""
    ring = [3.25, 4.5, 20.75, 4.1, 18.3, 17.9]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 32, "height": 32,
                    "geo": {"crs": "EPSG:32632", "transform": [10, 0, 5e5, 0, -10, 5e6]}}],
        "categories": [{"id": 2, "name": "trees"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": [ring],
                         "attributes": {"annotator": "Ana"}}],
    }  # fmt: skip
    (tmp_path / "cvat.json").write_text(json.dumps(content), encoding="utf-8")
    found = reading.open_set(str(tmp_path / "cvat.json"), str(tmp_path / "open"))
    (feature,) = json.loads(Path(found.layers["objects"]).read_text("utf-8"))["features"]
    spots = np.array(feature["geometry"]["coordinates"][0][0])[:-1]
    back = np.stack([(spots[:, 0] - 5e5) / 10, (5e6 - spots[:, 1]) / 10], 1)
    assert np.abs(back - np.reshape(ring, (-1, 2))).max() < 0.1
    assert feature["properties"]["annotator"] == "Ana"
    content["images"][0].pop("geo")
    (tmp_path / "cvat.json").write_text(json.dumps(content), encoding="utf-8")
    found = reading.open_set(str(tmp_path / "cvat.json"), str(tmp_path / "pixels"))
    assert "no map coordinates" in found.notes[0]


def test_run_lengths_there_and_back():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        mask = rng.random((37, 53)) < share
        counts = objects.run_lengths(mask)
        assert objects.unpack(objects.pack(counts)) == counts
        assert np.array_equal(objects.mask_from_runs(counts, mask.shape), mask)


@pytest.mark.parametrize("content", ["{}", "[]", '{"images": [{}]}', "no json"])
def test_what_is_no_set_gets_a_sentence(tmp_path, content):
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConcordError):
        reading.open_set(str(tmp_path / "x.json"), str(tmp_path / "open"))
    with pytest.raises(ConcordError, match="no set that can be opened"):
        reading.open_set(str(tmp_path), str(tmp_path / "open"))
    assert not (tmp_path / "open").exists()


def test_points_become_chips_and_the_rest_is_ignore(scene, tmp_path):
    rng = np.random.default_rng(4)
    spots = rng.uniform(200, 2300, (24, 2))
    records = [(5e5 + x, 5e6 - y, int(i % 3) + 1) for i, (x, y) in enumerate(spots)]
    moved = rasters.transform_points([r[:2] for r in records], "EPSG:32632", "EPSG:4326")
    records = [(x, y, r[2]) for (x, y), r in zip(moved, records)]
    labels = points.labels_of(records, "EPSG:4326", scene.first, 1, "crops.gpkg")
    report = export.export([scene.first], labels, str(tmp_path / "set"), data.wish())
    assert 12 <= report["chips"] <= 24 and check.check(str(tmp_path / "set"))["passed"]
    seen = set()
    for path in (tmp_path / "set" / "chips").glob("*/label.tif"):
        label = rasters.read(path)[0]
        seen |= set(np.unique(label).tolist())
        assert (label == 0).sum() == 0 and 9 <= (label != 255).sum() < 200
    assert seen == {1, 2, 3, 255}


def test_points_elsewhere_or_with_code_255_are_refused(scene):
    with pytest.raises(ConcordError, match="No point lies on the images"):
        points.labels_of([(0.0, 0.0, 1)], "EPSG:4326", scene.first, 0, "p")
    with pytest.raises(ConcordError, match="label 255"):
        points.labels_of([(9.0, 45.1, 255)], "EPSG:4326", scene.first, 0, "p")
    with pytest.raises(ConcordError, match="There is no point"):
        points.labels_of([], "EPSG:4326", scene.first, 0, "p")


def square(left, top, side) -> dict:
    x, y = 5e5 + left * 10, 5e6 - top * 10
    s = side * 10
    ring = [[x, y], [x + s, y], [x + s, y - s], [x, y - s], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_parcel_table_leaves_the_edge_out(scene, tmp_path):
    found = [
        parcels.Parcel("a", "wheat", square(10, 20, 8)),
        parcels.Parcel("b", "maize", square(100, 100, 1)),
        parcels.Parcel("far", "oats", square(1000, 1000, 5)),
    ]
    path = tmp_path / "table.csv"
    counts = parcels.table(found, "EPSG:32632", scene.imagery[:2], str(path), buffer=1.0)
    with open(path, encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert counts == {"rows": 24, "parcels": 3, "empty": 4} and len(rows) == 24
    first = rows[0]
    inner = rasters.read(scene.first)[0, 21:27, 11:17]
    assert int(first["valid"]) == 36 and first["date"] == "2020-01-01"
    assert float(first["median"]) == pytest.approx(np.median(inner) * 1e-4)  # reflectance
    assert float(first["p90"]) == pytest.approx(np.percentile(inner, 90) * 1e-4)
    assert [r["valid"] for r in rows if r["parcel"] == "far"] == ["0"] * 8
    half = parcels.table(found[:1], "EPSG:32632", scene.imagery[:1], str(path), buffer=0.5)
    with open(path, encoding="utf-8") as text:
        assert int(next(csv.DictReader(text))["valid"]) == 64 and half["empty"] == 0


def test_parcel_table_without_parcels_or_images(scene, tmp_path):
    for found, images, words in (([], [scene.first], "no parcel"), ([1], [], "No image")):
        with pytest.raises(ConcordError, match=words):
            parcels.table(found, "EPSG:32632", images, str(tmp_path / "t.csv"))
