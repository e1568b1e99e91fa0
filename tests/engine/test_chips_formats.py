"""Every format, read by somebody else's reader: pycocotools, GDAL, pystac, jsonschema, numpy."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pystac
import pytest
from osgeo import gdal
from pystac import validation

from concord.plugin.bridge import chips as bridge_chips
from concord.plugin.engine import rasters
from concord.plugin.engine.chips import check, export, objects, schemas, writers
from tests.engine import chips_data as data

gdal.UseExceptions()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("chips")


@pytest.fixture(scope="module")
def scene(place):
    return data.scene(place)


@pytest.fixture(scope="module")
def chips(place, scene):
    """A set in every format, with instance and boundary masks and captions."""
    wish = data.wish(
        formats=export.FORMATS, masks=("instance", "boundary"), captions="draft",
        resolution="native", min_object=4,
    )  # fmt: skip
    export.export(scene.imagery, scene.labels, str(place / "set"), wish, scene.consensus)
    return place / "set"


def label_of(chips: Path, name: str) -> np.ndarray:
    return rasters.read(chips / "chips" / name / "label.tif")[0]


def ids(chips: Path) -> list:
    with open(chips / "index.csv", encoding="utf-8") as text:
        return [row["id"] for row in csv.DictReader(text)]


def test_registry_and_the_list_for_the_panel_agree():
    assert [(f.id, f.title) for f in writers.REGISTRY.values()] == list(bridge_chips.FORMATS)


def test_every_format_passes_its_own_check(chips):
    report = check.check(str(chips))
    assert report["findings"] == [] and report["chips"] == 64
    assert set(report["formats"]) == set(export.FORMATS)


def test_native_images_keep_pixels_type_and_resolution(chips, scene):
    name = ids(chips)[0]
    radar = rasters.info(chips / "chips" / name / "sar_20200103.tif")
    assert (radar.grid.width, radar.grid.pixel_size) == (16, (20.0, 20.0))
    optical = rasters.info(chips / "chips" / name / "s2_20200101.tif")
    assert optical.bands[0].dtype == "uint16" and optical.names == data.BANDS
    whole = rasters.info(scene.first).grid
    window = whole.window_of(optical.grid.bounds)
    found = rasters.read(chips / "chips" / name / "s2_20200101.tif")
    assert np.array_equal(found, rasters.read(scene.first, window=window))
    assert radar.grid.bounds == optical.grid.bounds


def test_stac_is_valid_for_pystac_and_its_own_schemas(chips):
    item_path = chips / "chips" / ids(chips)[0]
    item = json.loads((item_path / f"{item_path.name}.json").read_text("utf-8"))
    # pystac brings the core schemas; those of extensions it would fetch, so they are left out here.
    validation.validate_dict({**item, "stac_extensions": []})
    validation.validate_dict(json.loads((chips / "collection.json").read_text("utf-8")))
    collection = pystac.Collection.from_file(str(chips / "collection.json"))
    assert sorted(i.id for i in collection.get_items()) == ids(chips)
    assert {link.rel for link in pystac.Item.from_dict(item).links} >= {"derived_from", "root"}
    roles = [link["ml-aoi:role"] for link in item["links"] if link["rel"] == "derived_from"]
    assert roles.count("label") == 1 and roles.count("feature") == 3


def test_an_item_lists_only_extensions_that_it_uses(scene, chips, tmp_path):
    """eo's published schema (2.0.0) refuses an item without a field of eo; label's (1.0.1) wants a
    property key to be text, so that a raster's overview has none."""
    export.export([scene.radar], scene.labels, str(tmp_path / "radar"), data.wish())
    radar = json.loads(next((tmp_path / "radar" / "chips").glob("*/*.json")).read_text("utf-8"))
    name = ids(chips)[0]
    both = json.loads((chips / "chips" / name / f"{name}.json").read_text("utf-8"))
    for item, expected in ((radar, False), (both, True)):
        listed = any("/eo/" in url for url in item["stac_extensions"])
        used = any(
            key.startswith("eo:")
            for asset in item["assets"].values() for band in asset["bands"] for key in band
        )  # fmt: skip
        assert listed == used == expected
        assert all("property_key" not in o for o in item["properties"]["label:overviews"])
    broken = {**both["properties"], "label:overviews": [{"property_key": None}]}
    assert any("property_key" in problem for problem in
               schemas.problems({**both, "properties": broken}, "item"))  # fmt: skip


def test_resampling_is_told(scene, tmp_path):
    export.export([scene.first, scene.radar], scene.labels, str(tmp_path / "set"), data.wish())
    item = json.loads(next((tmp_path / "set" / "chips").glob("*/*.json")).read_text("utf-8"))
    assets = item["assets"]
    assert assets["labels"]["ml-aoi:reference-grid"] is True
    assert assets["sar_20200103"]["ml-aoi:resampling-method"] == "bilinear"
    assert "ml-aoi:resampling-method" not in assets["s2_20200101"]


def test_damaged_stac_is_caught(chips, tmp_path):
    name = ids(chips)[0]
    item = json.loads((chips / "chips" / name / f"{name}.json").read_text("utf-8"))
    assert list(schemas.problems(item, "item")) == []
    for key, value, words in (
        ("ml-aoi:split", "val", "not one of"),
        ("label:type", "picture", "not one of"),
        ("datetime", "yesterday", "well formed"),
        ("proj:shape", [1], "entries"),
        ("label:description", "", "empty"),
    ):
        broken = {**item, "properties": {**item["properties"], key: value}}
        assert any(words in problem for problem in schemas.problems(broken, "item")), key
    assert any("schema is not at hand" in p for p in schemas.problems(
        {**item, "stac_extensions": ["https://x.org/y/v1.0.0/schema.json"]}, "item"))  # fmt: skip


def test_coco_masks_are_the_label_pixel_by_pixel(chips):
    coco = pytest.importorskip("pycocotools.coco")
    seen = 0
    for path in sorted((chips / "coco" / "annotations").glob("*.json")):
        with contextlib.redirect_stdout(io.StringIO()):
            content = coco.COCO(str(path))
        for number in content.getImgIds():
            (image,) = content.loadImgs(number)
            label = label_of(chips, Path(image["file_name"]).stem)
            for annotation in content.loadAnns(content.getAnnIds(imgIds=number)):
                mask = content.annToMask(annotation).astype(bool)
                assert mask.sum() == annotation["area"]
                assert (label[mask] == annotation["category_id"]).all()
                seen += 1
    assert seen > 100


def test_yolo_outlines_boxes_and_oriented_boxes(chips):
    name = ids(chips)[3]
    found = {}
    for kind in ("yolo", "yolo-box", "yolo-obb"):
        (path,) = (chips / kind / "labels").rglob(f"{name}.txt")
        found[kind] = [list(map(float, line.split())) for line in path.read_text().splitlines()]
        assert (chips / kind / "data.yaml").read_text("utf-8").count("\n  ") == 3
    things = objects.things(label_of(chips, name), (1, 2, 3), 4)
    assert len(found["yolo"]) == len(found["yolo-box"]) == len(things)
    for thing, outline, box, turned in zip(things, *found.values()):
        assert box[0] == outline[0] == turned[0] == thing.code - 1
        x, y, width, height = thing.box
        assert np.allclose(np.array(box[1:]) * 32, (x + width / 2, y + height / 2, width, height),
                           atol=1e-4)  # fmt: skip
        ring = np.array(outline[1:]).reshape(-1, 2) * 32
        twice = np.dot(ring[:, 0], np.roll(ring[:, 1], -1)) - np.dot(
            ring[:, 1], np.roll(ring[:, 0], -1)
        )
        assert abs(twice) / 2 == pytest.approx(thing.area, abs=0.1)  # holes are cut out
        corners = np.array(turned[1:]).reshape(4, 2) * 32
        assert np.linalg.norm(corners[0] - corners[1]) > 0


def test_voc_masks_and_boxes_from_one(chips):
    name = ids(chips)[5]
    mask = gdal.Open(str(chips / "voc" / "SegmentationClass" / f"{name}.png"))
    assert np.array_equal(mask.ReadAsArray(), label_of(chips, name))
    assert mask.GetRasterBand(1).GetColorTable() is not None
    root = ElementTree.parse(chips / "voc" / "Annotations" / f"{name}.xml").getroot()
    things = objects.things(label_of(chips, name), (1, 2, 3), 4)
    boxes = [[int(node.text) for node in box] for box in root.iter("bndbox")]
    assert boxes == [[int(x) + 1, int(y) + 1, int(x + w), int(y + h)]
                     for x, y, w, h in (t.box for t in things)]  # fmt: skip


def test_esri_statistics_and_map(chips):
    stats = json.loads((chips / "esri" / "esri_accumulated_stats.json").read_text("utf-8"))
    assert stats["MetaDataMode"] == "Classified_Tiles" and stats["NumTiles"] == 64
    pixels = np.concatenate([rasters.read(p).reshape(4, -1) for p in
                             sorted((chips / "esri" / "images").glob("*.tif"))], 1)  # fmt: skip
    assert stats["AllTilesStats"][0]["Mean"] == pytest.approx(pixels[0].mean(), rel=1e-9)
    assert stats["AllTilesStats"][3]["StdDev"] == pytest.approx(pixels[3].std(), rel=1e-9)
    assert sum(stats["ClassPixelStats"]["NumPixelsPerClass"]) == (
        sum((label_of(chips, i) > 0).sum() for i in ids(chips)))  # fmt: skip
    model = json.loads((chips / "esri-rcnn" / "esri_model_definition.emd").read_text("utf-8"))
    assert model["MetaDataMode"] == "RCNN_Masks" and len(model["Classes"]) == 3


def test_gdal_reads_zarr_and_netcdf(chips):
    name, number = ids(chips)[7], 7
    zarr = gdal.OpenEx(str(chips / "zarr"), gdal.OF_MULTIDIM_RASTER).GetRootGroup()
    label = zarr.OpenMDArray("label").ReadAsArray()
    assert label.shape == (64, 32, 32) and np.array_equal(label[number], label_of(chips, name))
    images = zarr.OpenGroup("images").OpenMDArray("sar_20200103")
    radar = rasters.read(chips / "chips" / name / "sar_20200103.tif")
    assert np.array_equal(images.ReadAsArray()[number], radar)
    (path,) = (chips / "netcdf").rglob(f"{name}.nc")
    found = gdal.Open(f'NETCDF:"{path}":label')
    assert np.array_equal(found.ReadAsArray(), label_of(chips, name))
    own = rasters.info(chips / "chips" / name / "label.tif").grid
    left, width, _, top, _, height = found.GetGeoTransform()
    assert np.allclose((width, height, left, top), (10, -10, own.bounds[0], own.bounds[3]))
    assert "32632" in found.GetProjection()


def test_pastis_and_ftw_hold_series_objects_and_boundaries(chips):
    name, number = ids(chips)[2], 10002
    series = np.load(chips / "pastis" / "DATA_S2" / f"S2_{number}.npy", allow_pickle=False)
    assert series.shape == (2, 4, 32, 32) and series.dtype == np.int16
    target = np.load(chips / "pastis" / "ANNOTATIONS" / f"TARGET_{number}.npy")
    assert np.array_equal(target[0], label_of(chips, name))
    table = json.loads((chips / "pastis" / "metadata.geojson").read_text("utf-8"))
    first = table["features"][2]["properties"]
    assert first["dates-S2"] == {"0": 20200101, "1": 20200601} and first["ID_PATCH"] == number
    root = next((chips / "ftw").iterdir())
    two = rasters.read(root / "label_masks" / "semantic_2class" / f"{name}.tif")[0]
    three = rasters.read(root / "label_masks" / "semantic_3class" / f"{name}.tif")[0]
    assert np.array_equal(two > 0, three > 0) and three.max() == 2
    windows = [rasters.read(root / "s2_images" / f"window_{w}" / f"{name}.tif") for w in "ab"]
    assert np.array_equal(windows[0].astype(int) + 50, windows[1])


def test_class_folders_and_landcovernet(chips, scene):
    for path in (chips / "eurosat").glob("*/*.tif"):
        name = path.stem.split("_", 1)[1]
        counts = np.bincount(label_of(chips, name).ravel(), minlength=4)[1:4]
        assert path.parent.name == data.CLASSES[int(counts.argmax()) + 1]
    (labels,) = (chips / "landcovernet").rglob(f"*_{ids(chips)[9]}/labels.tif")
    bands = rasters.read(labels)
    assert np.array_equal(bands[0], label_of(chips, ids(chips)[9]))
    item = json.loads((labels.parent / "stac.json").read_text("utf-8"))
    sources = [link["href"] for link in item["links"] if link["rel"] == "source"]
    assert len(sources) == 3 and all((labels.parent / s).is_dir() for s in sources)


def test_instance_and_boundary_masks(chips):
    folder = chips / "chips" / ids(chips)[4]
    numbers, edge = (rasters.read(folder / f"{n}.tif")[0] for n in ("instance", "boundary"))
    label = rasters.read(folder / "label.tif")[0]
    for number in np.unique(numbers[numbers > 0]):
        assert len(np.unique(label[numbers == number])) == 1
    assert edge.any() and (numbers[edge > 0] > 0).all()


def test_captions_name_the_largest_class_and_are_not_confirmed(chips):
    lines = (chips / "captions.jsonl").read_text("utf-8").splitlines()
    entry = json.loads(lines[0])
    counts = np.bincount(label_of(chips, entry["id"]).ravel(), minlength=4)[1:4]
    first = re.search(r"(\d+)% (\w+)", entry["caption"])
    assert first.group(2) == data.CLASSES[int(counts.argmax()) + 1]
    assert entry["confirmed"] is False and len(lines) == 64


def test_datasheet_and_manifest_say_where_everything_comes_from(place, scene):
    wish = data.wish(
        annotators=("Ana", "Bo"), rule="Dawid-Skene", models=(scene.labels,),
        sources={Path(p).name: "CC0-1.0" for p in (*scene.imagery, scene.labels)},
    )  # fmt: skip
    out = place / "stated"
    export.export(scene.imagery, scene.labels, str(out), wish)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["annotators"] == ["Ana", "Bo"] and manifest["rule"] == "Dawid-Skene"
    assert len(manifest["models"][0]["sha256"]) == 64
    assert {i["licence"] for i in manifest["inputs"]} == {"CC0-1.0"}
    assert manifest["inputs"][0]["date"] == "2020-01-01"
    sheet = (out / "DATASHEET.md").read_text("utf-8")
    assert "Ana, Bo" in sheet and "Dawid-Skene" in sheet and str(place) not in sheet


def first(folder: Path, pattern: str) -> Path:
    return next(folder.rglob(pattern))


@pytest.mark.parametrize(
    ("name", "break_it", "words"),
    [
        ("yolo", lambda c: first(c, "3*.txt").write_text("9 0 0 1 1 0 1\n"), "has the class 9"),
        ("yolo-box", lambda c: first(c, "3*.txt").write_text("0 0 0 1.5 1\n"), "outside 0 to 1"),
        ("yolo-obb", lambda c: first(c, "3*.txt").write_text("0 0 0\n"), "2 numbers instead of 8"),
        ("voc", lambda c: first(c, "3*.xml").write_text("<a>"), "VOC"),
        ("esri", lambda c: (c / "map.txt").write_text("images/x.tif\tlabels/x.tif\n"), "missing"),
        ("esri-rcnn", lambda c: (c / "stats.txt").unlink(), "missing"),
        ("coco", lambda c: first(c, "instances_train.json").write_text("{}"), "COCO"),
        ("zarr", lambda c: (c / "label" / "0.0.0").write_bytes(b"x"), "unpacked"),
        ("netcdf", lambda c: first(c, "*.nc").write_bytes(b"CDF"), "cannot be read"),
        ("torchgeo", lambda c: (c / "dataset.py").write_text("def"), "cannot be read"),
        ("rastervision", lambda c: (c / "dataset.json").write_text("[]"), "configuration"),
        ("pastis", lambda c: first(c, "INSTANCES_*.npy").unlink(), "lacks"),
        ("flair", lambda c: first(c, "MSK_*.tif").unlink(), "missing"),
        ("ftw", lambda c: first(c, "window_b/*.tif").unlink(), "missing"),
        ("landcovernet", lambda c: first(c, "labels.tif").unlink(), "cannot be read"),
        ("eurosat", lambda c: first(c, "*.tif").unlink(), "missing"),
    ],
)
def test_a_broken_format_is_found(chips, tmp_path, name, break_it, words):
    copy = tmp_path / name
    shutil.copytree(chips / name, copy)
    codes = {1, 2, 3}
    assert list(writers.REGISTRY[name].check(copy, codes)) == []
    break_it(copy)
    found = list(writers.REGISTRY[name].check(copy, codes))
    assert found and any(words in detail for _, _, detail in found), found


def test_croissant_opens_in_mlcroissant(chips, root):
    python = root / ".build" / "oracles" / "bin" / "python"
    if not python.exists():
        pytest.skip("mlcroissant needs newer packages than QGIS's; put it into .build/oracles")
    code = (
        "import sys, mlcroissant as m; d = m.Dataset(sys.argv[1]);"
        "print(len(list(d.records('chips'))), d.metadata.ctx.issues.errors)"
    )
    done = subprocess.run(
        [str(python), "-c", code, str(chips / "croissant.json")],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["64 set()"], done.stderr[-800:]
    content = json.loads((chips / "croissant.json").read_text("utf-8"))
    assert content["conformsTo"][1] == "http://mlcommons.org/croissant/geo/1.0"
    assert content["geocr:bandConfiguration"]["geocr:totalBands"] == 10
