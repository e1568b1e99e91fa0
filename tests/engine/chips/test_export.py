"""Chip sets: ids, gate, splits that never leak, same bytes, STAC, and a checker that finds harm."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import files, rasters
from concord.plugin.engine.chips import check, plan, stac
from concord.plugin.engine.chips.export import ExportWish, export
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Window
from concord.plugin.engine.progress import Progress


def tree(folder) -> dict:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(Path(folder).rglob("*")) if p.is_file()}  # fmt: skip


def index(folder) -> list:
    with open(folder / "index.csv", encoding="utf-8") as f:
        return list(csv.DictReader(f))


# --- gate -------------------------------------------------------------------------------------


def test_rejected_chips_are_listed_with_the_reason(make_set):
    labels = np.full((64, 64), 2, np.uint8)
    labels[:16, :16], labels[:16, 16:24] = 0, 0
    score = np.full((64, 64), 90)
    score[48:, 48:] = 10
    gate = plan.Gate(min_score=0.5, min_labelled=0.6)
    folder, report = make_set(labels=labels, score=score, gate=gate, shares=(1, 0, 0))
    assert (report["chips"], report["rejected"]) == (13, 3)
    reasons = [row["reason"] for row in csv.DictReader(open(folder / "rejected.csv"))]
    assert sorted(reasons) == ["labelled share 0.50 below 0.60", "mean posterior 0.10 below 0.50",
                               "no labelled pixel"]  # fmt: skip
    assert {row["mean_posterior"] for row in index(folder)} == {"0.900000"}


@pytest.mark.parametrize(
    "wish, words",
    [
        ({"licence": ""}, "licence of the chips is missing; give an SPDX id"),
        ({"licence": "CC BY 4.0"}, "'CC BY 4.0' is no SPDX id"),
        ({"formats": ("native", "coco3d")}, "format 'coco3d' is not known; use native"),
        ({"block": 1e6}, "choose a smaller BLOCK"),
        ({"buffer": 1e6}, "leaves no chip for .*choose a smaller BUFFER"),
        ({"block": -5.0}, "give numbers above 0"),
        ({"date": "30.6.2021"}, "is no day; give it as"),
        ({"date": "2021-02-31"}, "is no day; give it as"),
        ({"size": 500}, "smaller than a chip of 500"),
        ({"gate": plan.Gate(min_labelled=1.1)}, "No chip passes the gate .*lower MIN_SCORE"),
        ({"taxonomy": "water2"}, "holds class 3, which the taxonomy water2"),
        ({"images": []}, "No image was given"),
    ],
)
def test_impossible_wishes_are_sentences_and_write_nothing(make_set, tmp_path, wish, words):
    with pytest.raises(ConcordError, match=words):
        make_set(**wish)
    assert not (tmp_path / "chips").exists()


def test_an_occupied_folder_is_untouched(make_set, tmp_path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.txt").write_text("mine")
    with pytest.raises(ConcordError, match="already holds files; choose a new or empty folder"):
        make_set()
    assert tree(tmp_path / "chips").keys() == {"mine.txt"}


def test_images_elsewhere_are_a_sentence(make_set, put, make_grid, tmp_path):
    far = put("S2A_far.tif", np.ones((20, 20), np.uint16), make_grid(20, 20, left=900_000.0))
    with pytest.raises(ConcordError, match="No chip holds image data"):
        make_set(images=[far])
    assert not (tmp_path / "chips").exists()


def test_a_split_without_image_data_is_a_sentence(make_set, put, tmp_path):
    """The image covers the first of three blocks; the other split would be empty, silently."""
    labels = np.ones((16, 128), np.uint8)
    left = put("left.tif", np.ones((16, 40), np.float32))
    with pytest.raises(ConcordError, match="cover no chip of (train|test)"):
        make_set(labels=labels, images=[left], block=640.0, shares=(0.5, 0.0, 0.5))
    assert not (tmp_path / "chips").exists()


def test_a_cancel_leaves_nothing(put, tmp_path):
    mask = put("in/map.tif", np.ones((64, 64), np.uint8))
    image = put("in/a.tif", np.ones((64, 64), np.uint8))
    count = iter(range(1000))
    progress = Progress(cancelled=lambda: next(count) > 25)
    with pytest.raises(Cancelled):
        wish = ExportWish(size=16, licence="CC0-1.0", shares=(1, 0, 0))
        export([image], mask, str(tmp_path / "chips"), wish, progress=progress)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_chips_hold_the_very_pixels_in_their_place(make_set, tmp_path, make_grid):
    score = np.random.default_rng(1).integers(0, 101, (64, 64))
    folder, report = make_set(score=score, seed=3)
    grid = make_grid(64, 64)
    image = rasters.read(tmp_path / "chips-in" / "S2A_20210630.tif")
    labels = rasters.read(tmp_path / "chips-in" / "map.tif")[0]
    rows = index(folder)
    assert len(rows) == report["chips"] == sum(s["chips"] for s in report["splits"])
    for row in rows[::7]:
        place = folder / "chips" / row["id"]
        window = grid.window_of(tuple(float(row[k]) for k in ("left", "bottom", "right", "top")))
        found = rasters.info(place / "S2A_20210630.tif")
        assert found.grid == grid.sub(window) and found.bands[0].dtype == "uint16"
        assert found.names == ["red", "nir"]
        assert (found.bands[0].scale, found.bands[0].offset) == (1e-4, 0.0)
        rows_, cols = window.slices
        np.testing.assert_array_equal(
            rasters.read(place / "S2A_20210630.tif"), image[:, rows_, cols]
        )
        np.testing.assert_array_equal(rasters.read(place / "label.tif")[0], labels[rows_, cols])
        np.testing.assert_array_equal(rasters.read(place / "consensus.tif")[0], score[rows_, cols])
        item = files.read_json(place / f"{row['id']}.json")
        assert item["properties"]["ml-aoi:split"] == row["split"]
        assert item["properties"]["datetime"] == "2021-06-30T00:00:00Z"


def test_images_of_another_grid_are_cut_on_the_grid_of_the_labels(make_set, put, make_grid):
    coarse = put("S2A_c.tif", np.full((70, 70), 900, np.uint16), make_grid(70, 70, 20.0))
    folder, _ = make_set(images=[coarse], shares=(1, 0, 0))
    (first, *_) = sorted((folder / "chips").glob("*/S2A_c.tif"))
    info = rasters.info(first)
    assert info.grid.pixel_size == (10, 10) and (info.grid.width, info.grid.height) == (16, 16)
    assert info.bands[0].dtype == "float32" and np.isnan(info.bands[0].nodata)
    assert np.nanmedian(rasters.read(first)) == 900


@pytest.mark.parametrize("name", ["label", "labels", "consensus"])
def test_an_image_may_be_called_like_a_file_of_ours(make_set, put, name):
    pixels = np.random.default_rng(2).integers(1, 255, (3, 64, 64)).astype(np.uint8)
    path = put(f"own/{name}.tif", pixels)
    folder, _ = make_set(images=[path, path], side=64, shares=(1, 0, 0))
    item = files.read_json(next((folder / "chips").glob("*/*.json")))
    assert set(item["assets"]) == {f"{name}_image", f"{name}_image_2", "labels"}
    assert check.check(str(folder))["passed"]


def test_nodata_that_the_type_cannot_hold_is_left_out(make_set, put):
    from osgeo import gdal

    path = put("odd.tif", np.full((64, 64), 7, np.uint8))
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.GetRasterBand(1).SetNoDataValue(-9999)
    dataset = None
    _, report = make_set(images=[path], side=64, shares=(1, 0, 0))
    assert report["chips"] == 16


@pytest.mark.parametrize(
    "name, date", [("S2A_20210630.tif", "2021-06-30"), ("x-2021-06-30-y", "2021-06-30"), ("a", ""),
                   ("tile_20219999", ""), ("T20210230", ""), ("120210630", "")],
)  # fmt: skip
def test_dates_are_found_in_names(name, date):
    assert stac.date_in(name) == date


def test_same_input_same_bytes_and_another_seed_another_split(make_set):
    wish = {"shares": (0.6, 0.2, 0.2)}
    first, _ = make_set("one", **wish)
    second, _ = make_set("two", **wish)
    # The folders of the inputs differ, their names and bytes do not.
    assert tree(first) == tree(second)
    third, _ = make_set("three", seed=7, **wish)
    assert {r["id"]: r["split"] for r in index(third)} != {
        r["id"]: r["split"] for r in index(first)
    }


def test_ids_survive_a_second_export_and_a_smaller_map(make_set, make_grid):
    whole, _ = make_set("whole", shares=(1, 0, 0))
    grid = make_grid(64, 64).sub(Window(32, 16, 32, 32))
    part, _ = make_set("part", side=32, grid=grid, shares=(1, 0, 0))
    ids = {row["id"]: row["left"] + row["top"] for row in index(whole)}
    assert all(ids[row["id"]] == row["left"] + row["top"] for row in index(part))
    assert len(index(part)) == 4


@pytest.mark.parametrize("kind", ["utm", "degrees", "custom", "southern"])
def test_stac_is_valid_and_can_be_opened(make_set, make_grid, albers, kind):
    import pystac
    from pystac import STACObjectType
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    grid = {
        "utm": make_grid(64, 64),
        "degrees": make_grid(64, 64, 1e-4, left=7.0, top=46.0, crs="EPSG:4326"),
        "custom": make_grid(64, 64, crs=albers),
        "southern": make_grid(64, 64, crs="EPSG:32733", top=1_000_000.0),
    }[kind]
    folder, report = make_set(grid=grid, side=64, shares=(1, 0, 0), score=np.full((64, 64), 80))
    collection = pystac.Collection.from_file(str(folder / "collection.json"))
    items = list(collection.get_items())
    assert len(items) == report["chips"] == 16 and collection.license == "CC-BY-4.0"
    validator = JsonSchemaSTACValidator()
    validator.validate_core(json.loads((folder / "collection.json").read_text()),
                            STACObjectType.COLLECTION, "1.1.0")  # fmt: skip
    for item in items:
        path = Path(item.self_href)
        validator.validate_core(json.loads(path.read_text()), STACObjectType.ITEM, "1.1.0")
        assert item.get_root() is collection and item.id == path.stem
        for asset in item.assets.values():
            assert Path(asset.get_absolute_href()).is_file()
        west, south, east, north = item.bbox
        assert -180 <= west < east <= 180 and -90 <= south < north <= 90
    if kind == "degrees":
        assert items[0].bbox[0] >= 7.0 and items[0].bbox[3] <= 46.0
    if kind == "custom":
        assert items[0].properties["proj:code"] is None and items[0].properties["proj:wkt2"]
    assert check.check(str(folder))["passed"], check.check(str(folder))["findings"]


def test_nothing_of_the_exporters_machine_is_in_the_set(make_set, tmp_path):
    folder, _ = make_set()
    for path in folder.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path
