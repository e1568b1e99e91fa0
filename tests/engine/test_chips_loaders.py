"""Layouts read back step by step as the public loader of each does it.

Followed were: the config classes of Raster Vision (azavea/raster-vision, pipeline/config.py and
core/data/*_config.py), a public copy of prepare_data of arcgis.learn, check_det_dataset,
img2label_paths and verify_image_label of Ultralytics (ultralytics/data/utils.py), load_data and
fit_dataset of FLAIR-1 (IGNF/FLAIR-1, py_module/utils.py and src/flair/data_loader.py),
PASTIS_Dataset (VSainteuf/utae-paps, src/dataset.py) and FieldsOfTheWorld of torchgeo
(torchgeo/datasets/ftw.py). What they expect is written down here; none of their code is.

"""

from __future__ import annotations

import csv
import datetime
import json
import os
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import export
from concord.plugin.engine.errors import ConcordError
from tests.engine import chips_data as data

gdal.UseExceptions()
FORMATS = ("native", "rastervision", "esri", "esri-rcnn", "yolo", "yolo-box", "yolo-obb", "flair",
           "pastis", "ftw")  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return data.scene(tmp_path_factory.mktemp("loaders"))


@pytest.fixture(scope="module")
def chips(scene, tmp_path_factory):
    out = tmp_path_factory.mktemp("set") / "set"
    wish = data.wish(formats=FORMATS, min_object=4)
    export.export([scene.first, scene.second], scene.labels, str(out), wish)
    return out


def label_of(chips: Path, name: str) -> np.ndarray:
    return rasters.read(chips / "chips" / name / "label.tif")[0]


def splits(chips: Path) -> dict:
    with open(chips / "index.csv", encoding="utf-8") as text:
        return {row["id"]: row["split"] for row in csv.DictReader(text)}


# type hint -> fields that its class knows; further ones are forbidden there, required first.
_CONFIGS = {
    "dataset": ({"class_config", "train_scenes", "validation_scenes"}, {"test_scenes"}),
    "class_config": ({"names"}, {"colors", "null_class"}),
    "scene": ({"id", "raster_source", "label_source"}, {"label_store", "aoi_geometries"}),
    "rasterio_source": ({"uris"}, {"channel_order", "transformers", "extent_crop"}),
    "semantic_segmentation_label_source": ({"raster_source"}, set()),
}


def _build(value):
    """Every dictionary with a type hint becomes a config of that name, from the leaves up."""
    if isinstance(value, list):
        for part in value:
            _build(part)
    if isinstance(value, dict):
        for part in value.values():
            _build(part)
        if "type_hint" in value:
            needed, more = _CONFIGS[value["type_hint"]]
            fields = set(value) - {"type_hint"}
            assert needed <= fields <= needed | more, value["type_hint"]


def test_raster_vision_builds_its_dataset_config(chips):
    root = chips / "rastervision"
    content = json.loads((root / "dataset.json").read_text("utf-8"))
    _build(content)
    assert content["type_hint"] == "dataset"
    classes = content["class_config"]
    assert classes["null_class"] in classes["names"]
    assert len(classes["colors"]) == len(classes["names"]) == 4
    names = [s["id"] for s in content["validation_scenes"] + content["test_scenes"]]
    assert len(set(names)) == len(names)
    seen = {}
    for key, split in (("train_scenes", "train"), ("validation_scenes", "validate"),
                       ("test_scenes", "test")):  # fmt: skip
        for one in content[key]:
            seen[one["id"]] = split
            image = gdal.Open(str(root / one["raster_source"]["uris"][0]))
            label = gdal.Open(str(root / one["label_source"]["raster_source"]["uris"][0]))
            numbers = label.ReadAsArray()
            assert numbers.ndim == 2 and numbers.max() < len(classes["names"])
            assert image.GetGeoTransform() == label.GetGeoTransform()
    assert seen == splits(chips)


def _esri(root: Path) -> tuple:
    """(class mapping, lines of map.txt) as prepare_data finds them."""
    assert json.loads((root / "esri_accumulated_stats.json").read_text("utf-8"))["MetaDataMode"]
    emd = json.loads((root / "esri_model_definition.emd").read_text("utf-8"))
    mapping = {c["Value"]: c["Name"] for c in emd["Classes"]}
    assert all(len(c["Color"]) == 3 for c in emd["Classes"])
    assert emd.get("ImageSpaceUsed", "MAP_SPACE") == "MAP_SPACE"
    lines = [line.split() for line in (root / "map.txt").read_text("utf-8").splitlines()]
    assert lines and all(len(line) == 2 for line in lines)  # it looks for the first such line
    return mapping, lines


def test_arcgis_learn_finds_tiles_and_their_classes(chips):
    root = chips / "esri"
    mapping, lines = _esri(root)
    assert mapping == data.CLASSES
    ending = lines[0][1].rsplit(".", 1)[1].lower()
    for image in sorted((root / "images").glob("*.tif")):
        label = image.parents[1] / "labels" / f"{image.stem}.{ending}"
        codes = gdal.Open(str(label)).ReadAsArray()
        assert set(np.unique(codes)) <= {0, *mapping} and codes.dtype == np.uint8
        assert np.array_equal(codes, label_of(chips, image.stem))


def test_arcgis_learn_finds_instance_masks_by_the_name_of_the_class(chips):
    root = chips / "esri-rcnn"
    mapping, _ = _esri(root)
    folders = {code: root / "labels" / name for code, name in mapping.items()}
    assert all(folder.is_dir() for folder in folders.values())
    for image in sorted((root / "images").glob("*.tif")):
        label = label_of(chips, image.stem)
        found = [c for c, f in folders.items() if (f / f"{image.stem}.tif").is_file()]
        assert found  # images without any mask are left out there
        for code in found:
            numbers = gdal.Open(str(folders[code] / f"{image.stem}.tif")).ReadAsArray()
            assert (label[numbers > 0] == code).all()


def test_a_class_name_with_a_space_does_not_hide_every_line_of_map_txt(scene, tmp_path):
    taxonomy = tmp_path / "words.json"
    taxonomy.write_text(json.dumps({
        "id": "words", "title": "Words",
        "classes": [{"code": c, "name": n, "colour": "#102030"} for c, n in
                    ((1, "open water"), (2, "open/water"), (3, "crops"))],
    }), "utf-8")  # fmt: skip
    wish = data.wish(formats=("native", "esri-rcnn"), taxonomy=str(taxonomy), min_object=4)
    export.export([scene.first], scene.labels, str(tmp_path / "set"), wish)
    mapping, lines = _esri(tmp_path / "set" / "esri-rcnn")
    assert len(set(mapping.values())) == 3 and all(" " not in n for n in mapping.values())
    folders = {Path(label).parent.name for _, label in lines}
    assert folders <= set(mapping.values())


@pytest.mark.parametrize(("kind", "columns"), [("yolo", None), ("yolo-box", 5), ("yolo-obb", 9)])
def test_ultralytics_finds_pictures_labels_and_names_from_anywhere(chips, kind, columns):
    yaml = pytest.importorskip("yaml")
    file = chips / kind / "data.yaml"
    content = yaml.safe_load(file.read_text("utf-8"))
    assert {"train", "val", "names"} <= set(content)
    assert list(content["names"]) == [0, 1, 2]
    # A relative path would count from the working folder, a missing one from the file's.
    root = Path(content.get("path") or file.parent)
    assert root == file.parent
    pictures = sorted((root / content["train"]).rglob("*.png"))
    assert pictures
    for picture in pictures:
        head, tail = str(picture).rsplit(f"{os.sep}images{os.sep}", 1)
        text = Path(f"{head}{os.sep}labels{os.sep}{tail}").with_suffix(".txt")
        raster = gdal.Open(str(picture))
        assert min(raster.RasterXSize, raster.RasterYSize) > 9 and raster.RasterCount == 3
        rows = [line.split() for line in text.read_text("ascii").splitlines()]
        for row in rows:
            values = np.array(row[1:], float)
            assert int(row[0]) < 3 and values.min() >= 0 and values.max() <= 1
            # More than six columns are taken for an outline or a turned box.
            assert len(row) == columns if columns else len(row) > 6 and len(row) % 2
    names = {p.stem for p in pictures}
    assert names == {n for n, s in splits(chips).items() if s == "train"}


def test_ultralytics_gets_its_two_splits_when_all_chips_are_for_training(scene, tmp_path):
    yaml = pytest.importorskip("yaml")
    wish = data.wish(formats=("native", "yolo"), shares=(1.0, 0.0, 0.0))
    export.export([scene.first], scene.labels, str(tmp_path / "set"), wish)
    content = yaml.safe_load((tmp_path / "set" / "yolo" / "data.yaml").read_text("utf-8"))
    assert content["val"] == content["train"] == "images/train" and "test" not in content


def test_flair_lists_pairs_and_reads_bands_masks_and_metadata(chips):
    root = chips / "flair"
    table = json.loads((root / "flair-1_metadata_aerial.json").read_text("utf-8"))
    seen = {}
    for short, split in (("train", "train"), ("val", "validate"), ("test", "test")):
        text = (root / f"flair-1-paths-{short}.csv").read_text("utf-8")
        for image, mask in csv.reader(text.splitlines()):
            key = Path(image).stem
            assert int(image.split("_")[-1][:-4]) == int(mask.split("_")[-1][:-4])
            assert image[-10:-4] == mask[-10:-4]  # six digits
            assert gdal.Open(str(root / image)).ReadAsArray().shape == (4, 32, 32)
            codes = gdal.Open(str(root / mask)).ReadAsArray()
            assert codes.ndim == 2 and codes.dtype == np.uint8
            planes = np.stack([codes - 1 == i for i in range(3)])  # codes count from 1 there
            assert np.array_equal(planes.any(axis=0), codes > 0)
            own = table[key]
            assert float(own["patch_centroid_x"]) > 4e5 and float(own["patch_centroid_z"]) == 0
            assert isinstance(own["camera"], str)
            assert [int(part) for part in own["time"].split("h")] == [12, 0]
            assert len(own["date"].split("-")) == 3
            assert set(own["placeholders"]) == {"patch_centroid_z", "camera", "time"}
            seen[own["chip"]] = split
    assert seen == splits(chips)
    # The older loader lists domains, then zones, and looks below each for IMG and MSK.
    for domain in (root / "flair_aerial_train").iterdir():
        for zone in domain.iterdir():
            images = sorted(zone.rglob("IMG*.tif"))
            masks = sorted(
                (root / "flair_labels_train" / domain.name / zone.name).rglob("MSK*.tif")
            )
            assert [p.stem[4:] for p in images] == [p.stem[4:] for p in masks]


def test_pastis_dataset_gets_series_dates_norms_and_both_targets(chips):
    root = chips / "pastis"
    table = json.loads((root / "metadata.geojson").read_text("utf-8"))["features"]
    norms = json.loads((root / "NORM_S2_patch.json").read_text("utf-8"))
    assert set(norms) == {f"Fold_{n}" for n in range(1, 6)}
    assert all(len(fold["mean"]) == len(fold["std"]) == 4 for fold in norms.values())
    start, folds = datetime.date(2019, 9, 1), {}
    for feature in table:
        about = feature["properties"]
        number = int(about["ID_PATCH"])
        series = np.load(root / "DATA_S2" / f"S2_{number}.npy").astype(np.float32)
        days = [
            (datetime.date(int(str(d)[:4]), int(str(d)[4:6]), int(str(d)[6:])) - start).days
            for d in about["dates-S2"].values()
        ]
        assert series.ndim == 4 and len(series) == len(set(days)) == 2  # T x C x H x W
        assert all(-200 <= day < 600 for day in days)
        target = np.load(root / "ANNOTATIONS" / f"TARGET_{number}.npy")
        assert np.array_equal(target[0], label_of(chips, about["TILE"]))
        place = root / "INSTANCE_ANNOTATIONS"
        bumps, numbers, owners = (
            np.load(place / f"{title}_{number}.npy") for title in ("HEATMAP", "INSTANCES", "ZONES")
        )
        assert bumps.shape == numbers.shape == owners.shape == (32, 32)
        own = set(np.unique(numbers)) - {0}
        assert set(np.unique(owners)) <= own and bumps.max() == 1.0
        assert (bumps == 1.0).sum() <= len(own)
        # Every object gets the class of its first pixel; all its pixels have the same one.
        assert all(len(set(target[0][numbers == n])) == 1 for n in own)
        folds.setdefault(splits(chips)[about["TILE"]], set()).add(int(about["Fold"]))
    assert folds["train"] <= {1, 2, 3} and folds["validate"] == {4} and folds["test"] == {5}


def test_pastis_without_a_date_is_refused_before_anything_is_written(scene, tmp_path):
    plain = tmp_path / "scene.tif"
    image, info = rasters.read(scene.first), rasters.info(scene.first)
    rasters.write(plain, image, info.grid, names=data.BANDS, nodata=0)
    out = tmp_path / "set"
    with pytest.raises(ConcordError, match="needs the date of every image"):
        export.export([str(plain)], scene.labels, str(out), data.wish(formats=("pastis",)))
    assert not out.exists() and not list(tmp_path.glob(".*part"))


def test_fields_of_the_world_reads_table_windows_and_masks(chips):
    parquet = pytest.importorskip("pyarrow.parquet")
    (root,) = (chips / "ftw").iterdir()
    table = parquet.read_table(root / f"chips_{root.name}.parquet").to_pydict()
    short = {"train": "train", "validate": "val", "test": "test"}
    assert dict(zip(table["aoi_id"], table["split"])) == {
        name: short[split] for name, split in splits(chips).items()
    }
    _fields(root, table["aoi_id"], chips)


def test_fields_of_the_world_has_red_first_and_three_where_nothing_is_known(chips):
    (root,) = (chips / "ftw").iterdir()
    assert (root / "label_masks").is_dir() and (root / "s2_images").is_dir()
    _fields(root, list(splits(chips)), chips)


def _fields(root: Path, names: list, chips: Path) -> None:
    unknown = 0
    for name in names:
        windows = [gdal.Open(str(root / "s2_images" / f"window_{w}" / f"{name}.tif")) for w in "ab"]
        assert [w.RasterCount for w in windows] == [4, 4]
        titles = [windows[0].GetRasterBand(i).GetDescription() for i in range(1, 5)]
        assert titles == ["red", "green", "blue", "nir"]
        native = rasters.read(chips / "chips" / name / "s2_20200101.tif")
        assert np.array_equal(windows[0].ReadAsArray(), native[[2, 1, 0, 3]])
        masks = {
            kind: gdal.Open(str(root / "label_masks" / kind / f"{name}.tif")).ReadAsArray()
            for kind in ("instance", "semantic_2class", "semantic_3class")
        }
        label = label_of(chips, name)
        assert set(np.unique(masks["semantic_2class"])) <= {0, 1, 3}
        assert set(np.unique(masks["semantic_3class"])) <= {0, 1, 2, 3}
        assert np.array_equal(masks["semantic_2class"] == 3, label == 0)
        assert (masks["instance"][label == 0] == 0).all()
        unknown += int((label == 0).sum())
    assert unknown == 64
