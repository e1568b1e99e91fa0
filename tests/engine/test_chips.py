"""Chip sets: ids, gate, splits that never leak, same bytes, STAC, and a checker that finds harm."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from concord.plugin.engine import files, rasters
from concord.plugin.engine.chips import check, plan, split, stac
from concord.plugin.engine.chips.export import ExportWish, export
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.progress import Progress


@pytest.fixture
def make_set(put, tmp_path):
    """make_set(name, size, ...) -> (folder, report) of a set over a random image and map."""

    def go(name="chips", side=128, grid=None, labels=None, score=None, images=None, **wish):
        rng = np.random.default_rng(5)
        if labels is None:
            labels = rng.integers(1, 4, (side, side)).astype(np.uint8)
        mask = put(f"{name}-in/map.tif", labels, grid, categories={1: "a", 2: "b", 3: "c"})
        if images is None:
            pixels = rng.integers(1, 4000, (2, *labels.shape)).astype(np.uint16)
            images = [put(f"{name}-in/S2A_20210630.tif", pixels, grid, names=["B04", "B08"])]
        consensus = None
        if score is not None:
            planes = np.stack([labels, score]).astype(np.uint8)
            consensus = put(f"{name}-in/c.tif", planes, grid, names=["class", "posterior"])
        asked = {"size": 16, "licence": "CC-BY-4.0", "gate": plan.Gate(), "buffer": 0.0, **wish}
        report = export(images, mask, str(tmp_path / name), ExportWish(**asked), consensus)
        return tmp_path / name, report

    return go


def tree(folder) -> dict:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(Path(folder).rglob("*")) if p.is_file()}  # fmt: skip


def index(folder) -> list:
    with open(folder / "index.csv", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def kinds(report) -> set:
    return {finding["kind"] for finding in report["findings"]}


# --- ids --------------------------------------------------------------------------------------


@given(
    st.integers(-10_000, 60_000), st.integers(-10_000, 500_000), st.sampled_from([0, 1 / 2, 1 / 3, 3 / 4]),
    st.sampled_from([10.0, 0.3, 30.0, 1 / 3600]), st.integers(1, 9), st.booleans(),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_ids_are_unique_and_those_of_the_place(left, top, shift, pixel, stride, south_up):
    """Half a pixel of shift and an odd stride once gave two chips one id."""
    down = pixel if south_up else -pixel
    grid = Grid("EPSG:32632", (pixel, 0.0, (left + shift) * pixel, 0.0, down, (top + shift) * pixel),
                40, 30)  # fmt: skip
    chips = {chip.window: chip.id for chip in plan.chip_grid(grid, 8, stride)}
    assert len(set(chips.values())) == len(chips)
    part = grid.sub(Window(3 * stride, 2 * stride, 9, 8))
    (inner,) = plan.chip_grid(part, 8, stride)[:1]
    assert inner.id == chips.get(Window(3 * stride, 2 * stride, 8, 8), inner.id)


def test_ids_count_pixels_from_the_origin_of_the_crs(make_grid):
    first, second, *_ = plan.chip_grid(make_grid(40, 30), 10, 10)
    assert (first.id, second.id) == ("32632_50000_500000", "32632_50010_500000")


def test_a_crs_without_code_has_a_stable_prefix(put, make_grid):
    albers = rasters.wkt("EPSG:5070").replace("-96", "-95")
    custom = make_grid(30, 30, crs=albers)
    assert rasters.epsg(albers) is None
    one, other = (plan.chip_grid(grid, 8, 8)[0].id for grid in (custom, custom))
    assert one == other and one.startswith("x")


@pytest.mark.parametrize(
    "size, stride, words", [(7, 8, "cannot be cut"), (8, 0, "cannot be cut"), (8, -1, "cannot be"),
                            (31, 8, "smaller than a chip of 31"), (8, 1, None)],
)  # fmt: skip
def test_impossible_chips_are_sentences(make_grid, size, stride, words):
    if words is None:
        assert len(plan.chip_grid(make_grid(40, 30), size, stride)) == 33 * 23
        return
    with pytest.raises(ConcordError, match=words):
        plan.chip_grid(make_grid(40, 30), size, stride)


def test_too_many_chips_are_refused_before_they_are_made(make_grid):
    with pytest.raises(ConcordError, match="at most 200,000"):
        plan.chip_grid(make_grid(50_000, 50_000), 8, 8)


# --- gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, score, gate, problem",
    [
        ([1, 1, 0, 255], None, (0, 0.5), ""),
        ([1, 0, 0, 255], None, (0, 0.5), "labelled share 0.25 below 0.50"),
        ([0, 255, 0, 255], None, (0, 0), "no labelled pixel"),
        ([1, 1, 0, 2], [60, 90, 0, 30], (0.6, 0), ""),
        ([1, 1, 0, 2], [60, 90, 0, 29], (0.6, 0), "mean posterior 0.60 below 0.60"),
    ],
)
def test_the_gate_looks_at_labelled_pixels_only(labels, score, gate, problem):
    score = None if score is None else np.array([score], np.uint8)
    content = plan.content_of(np.array([labels], np.uint8), score)
    assert plan.Gate(*gate).problem(content) == problem


def test_rejected_chips_are_listed_with_the_reason(make_set):
    labels = np.ones((64, 64), np.uint8)
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


# --- splits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text, shares", [("70/15/15", (0.7, 0.15, 0.15)), ("100/0/0", (1, 0, 0)),
                                          ("33.4/33.3/33.3", (0.334, 0.333, 0.333))])  # fmt: skip
def test_shares_are_parsed(text, shares):
    assert split.parse_shares(text) == pytest.approx(shares)


@pytest.mark.parametrize("text", ["70/15/10", "70/30", "a/b/c", "", "120/-10/-10", "70;15;15"])
def test_shares_that_do_not_sum_are_refused(text):
    with pytest.raises(ConcordError, match="does not sum to 100; give train/validate/test"):
        split.parse_shares(text)


def planned(grid, size, stride, seed=0):
    rng = np.random.default_rng(seed)
    return [plan.Planned(chip, plan.content_of(rng.integers(1, 4, (4, 4)).astype(np.uint8), None))
            for chip in plan.chip_grid(grid, size, stride)]  # fmt: skip


def gaps(kept) -> list:
    """Gaps between chips of different splits, the slow way; negative when they overlap."""
    found = []
    for i, one in enumerate(kept):
        for other in kept[:i]:
            if one.split != other.split:
                a, b = one.chip.bounds, other.chip.bounds
                dx, dy = max(a[0] - b[2], b[0] - a[2]), max(a[1] - b[3], b[1] - a[3])
                found.append(-1.0 if max(dx, dy) < 0 else float(np.hypot(max(dx, 0), max(dy, 0))))
    return found


@given(
    st.integers(8, 20), st.integers(3, 24), st.floats(50.0, 900.0), st.floats(0.0, 300.0),
    st.integers(0, 99), st.integers(60, 130),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_splits_never_overlap_and_keep_the_buffer(size, stride, block, buffer, seed, width):
    assume((width - size) // stride * ((60 - size) // stride) < 160)
    grid = Grid("EPSG:32632", (10.0, 0.0, 500_005.0, 0.0, -10.0, 5_000_000.0), width, 60)
    chips = planned(grid, size, stride, seed)
    try:
        dealt = split.assign(chips, (0.6, 0.2, 0.2), block, seed, [1, 2, 3])
    except ConcordError as error:
        assert "choose a smaller BLOCK" in str(error)
        return
    kept, dropped = split.apart(dealt, buffer)
    assert len(kept) + len(dropped) == len(chips)
    found = gaps(kept)
    assert all(gap >= 0 and gap >= buffer * (1 - 1e-6) for gap in found)
    nearest = split.nearest_distance(kept)
    assert nearest == (pytest.approx(min(found)) if found else None)
    assert [p.chip.id for p in kept] == sorted(p.chip.id for p in kept)


def test_shares_are_met_on_a_large_area(make_grid):
    chips = planned(make_grid(1600, 1600), 16, 16)
    for seed in (0, 1):
        dealt = split.assign(chips, (0.7, 0.15, 0.15), 640.0, seed, [1, 2, 3])
        for name, share in zip(split.SPLITS, (0.7, 0.15, 0.15)):
            own = [p for p in dealt if p.split == name]
            assert len(own) / len(chips) == pytest.approx(share, abs=0.02)
            counts = sum(p.content.counts[1:4] for p in own)
            assert counts / counts.sum() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_block_is_never_torn(make_grid):
    dealt = split.assign(planned(make_grid(400, 400), 16, 16), (0.5, 0.25, 0.25), 700.0, 1, [1, 2, 3])
    owners = {}
    for p in dealt:
        assert owners.setdefault(p.block, p.split) == p.split
    assert set(owners.values()) == set(split.SPLITS)


def test_a_rare_class_reaches_every_split(make_grid):
    chips = planned(make_grid(640, 640), 16, 16)
    for p in chips:
        p.content.counts[4] = 10 if p.chip.window.col < 64 and p.chip.window.row < 640 else 0
    dealt = split.assign(chips, (0.6, 0.2, 0.2), 640.0, 3, [1, 2, 3, 4])
    for name in split.SPLITS:
        assert sum(p.content.counts[4] for p in dealt if p.split == name) > 0


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
    half = put("half.tif", np.ones((128, 40), np.float32))
    with pytest.raises(ConcordError, match="cover no chip of (train|validate|test)"):
        make_set(images=[half], block=640.0, shares=(0.5, 0.0, 0.5), seed=_seed_with_test_right())
    assert not (tmp_path / "chips").exists()


def _seed_with_test_right() -> int:
    """A seed that deals the blocks on the right side to the test split alone or train alone."""
    grid = Grid("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0), 128, 128)
    rng = np.random.default_rng(5)
    labels = rng.integers(1, 4, (128, 128)).astype(np.uint8)
    chips = [plan.Planned(c, plan.content_of(labels[c.window.slices], None))
             for c in plan.chip_grid(grid, 16, 16)]  # fmt: skip
    for seed in range(100):
        dealt = split.assign(chips, (0.5, 0.0, 0.5), 640.0, seed, [1, 2, 3])
        if len({p.split for p in dealt if p.chip.window.col < 40}) == 1:
            return seed
    raise AssertionError("no such seed")


def test_a_cancel_leaves_nothing(put, tmp_path):
    mask = put("in/map.tif", np.ones((64, 64), np.uint8))
    image = put("in/a.tif", np.ones((64, 64), np.uint8))
    count = iter(range(1000))
    progress = Progress(cancelled=lambda: next(count) > 25)
    with pytest.raises(Cancelled):
        wish = ExportWish(size=16, licence="CC0-1.0", shares=(1, 0, 0))
        export([image], mask, str(tmp_path / "chips"), wish, progress=progress)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


# --- what is written --------------------------------------------------------------------------


def test_chips_hold_the_very_pixels_in_their_place(make_set, tmp_path, make_grid):
    score = np.random.default_rng(1).integers(0, 101, (128, 128))
    folder, report = make_set(score=score, seed=3)
    grid = make_grid(128, 128)
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
        np.testing.assert_array_equal(rasters.read(place / "S2A_20210630.tif"), image[:, rows_, cols])
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
    wish = {"shares": (0.6, 0.2, 0.2), "block": 320.0}
    first, _ = make_set("one", **wish)
    second, _ = make_set("two", **wish)
    # The folders of the inputs differ, their names and bytes do not.
    assert tree(first) == tree(second)
    third, _ = make_set("three", seed=7, **wish)
    assert {r["id"]: r["split"] for r in index(third)} != {r["id"]: r["split"] for r in index(first)}


def test_ids_survive_a_second_export_and_a_smaller_map(make_set, make_grid):
    whole, _ = make_set("whole", shares=(1, 0, 0))
    grid = make_grid(128, 128).sub(Window(32, 48, 64, 64))
    part, _ = make_set("part", side=64, grid=grid, shares=(1, 0, 0))
    ids = {row["id"]: row["left"] + row["top"] for row in index(whole)}
    assert all(ids[row["id"]] == row["left"] + row["top"] for row in index(part))
    assert len(index(part)) == 16


@pytest.mark.parametrize("kind", ["utm", "degrees", "custom", "southern"])
def test_stac_is_valid_and_can_be_opened(make_set, make_grid, kind):
    import pystac
    from pystac import STACObjectType
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    grid = {
        "utm": make_grid(64, 64),
        "degrees": make_grid(64, 64, 1e-4, left=7.0, top=46.0, crs="EPSG:4326"),
        "custom": make_grid(64, 64, crs=rasters.wkt("EPSG:5070").replace("-96", "-95")),
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


# --- the checker ------------------------------------------------------------------------------


@pytest.fixture
def chip_set(make_set):
    folder, _ = make_set(shares=(0.6, 0.2, 0.2), block=320.0, buffer=160.0)
    return folder


def items(folder) -> list:
    return sorted((folder / "chips").glob("*/*.json"))


def rewrite(path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def reseal(folder) -> None:
    """Make the manifest agree with the files again, as a forger would."""

    def change(manifest):
        manifest["files"] = {name: digest for name, digest in tree(folder).items()
                             if name != "manifest.json"}  # fmt: skip

    rewrite(folder / "manifest.json", change)


def test_a_fresh_set_passes(chip_set):
    report = check.check(str(chip_set))
    assert report["passed"] and report["finding_count"] == 0
    assert {v["level"] for v in report["verdicts"]} == {"green"}
    assert report["chips"] == len(index(chip_set)) > 10


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
    for path in items(folder):
        item = json.loads(path.read_text())
        if item["properties"]["ml-aoi:split"] == "train":
            item["properties"]["ml-aoi:split"] = "test"
            path.write_text(json.dumps(item))
            return


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
    rewrite(items(folder)[0], lambda i: i["assets"]["labels"].update(href="../../../chips-in/map.tif"))


def absolute_asset(folder):
    rewrite(items(folder)[0], lambda i: i["assets"]["labels"].update(href="/etc/passwd"))


def undated(folder):
    rewrite(items(folder)[0], lambda i: i["properties"].pop("datetime"))


@pytest.mark.parametrize(
    "harm, kind, words",
    [
        (moved_split, "leak", "chip"),
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
    sea = np.full((128, 128), 9, np.uint8)
    folder, _ = make_set(images=[put("sea.tif", sea)], shares=(0.5, 0.25, 0.25), block=320.0)
    assert check.check(str(folder))["passed"]
    pixels = np.random.default_rng(1).integers(1, 255, (128, 128)).astype(np.uint8)
    part = put("a_part.tif", pixels[:10, :10].astype(np.float32), nodata=0)
    paths = [part, put("b_all.tif", pixels)]
    folder, _ = make_set("two", images=paths, shares=(0.5, 0.25, 0.25), block=320.0)
    assert check.check(str(folder))["passed"], check.check(str(folder))["findings"]


@pytest.mark.parametrize("content", [None, "[]", "{", "3"])
def test_what_is_no_set_is_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ConcordError, match="holds no manifest|not valid JSON|not what Concord"):
        check.check(str(tmp_path))
    with pytest.raises(ConcordError, match="is no folder"):
        check.check(str(tmp_path / "none"))


@pytest.mark.parametrize("damage", [{"files": 3}, {"files": None}, {"settings": []}, {"report": "x"},
                                    {"settings": {"buffer": "far"}}])  # fmt: skip
def test_a_damaged_manifest_never_escapes_as_a_raw_error(chip_set, damage):
    rewrite(chip_set / "manifest.json", lambda m: m.update(damage))
    try:
        assert not check.check(str(chip_set))["passed"]
    except ConcordError as error:
        assert "manifest" in str(error)
