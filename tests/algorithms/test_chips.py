"""concord:exportchips and concord:checkchips: what is cut, split, described, and found wrong."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from algorithms import makers
from qgis.core import QgsProcessingException

from concord.plugin.engine import files, rasters

CHIP = 16


@pytest.fixture
def consensus(run_algorithm, place, tmp_path) -> str:
    return run_algorithm(
        "concord:consensus",
        {"ANNOTATIONS": list(place.people), "OUTPUT": str(tmp_path / "given" / "consensus.tif")},
    )["OUTPUT"]


@pytest.fixture
def export(run_algorithm, place, consensus):
    def run(**parameters):
        given = {
            "IMAGERY": [place.image], "LABELS": consensus, "CONSENSUS": consensus,
            "CHIP_SIZE": CHIP, "BLOCK": 320, "BUFFER": 0, "SPLIT": "60/20/20",
            "LICENCE": "CC0-1.0", "TAXONOMY": "", "OUTPUT": place.target("chips"),
        }  # fmt: skip
        return run_algorithm("concord:exportchips", {**given, **parameters})

    return run


@pytest.fixture
def check(run_algorithm, place):
    def run():
        run_algorithm("concord:checkchips", {"INPUT": place.target("chips")})

    return run


def items(place) -> dict:
    paths = sorted((place.out / "chips" / "chips").glob("*/*.json"))
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def test_every_chip_is_the_pixels_of_its_place(export, check, place, consensus):
    results = export()
    image, labels = makers.look(place.image), makers.look(consensus)
    found = items(place)
    assert len(found) == results["CHIPS"] == (96 // CHIP) * (64 // CHIP)
    for path, item in found.items():
        chip = makers.look(path.parent / item["assets"]["image"]["href"])
        mask = makers.look(path.parent / item["assets"]["labels"]["href"])
        score = makers.look(path.parent / "consensus.tif")
        assert chip.transform == mask.transform == score.transform
        col = round((chip.transform[0] - 500000) / 10)
        row = round((5600000 - chip.transform[3]) / 10)
        part = (slice(row, row + CHIP), slice(col, col + CHIP))
        assert np.array_equal(chip.values, image.values[(slice(None), *part)])
        assert np.array_equal(mask.values[0], labels.values[0][part])
        assert np.array_equal(score.values[0], labels.values[1][part])
        assert chip.epsg == mask.epsg == "32632" and chip.names == list(makers.BANDS)
        assert item["properties"]["proj:bbox"] == pytest.approx(
            [chip.transform[0], chip.transform[3] - 160, chip.transform[0] + 160,
             chip.transform[3]])  # fmt: skip
    check()


def test_splits_follow_blocks_and_the_buffer(export, check, place):
    export(BUFFER=160, SEED=3)
    boxes = {}
    for item in items(place).values():
        boxes.setdefault(item["properties"]["ml-aoi:split"], []).append(
            item["properties"]["proj:bbox"]
        )
    assert set(boxes) == {"train", "validate", "test"}
    for name, own in boxes.items():
        for other in (b for n, bs in boxes.items() if n != name for b in bs):
            for box in own:
                dx = max(other[0] - box[2], box[0] - other[2], 0)
                dy = max(other[1] - box[3], box[1] - other[3], 0)
                assert np.hypot(dx, dy) >= 160 - 1e-6
    check()


def test_the_gates_reject_and_say_why(export, place, consensus):
    values = makers.look(consensus).values
    blocks = np.where(values[0] > 0, values[1], 0)[:64, :96].reshape(4, CHIP, 6, CHIP)
    least = float(np.median(blocks.mean(axis=(1, 3))))
    export(MIN_SCORE=least, MIN_LABELLED=0.9)
    with open(place.out / "chips" / "rejected.csv", encoding="utf-8") as rows:
        rejected = {row["id"]: row["reason"] for row in csv.DictReader(rows)}
    kept = {item["id"] for item in items(place).values()}
    assert kept and rejected and len(kept) + len(rejected) == 24
    for path, item in items(place).items():
        mask = makers.look(path.parent / "label.tif").values[0]
        score = makers.look(path.parent / "consensus.tif").values[0]
        usable = (mask > 0) & (mask < 255)
        assert score[usable].mean() >= least - 1e-6 and usable.mean() >= 0.9, item["id"]
    assert all("posterior" in reason or "labelled" in reason for reason in rejected.values())


def test_what_stands_beside_the_chips_agrees(export, place):
    export(DATE="2020-06-01")
    folder = place.out / "chips"
    ids = {item["id"] for item in items(place).values()}
    with open(folder / "index.csv", encoding="utf-8") as rows:
        index = {row["id"]: row["split"] for row in csv.DictReader(rows)}
    splits = json.loads((folder / "splits.geojson").read_text(encoding="utf-8"))
    drawn = {f["properties"]["id"]: f["properties"]["split"] for f in splits["features"]}
    stated = {i["id"]: i["properties"]["ml-aoi:split"] for i in items(place).values()}
    assert index == drawn == stated and set(index) == ids
    manifest = files.read_json(folder / "manifest.json")
    made = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert made == set(manifest["files"]) | {"manifest.json"}
    assert manifest["licence"] == "CC0-1.0"
    for name in ("collection.json", "classes.json", "DATASHEET.md"):
        assert name in made
    assert all(i["properties"]["datetime"].startswith("2020-06-01") for i in items(place).values())


def test_a_second_export_has_the_same_bytes(export, place):
    export(SEED=5)
    first = makers.snapshot(place.out / "chips")
    shutil.rmtree(place.out / "chips")
    export(SEED=5)
    assert makers.snapshot(place.out / "chips") == first


def test_an_image_of_another_crs_and_pixel_size_is_moved_and_labels_are_not(
    export, check, place, tmp_path, run_algorithm
):
    other = run_algorithm(
        "concord:loadscene",
        {"INPUT": place.image, "CRS": "EPSG:25833", "RESOLUTION": 7,
         "OUTPUT": str(tmp_path / "other.tif")},
    )["OUTPUT"]  # fmt: skip
    export(IMAGERY=f"{other}")
    truth = makers.look(place.image).values
    errors = []
    for path, item in items(place).items():
        chip = makers.look(path.parent / "other.tif")
        assert item["id"] and chip.epsg == "32632" and chip.values.shape == (4, CHIP, CHIP)
        col = round((chip.transform[0] - 500000) / 10)
        row = round((5600000 - chip.transform[3]) / 10)
        part = truth[:, row : row + CHIP, col : col + CHIP]
        errors.append(np.nanmedian(abs(chip.values - part)))
    assert max(errors) < 0.01
    check()


def test_two_images_become_two_assets(export, place, tmp_path, check):
    visible = makers.image(tmp_path / "s2 visible.tif", bands=("blue", "green", "red"))
    infrared = makers.image(tmp_path / "infrared.tif", bands=("nir",))
    export(IMAGERY=[visible, infrared])
    item = next(iter(items(place).values()))
    data = [k for k, a in item["assets"].items() if a["roles"] == ["data"]]
    assert len(data) == 2
    check()


def spoil_pixels(folder):
    path = next((folder / "chips").glob("*/label.tif"))
    info = rasters.info(path)
    rasters.write(path, np.full((CHIP, CHIP), 77, np.uint8), info.grid, nodata=0)


def spoil_place(folder):
    path = next((folder / "chips").glob("*/image.tif"))
    values, grid = rasters.read(path), rasters.info(path).grid
    from dataclasses import replace

    a, b, c, d, e, f = grid.transform
    rasters.write(path, values, replace(grid, transform=(a, b, c + 5, d, e, f)))


def spoil_split(folder):
    for path in sorted((folder / "chips").glob("*/*.json"))[:3]:
        item = files.read_json(path)
        old = item["properties"]["ml-aoi:split"]
        item["properties"]["ml-aoi:split"] = "test" if old == "train" else "train"
        files.write_json(path, item)


def spoil_item(folder):
    path = next((folder / "chips").glob("*/*.json"))
    path.write_text("{", encoding="utf-8")


SPOILT = {
    "a file is missing": lambda f: next((f / "chips").glob("*/label.tif")).unlink(),
    "a byte changed": lambda f: (f / "index.csv").write_text("id\n", encoding="utf-8"),
    "a foreign file": lambda f: (f / "chips" / "notes.txt").write_text("x", encoding="utf-8"),
    "an unknown code": spoil_pixels,
    "a moved chip": spoil_place,
    "another split": spoil_split,
    "a broken item": spoil_item,
    "no classes": lambda f: (f / "classes.json").unlink(),
    "a chip is gone": lambda f: shutil.rmtree(next((f / "chips").iterdir())),
}


@pytest.fixture
def good_set(export, place, tmp_path_factory):
    """A copy of one good set, exported once for all tests."""
    kept = tmp_path_factory.getbasetemp() / "one good set"
    if not kept.exists():
        export(OUTPUT=str(kept))
    return shutil.copytree(kept, place.out / "chips")


@pytest.mark.parametrize("what", sorted(SPOILT))
def test_a_spoilt_set_fails_and_the_report_lists_why(good_set, run_algorithm, place, what):
    folder = good_set
    SPOILT[what](folder)
    report = place.target("report.json")
    with pytest.raises(QgsProcessingException) as caught:
        run_algorithm("concord:checkchips", {"INPUT": str(folder), "REPORT": report})
    assert str(folder) in str(caught.value)
    values = files.read_json(report)
    assert not values["passed"] and values["finding_count"] == len(values["findings"]) > 0
    kinds = {finding["kind"] for finding in values["findings"]}
    # Relabelled splits of chips that touch are no leak; the checksum finds them.
    wanted = {"an unknown code": "codes", "a moved chip": "georeference",
              "a broken item": "stac", "no classes": "codes"}  # fmt: skip
    assert wanted.get(what, "files") in kinds


def test_a_good_set_passes_with_numbers(export, run_algorithm, place):
    chips = export()["CHIPS"]
    results = run_algorithm(
        "concord:checkchips", {"INPUT": place.target("chips"), "REPORT": place.target("r.json")}
    )
    values = files.read_json(results["REPORT"])
    assert values["passed"] and values["chips"] == chips == results["CHIPS"]
    assert {verdict["level"] for verdict in values["verdicts"]} == {"green"}
