"""A checker that finds every harm done to a chip set, also by a forger."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import files, rasters
from concord.plugin.engine.chips import check, split
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid


def kinds(report) -> set:
    return {finding["kind"] for finding in report["findings"]}


def items(folder) -> list:
    return sorted((folder / "chips").glob("*/*.json"))


def rewrite(path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def reseal(folder) -> None:
    """Make the manifest agree with the files again, as a forger would."""

    def change(manifest):
        manifest["files"] = {n: files.sha256(folder / n) for n in manifest["files"]}

    rewrite(folder / "manifest.json", change)


def test_a_fresh_set_passes(chip_set):
    report = check.check(str(chip_set))
    assert report["passed"] and report["finding_count"] == 0
    assert {v["level"] for v in report["verdicts"]} == {"green"}
    assert report["chips"] == len(items(chip_set)) > 10


def flip(folder):
    path = next((folder / "chips").glob("*/label.tif"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def leave(folder):
    def change(manifest):
        manifest["files"]["../chips-in/map.tif"] = "0"

    rewrite(folder / "manifest.json", change)


def unlicensed(folder):
    rewrite(folder / "manifest.json", lambda m: m.update(licence=" "))


@pytest.mark.parametrize(
    "harm, kind, words",
    [
        (flip, "files", "changed since the export"),
        (lambda f: next((f / "chips").glob("*/label.tif")).unlink(), "files", "missing"),
        (lambda f: (f / "more.txt").write_text("x"), "files", "not in the manifest"),
        (leave, "files", "the name leaves the folder"),
        (unlicensed, "licence", "no licence"),
        (lambda f: items(f)[0].unlink(), "counts", "chips"),
        (lambda f: (f / "classes.json").unlink(), "codes", "missing or damaged"),
        (lambda f: items(f)[0].write_text("{"), "stac", "cannot be read"),
        (lambda f: items(f)[0].write_text("[]"), "stac", "cannot be read"),
    ],
)
def test_harm_is_found_and_named(chip_set, harm, kind, words):
    harm(chip_set)
    report = check.check(str(chip_set))
    assert not report["passed"] and kind in kinds(report)
    assert any(words in f["detail"] for f in report["findings"] if f["kind"] == kind)
    assert "red" in [v["level"] for v in report["verdicts"]]


def moved_split(folder):
    """A train chip that touches another one becomes a test chip."""
    chips = {path: json.loads(path.read_text())["properties"] for path in items(folder)}
    train = [p for p, c in chips.items() if c["ml-aoi:split"] == "train"]
    for path in train:
        box = chips[path]["proj:bbox"]
        boxes = np.array([chips[p]["proj:bbox"] for p in train if p != path])
        if (split.distance(np.array(box), boxes) == 0).any():
            rewrite(path, lambda item: item["properties"].update({"ml-aoi:split": "test"}))
            return
    raise AssertionError("no two train chips touch")


def other_code(folder):
    path = next((folder / "chips").glob("*/label.tif"))
    rasters.write(path, np.full((16, 16), 9, np.uint8), rasters.info(path).grid, sidecar=False)


def moved_chip(folder):
    path = next((folder / "chips").glob("*/label.tif"))
    a, b, c, d, e, f = rasters.info(path).grid.transform
    grid = Grid("EPSG:32632", (a, b, c + 10, d, e, f), 16, 16)
    rasters.write(path, np.ones((16, 16), np.uint8), grid, sidecar=False)


def other_crs(folder):
    path = next((folder / "chips").glob("*/label.tif"))
    grid = rasters.info(path).grid
    rasters.write(path, np.ones((16, 16), np.uint8),
                  Grid("EPSG:32633", grid.transform, 16, 16), sidecar=False)  # fmt: skip


def false_box(folder):
    def change(item):
        item["properties"]["proj:bbox"] = [0, 0, 160, 160]

    rewrite(items(folder)[0], change)


def twins(folder):
    by_split = {}
    for path in items(folder):
        split_ = json.loads(path.read_text())["properties"]["ml-aoi:split"]
        by_split.setdefault(split_, path)
    one, other = by_split["train"].parent, by_split["test"].parent
    source, target = one / "S2A_20210630.tif", other / "S2A_20210630.tif"
    info = rasters.info(target)
    rasters.write(target, rasters.read(source), info.grid, sidecar=False)


def no_split(folder):
    rewrite(items(folder)[0], lambda item: item["properties"].update({"ml-aoi:split": "dev"}))


def foreign_asset(folder):
    rewrite(
        items(folder)[0], lambda i: i["assets"]["labels"].update(href="../../../chips-in/map.tif")
    )


def absolute_asset(folder):
    rewrite(items(folder)[0], lambda i: i["assets"]["labels"].update(href="/etc/passwd"))


def undated(folder):
    rewrite(items(folder)[0], lambda i: i["properties"].pop("datetime"))


@pytest.mark.parametrize(
    "harm, kind, words",
    [
        (moved_split, "leak", "of another split, buffer 80"),
        (moved_split, "counts", "the item says test, the index train"),
        (twins, "leak", "same pixels as"),
        (other_code, "codes", "code 9 is not in the taxonomy"),
        (moved_chip, "georeference", "does not lie where the item says"),
        (other_crs, "georeference", "has another CRS than the item"),
        (false_box, "georeference", "does not lie where the item says"),
        (no_split, "stac", "has the split 'dev'"),
        (foreign_asset, "files", "asset labels is missing"),
        (absolute_asset, "stac", "cannot be read"),
        (undated, "stac", "has neither datetime nor an interval"),
    ],
)
def test_harm_is_found_although_the_manifest_agrees(chip_set, harm, kind, words):
    harm(chip_set)
    reseal(chip_set)
    report = check.check(str(chip_set))
    assert not report["passed"]
    assert any(words in f["detail"] for f in report["findings"] if f["kind"] == kind), report


def test_chips_without_a_feature_are_no_twins(make_set, put):
    """Two images of open sea are alike; a second image that covers only a part is empty twice."""
    sea = np.full((64, 64), 9, np.uint8)
    folder, _ = make_set(images=[put("sea.tif", sea)])
    assert check.check(str(folder))["passed"]
    pixels = np.random.default_rng(1).integers(1, 255, (64, 64)).astype(np.uint8)
    part = put("a_part.tif", pixels[:10, :10].astype(np.float32), nodata=0)
    folder, _ = make_set("two", images=[part, put("b_all.tif", pixels)])
    assert check.check(str(folder))["passed"], check.check(str(folder))["findings"]


@pytest.mark.parametrize("content", [None, "[]", "{", "3"])
def test_what_is_no_set_is_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ConcordError, match="holds no manifest|not valid JSON|not what Concord"):
        check.check(str(tmp_path))
    with pytest.raises(ConcordError, match="is no folder"):
        check.check(str(tmp_path / "none"))


@pytest.mark.parametrize(
    "damage",
    [
        {"files": 3},
        {"files": None},
        {"settings": []},
        {"report": "x"},
        {"settings": {"buffer": "far"}},
    ],
)
def test_a_damaged_manifest_never_escapes_as_a_raw_error(chip_set, damage):
    rewrite(chip_set / "manifest.json", lambda m: m.update(damage))
    try:
        assert not check.check(str(chip_set))["passed"]
    except ConcordError as error:
        assert "manifest" in str(error)


def test_an_index_saved_in_another_encoding_ended_in_a_traceback(chip_set):
    index = chip_set / "index.csv"
    index.write_text(index.read_text(encoding="utf-8"), encoding="utf-16")
    report = check.check(str(chip_set))
    details = {f["detail"] for f in report["findings"] if f["file"] == "index.csv"}
    assert not report["passed"] and any("cannot be read" in detail for detail in details)
