"""Gates, unsure pixels, curation, domains, autocorrelation, and input that cannot be used."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import audit, check, curate, domains, export, objects, plan, split
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from tests.engine import chips_data as data


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def scene(place):
    return data.scene(place)


@pytest.fixture
def preview(scene):
    def run(imagery=None, labels=None, consensus=scene.consensus, **more):
        images = imagery or [scene.first]
        return export.preview(images, labels or scene.labels, data.wish(**more), consensus)[0]

    return run


def layer(place: Path, name: str, array: np.ndarray, **more) -> str:
    path = str(place / f"{name}.tif")
    rasters.write(path, array, data.GRID, **more)
    return path


def half(left, right) -> np.ndarray:
    array = np.full((256, 256), left, np.uint8)
    array[:, 128:] = right
    return array


def test_every_gate_rejects_with_its_reason(preview, place):
    agreement = layer(place, "agreement", half(30, 90), names=["agreement"])
    clear = layer(place, "clear", half(0, 1))
    votes = layer(place, "votes", half(1, 3))
    for gate, more, reason in (
        (plan.Gate(min_agreement=0.5), {"agreement": agreement}, "mean agreement"),
        (plan.Gate(min_clear=0.5), {"clear": clear}, "clear share"),
        (plan.Gate(min_annotators=2), {"votes": votes}, "number of annotators"),
    ):
        report = preview(gate=gate, **more)
        assert report["chips"] == 32 and report["reasons"] == {reason: 32}


def test_undecided_share(preview, place, scene):
    codes = scene.codes.copy()
    codes[:, :128][::2] = 255
    labels = layer(place, "undecided", codes, nodata=0, categories=data.CLASSES)
    report = preview(labels=labels, gate=plan.Gate(max_undecided=0.4))
    assert report["chips"] == 32 and report["reasons"] == {"undecided share": 32}


def test_share_without_image_data(preview, place):
    image = np.full((1, 256, 256), 7, np.uint16)
    image[:, :, :128] = 0
    image[:, :, 128:144] = 0
    path = layer(place, "holes", image, names=["red"], nodata=0)
    report = preview([path], gate=plan.Gate(max_nodata=0.25))
    assert report["chips"] == 24
    assert report["reasons"] == {"no image data": 32, "share without image data": 8}


def test_review_stage_decides(preview):
    left, bottom, right, top = data.GRID.bounds
    middle = (left + right) / 2
    review = (
        domains.Region("accepted", box(left, bottom, middle, top)),
        domains.Region("sent back", box(middle, bottom, right, (bottom + top) / 2)),
    )
    found = preview(review=review)
    assert found["chips"] == 32
    assert found["reasons"] == {"in no reviewed task": 16, "review stage is sent back": 16}
    with pytest.raises(ConcordError, match="review stage final"):
        preview(review=review, stages=("final",))


def test_object_match_score(preview, place, scene):
    one, other = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    one[2:8, 2:8] = one[12:16, 12:16] = 1
    other[3:8, 2:8] = 1
    other[0, 19] = 1
    assert objects.match_score(one, other, [1]) == 0.5  # one of two and one of two
    assert objects.match_score(one, one, [1]) == 1 and objects.match_score(one, one, [3]) is None
    second = scene.codes.copy()
    second[:, 128:] = 3
    path = layer(place, "second", second, nodata=0)
    found = preview(match=path, gate=plan.Gate(min_match=0.99))
    assert 32 <= found["chips"] < 64 and set(found["reasons"]) == {"object match score"}


def test_a_gate_whose_raster_is_missing_says_so(preview):
    with pytest.raises(ConcordError, match="needs the raster AGREEMENT"):
        preview(gate=plan.Gate(min_agreement=0.5))


@pytest.mark.parametrize("low", ["ignore", "weight"])
def test_unsure_pixels_become_ignore_or_a_weight_band(scene, tmp_path, low):
    wish = data.wish(low=low, low_below=0.7)
    export.export([scene.first], scene.labels, str(tmp_path / "set"), wish, scene.consensus)
    checked = 0
    for folder in (tmp_path / "set" / "chips").iterdir():
        window = data.GRID.window_of(rasters.info(folder / "label.tif").grid.bounds)
        codes, sure = scene.codes[window.slices], scene.posterior[window.slices] >= 70
        label, used = rasters.read(folder / "label.tif")[0], codes > 0
        if low == "ignore":
            assert np.array_equal(label, np.where(used & ~sure, 255, codes))
        else:
            weight = rasters.read(folder / "weight.tif")[0]
            assert np.array_equal(label, codes)
            expected = np.where(used & sure, scene.posterior[window.slices], 0)
            assert np.array_equal(weight, expected)
        checked += 1
    assert checked == 64 and check.check(str(tmp_path / "set"))["passed"]


def test_unsure_pixels_need_a_consensus(preview):
    with pytest.raises(ConcordError, match="choose CONSENSUS"):
        preview(consensus=None, low="ignore", low_below=0.5)


@pytest.mark.parametrize("kind", ["its table", "its name", "its values", "the labels' codes"])
def test_a_class_raster_as_consensus_was_read_as_a_posterior(preview, scene, place, kind):
    """Codes of 1 to 3 passed for a posterior of 1 to 3 percent, and no chip passed the gate."""
    said = {"its table": {"categories": {1: "a", 2: "b"}}, "its name": {"names": ["class"]}}
    codes = scene.codes
    path = layer(place, "classes", codes, nodata=0, **said.get(kind, {}))
    chosen = {"consensus": path}
    if kind == "the labels' codes":  # such as NLCD's, which might be percentages
        chosen = {"consensus": layer(place, "high", codes * 20, nodata=0)}
        chosen["labels"] = layer(place, "same", codes * 20, nodata=0)
    with pytest.raises(ConcordError, match="the bands class and posterior, choose one"):
        preview(**chosen)


def test_a_posterior_alone_is_read_as_one(preview, scene, place):
    path = layer(place, "posterior only", scene.posterior)
    assert preview(consensus=path, gate=plan.Gate(min_score=0.5))["chips"] == 64
    shares = layer(place, "shares", (scene.posterior / 100).astype(np.float32))
    with pytest.raises(ConcordError, match="up to 1, but a posterior is given in percent"):
        preview(consensus=shares)


def test_an_image_as_consensus_and_a_consensus_as_agreement_are_refused(preview, scene):
    with pytest.raises(ConcordError, match="no band named posterior"):
        preview(consensus=scene.first)
    with pytest.raises(ConcordError, match="holds no agreement"):
        preview(agreement=scene.consensus, gate=plan.Gate(min_agreement=0.02))


def test_near_duplicates_caps_and_target(preview, place):
    rng = np.random.default_rng(3)
    tile = rng.integers(100, 4000, (2, 32, 32))
    image = rng.integers(100, 4000, (2, 256, 256))
    for k in range(4):  # five chips that look the same
        image[:, :32, 32 * k : 32 * k + 32] = tile + k
    path = layer(place, "twins", image.astype(np.uint16), names=["red", "nir"], nodata=0)
    found = preview([path], curate=curate.Curate(duplicates=0.99))
    assert found["chips"] == 61 and found["reasons"] == {"looks like another chip": 3}
    assert sum(found["histogram_before"].values()) > sum(found["histogram_after"].values())
    found = preview(curate=curate.Curate(cap_class=5))
    assert found["chips"] <= 15 and set(found["reasons"]) == {"class is full"}
    assert preview(curate=curate.Curate(target=20))["chips"] == 20
    clustered = preview(curate=curate.Curate(clusters=4, cap_cluster=3))
    assert 3 <= clustered["chips"] <= 12


def test_a_target_is_dealt_evenly_over_classes():
    counts = [np.bincount([1] * 9 + [2], minlength=256)] * 30
    counts += [np.bincount([2] * 9, minlength=256)] * 5
    planned = [
        plan.Planned(plan.Chip(f"{i}", None, (i, 0, i + 1, 1)), plan.Content(c, 1.0, None))
        for i, c in enumerate(counts)
    ]
    kept, dropped = curate.select(planned, [], curate.Curate(target=10), [1, 2], 0)
    assert sum(int(p.chip.id) >= 30 for p in kept) == 5 and len(dropped) == 25


def box(left, bottom, right, top) -> dict:
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_polygons_that_name_the_splits_are_taken_at_their_word(preview):
    left, bottom, right, top = data.GRID.bounds
    middle = (left + right) / 2
    regions = (
        domains.Region("Train", box(left, bottom, middle, top)),
        domains.Region("val", box(middle, bottom, right, (bottom + top) / 2)),
    )
    found = preview(split_by="layer", regions=regions)
    assert {e["split"]: e["chips"] for e in found["splits"]} == {
        "train": 32, "validate": 16, "test": 0}  # fmt: skip
    assert found["reasons"] == {"in no split polygon": 16}


def test_whole_domains_are_dealt_and_listed(scene, tmp_path):
    left, bottom, right, top = data.GRID.bounds
    width = (right - left) / 8
    regions = tuple(
        domains.Region(f"zone {i}", box(left + i * width, bottom, left + (i + 1) * width, top))
        for i in range(8)
    )
    wish = data.wish(split_by="layer", regions=regions, shares=(0.5, 0.25, 0.25))
    report = export.export([scene.first], scene.labels, str(tmp_path / "set"), wish)
    assert set(report["domains"]) == {f"zone {i}" for i in range(8)}
    assert {e["chips"] for e in report["splits"]} <= {8, 16, 24, 32, 40}
    assert check.check(str(tmp_path / "set"))["passed"]


def test_scenes_and_dates_are_domains(preview, place, scene):
    whole = rasters.read(scene.first)
    paths = []
    for i, date in enumerate(("20200105", "20200310", "20200720")):
        grid = Grid("EPSG:32632", (10.0, 0, 5e5 + 960 * i, 0, -10.0, 5e6), 96, 256)
        path = str(place / f"strip{i}_{date}.tif")
        rasters.write(path, whole[:, :, :96], grid, names=data.BANDS, nodata=0)
        paths.append(path)
    by_date = preview(paths, split_by="date", shares=(0.34, 0.33, 0.33))
    assert set(by_date["domains"]) == {"2020-01-05", "2020-03-10", "2020-07-20"}
    assert set(by_date["domains"].values()) == {"train", "validate", "test"}
    assert by_date["shared_scenes"] == {}
    by_scene = preview(paths, split_by="scene", shares=(0.34, 0.33, 0.33))
    assert len(by_scene["domains"]) == 3


@pytest.mark.parametrize("kind", ["scene", "date"])
def test_scenes_that_overlap_gave_their_pixels_to_two_splits_without_a_word(
    preview, place, scene, kind
):
    whole, paths = rasters.read(scene.first), []
    for i, date in enumerate(("20200105", "20200310")):
        grid = Grid("EPSG:32632", (10.0, 0, 5e5 + 640 * i, 0, -10.0, 5e6), 160, 256)
        paths.append(str(place / f"over{i}_{date}.tif"))
        rasters.write(paths[-1], whole[:, :, :160], grid, names=data.BANDS, nodata=0)
    report = preview(paths, split_by=kind, shares=(0.5, 0.0, 0.5))
    assert set(report["shared_scenes"]) == {"over1_20200310"}  # the buffer took the other's
    told = [text for text in report["warnings"] if f"although the split is by {kind}" in text]
    assert len(told) == 1 and told[0].startswith("over1_20200310 gives pixels to chips of")
    blocks = preview(paths, shares=(0.5, 0.0, 0.5))
    assert not [text for text in blocks["warnings"] if "although the split" in text]


def test_point_in_polygon_with_a_hole():
    ring = box(0, 0, 10, 10)
    ring["coordinates"].append(box(4, 4, 6, 6)["coordinates"][0])
    spots = np.array([(1.0, 1.0), (5.0, 5.0), (11.0, 5.0), (9.0, 9.5)])
    assert domains.inside(ring, spots).tolist() == [True, False, False, True]


def test_autocorrelation_range_follows_the_patches(place):
    rng = np.random.default_rng(2)
    found = []
    for size in (4, 16):
        patches = rng.integers(1, 4, (256 // size, 256 // size), np.uint8)
        array = patches.repeat(size, 0).repeat(size, 1)
        found.append(audit.autocorrelation_range(layer(place, f"patch{size}", array)))
    assert 30 <= found[0] <= 60 and 120 <= found[1] <= 240
    assert audit.autocorrelation_range(layer(place, "one", np.ones((256, 256), np.uint8))) is None


def test_a_buffer_shorter_than_the_autocorrelation_range_is_said(preview):
    assert any("resemble their neighbours" in w for w in preview()["warnings"])


def test_median_of_dates(scene, tmp_path):
    wish = data.wish(dates="median")
    export.export([scene.first, scene.second], scene.labels, str(tmp_path / "set"), wish)
    folder = next((tmp_path / "set" / "chips").iterdir())
    (path,) = [p for p in folder.glob("*.tif") if p.name != "label.tif"]
    window = data.GRID.window_of(rasters.info(path).grid.bounds)
    wanted = rasters.read(scene.first, window=window) + 25.0
    assert np.array_equal(rasters.read(path), wanted)


def test_ids_and_sizes(scene, tmp_path):
    wish = data.wish(height=64, cell_km=10)
    report = export.export([scene.first], scene.labels, str(tmp_path / "set"), wish)
    names = [p.name for p in (tmp_path / "set" / "chips").iterdir()]
    assert report["chips"] == len(names) == 8 * 4
    assert all(name.split("_")[0].endswith("U") and "_32632_" in name for name in names)
    info = rasters.info(tmp_path / "set" / "chips" / names[0] / "label.tif")
    assert (info.grid.width, info.grid.height) == (32, 64)


def test_a_leak_made_on_purpose_is_caught(scene, tmp_path):
    out = tmp_path / "set"
    export.export([scene.first], scene.labels, str(out), data.wish(formats=("yolo",)))
    rows = list(csv.reader((out / "index.csv").read_text("utf-8").splitlines()))
    rows[2][2:6] = rows[1][2:6]  # a chip laid over one of another split
    rows[1][1], rows[2][1] = "train", "test"
    (out / "index.csv").write_text("\n".join(",".join(r) for r in rows) + "\n", "utf-8")
    kinds = {f["kind"] for f in check.check(str(out))["findings"]}
    assert {"leak", "files"} <= kinds


BAD = [
    ({"licence": " "}, {}, "licence of the chips is missing"),
    ({"formats": ("tfrecord",)}, {}, "format 'tfrecord' is not known"),
    ({"formats": ("landcovernet",)}, {"consensus": None}, "choose CONSENSUS"),
    ({"gate": plan.Gate(min_score=0.999)}, {}, "No chip passes the gate"),
    ({"block": 1e6}, {}, "choose a smaller BLOCK"),
    ({"size": 512}, {}, "smaller than a chip of 512"),
    ({"resolution": "best"}, {}, "no choice of resolution"),
    ({"split_by": "layer"}, {}, "needs polygons"),
    ({"split_by": "date"}, {"undated": True}, "date in their file names"),
    ({"objects": (77,)}, {}, "object class 77"),
    ({"masks": ("edge",)}, {}, "mask 'edge' is not known"),
    ({"sources": {"labels.tif": "CC0-1.0"}}, {}, "licence of s2_20200101.tif is missing"),
    ({"taxonomy": "water2"}, {}, "does not know"),
    ({"stride": 0, "size": 4}, {}, "cannot be cut"),
    ({}, {"imagery": []}, "No image was given"),
    ({}, {"far": True}, "does not overlap the labels"),
    ({"licence": "CC BY"}, {}, "is no SPDX id"),
    ({"date": "2024-02-31"}, {}, "is no day"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "given", "words"), BAD, ids=[b[2][:24] for b in BAD])
def test_input_that_cannot_be_used_gets_a_sentence_and_leaves_nothing(
    scene, tmp_path, asked, given, words
):
    imagery = given.get("imagery", [scene.first])
    if given.get("far"):
        path = str(tmp_path / "far.tif")
        away = replace(data.GRID, transform=(10.0, 0, 7e5, 0, -10.0, 5e6))
        rasters.write(path, np.ones((1, 256, 256), np.uint8), away)
        imagery = [scene.first, path]
    if given.get("undated"):
        path = str(tmp_path / "plain.tif")
        rasters.write(path, np.ones((1, 256, 256), np.uint8), data.GRID)
        imagery = [path]
    before = {p.name for p in tmp_path.iterdir()}
    with pytest.raises(ConcordError, match=words) as caught:
        wish = data.wish(**asked)
        export.export(imagery, scene.labels, str(tmp_path / "set"), wish,
                      given.get("consensus", scene.consensus))  # fmt: skip
    assert str(caught.value).count(". ") == 0  # one sentence
    assert {p.name for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("text", ["70/20", "70/20/20", "a/b/c", "-10/60/50", ""])
def test_shares_that_do_not_sum(text):
    with pytest.raises(ConcordError, match="70/15/15"):
        split.parse_shares(text)


def test_parquet_without_pyarrow_says_how_to_get_it(preview, monkeypatch):
    from concord.plugin.engine import packages

    monkeypatch.setattr(packages, "missing", lambda *names: list(names))
    with pytest.raises(ConcordError, match="pip install pyarrow"):
        preview(index="parquet")
