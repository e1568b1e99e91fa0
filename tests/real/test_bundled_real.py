"""The bundled raster models through the plugin's own runner, on what their training never saw."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest

from concord.plugin.engine import files, rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer import levels, parcels, runner, session
from concord.plugin.engine.scene import Scene
from tests.real import annotator

S2, AERIAL, ROOFS = NAMES = ("concord-landcover-s2", "concord-landcover-aerial",
                             "concord-buildings")  # fmt: skip
WATER, LOW = 1, 3  # codes of the two land-cover models
HELD_DATES = ("20160816", "20200831")


@pytest.fixture(scope="module")
def training(root, real_data):
    """The modules that training reads its data with; they say what was held out."""
    patch, folder = pytest.MonkeyPatch(), str(root / "models" / "training")
    patch.setenv("CONCORD_DATA", str(real_data))
    patch.syspath_prepend(folder)
    import aerial_scenes
    import s2_scenes

    yield s2_scenes, aerial_scenes
    patch.undo()
    for name in ("aerial_scenes", "s2_scenes"):
        sys.modules.pop(name, None)


def run(name, paths, tmp_path):
    model, target = session.Model(name), str(tmp_path / "map.tif")
    with Scene([str(p) for p in paths]) as scene:
        report = runner.run(model, scene, runner.RunWish(target))
    return rasters.read(target)[0], report


def iou(said, truth, judged) -> float:
    return float((said & truth & judged).sum() / ((said | truth) & judged).sum())


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_complete_and_says_what_it_is_made_of(root, name):
    path = root / "models" / f"{name}.onnx"
    model = session.Model(name)
    model.require_inputs()
    model.card.require_complete(str(path))
    content, item = path.read_bytes(), files.read_json(items.sidecar(path))
    asset, said = item["assets"]["model"], item["properties"]
    assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    assert len(content) < 4e6
    assert said["license"] == "CC-BY-SA-4.0" and "Trained on:" in said["attribution"]
    assert said["summary"] and "Not for" in said["description"]
    assert said["mlm:hyperparameters"]["held_out"]
    embedded = json.loads(model._session.get_modelmeta().custom_metadata_map["stac:mlm"])
    assert embedded["properties"] == said


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_with_its_halo_is_the_whole_image_and_odd_sides_work(name):
    model = session.Model(name)
    rng = np.random.default_rng(3)
    halo, step = model.card.halo, model.card.alignment
    side, start = 2 * halo + 64, 4 * step
    shape = (side + 61, side + 53)
    planes = [rng.random((len(i.bands), *shape), np.float32) * 0.5 for i in model.card.inputs]
    whole = model.run_all(planes)[0][0]
    assert whole.shape[1:] == shape
    part = (slice(None), slice(start, start + side), slice(start, start + side))
    tile = model.run_all([p[part] for p in planes])[0][0]
    inner = (slice(None), slice(halo, -halo), slice(halo, -halo))
    np.testing.assert_allclose(tile[inner], whole[part][inner], atol=2e-3)


def test_water_on_the_squares_that_were_held_out(training, real_data, tmp_path):
    floods = training[0].floods()
    path = next((real_data / "sen1floods-es" / "S2").glob("*.tif"))
    made, _ = run(S2, [path], tmp_path)
    judged = floods.held & (floods.hand != -1)
    teacher = training[0].Teacher()(floods.image).argmax(0) == 0
    ours, theirs = (iou(m, floods.hand == 0, judged) for m in (made == WATER, teacher))
    assert ours >= max(theirs, 0.70), (ours, theirs)


BANDS = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")


@pytest.mark.parametrize(
    "folder, bands, floor",
    [("s2c", BANDS, 0.93), ("s2a", BANDS, 0.93), ("s2c", BANDS[:4] + BANDS[8:], 0.86)],
)
def test_agreement_with_the_teacher_on_a_date_that_was_held_out(
    training, real_data, tmp_path, folder, bands, floor
):
    place = real_data / "ssl4eo-s12" / folder / "0000200"
    chosen = next(place.glob(f"{training[0].HELD_DATE}*"))
    made, report = run(S2, [chosen / f"{name}.tif" for name in bands], tmp_path)
    l1c = next(s for s in training[0].ssl4eo() if s.level == "L1C" and s.held.all())
    wanted = training[0].Teacher()(l1c.image).argmax(0) + 1
    assert (made == wanted).mean() >= floor, (made == wanted).mean()
    said = next(v for v in report["verdicts"] if v["what"] == "Bands")
    if len(bands) < 10:
        assert said["level"] == "amber" and "runs without rededge071" in said["detail"]
    else:
        assert said["level"] == "green"


@pytest.mark.parametrize("folder", ["s2c", "s2a"])
def test_every_tile_of_a_scene_is_read_at_the_same_level(training, real_data, folder):
    """Whether the air is in it is asked of each tile alone; in a scene the answer is one."""
    level = "L1C" if folder == "s2c" else "L2A"
    image = next(s for s in training[0].ssl4eo() if s.level == level and s.held.all()).image
    model = session.Model(S2)
    halo = model.card.halo
    side = 2 * halo + 64

    def said(part):
        cut = np.ascontiguousarray(image[(slice(None), *part)])
        return model.run_all([cut[:4], cut[4:8], cut[8:]])[0][0].argmax(0)

    whole = said((slice(None), slice(None)))
    for row in range(0, image.shape[1] - side + 1, 64):
        for col in range(0, image.shape[2] - side + 1, 64):
            inner = tuple(slice(at + halo, at + side - halo) for at in (row, col))
            part = slice(row, row + side), slice(col, col + side)
            assert (said(part)[halo:-halo, halo:-halo] == whole[inner]).all(), (row, col)


@pytest.mark.parametrize(
    "where, bands, level",
    [
        ("ssl4eo-s12/s2c/0000200/*/{}.tif", ("B2", "B4"), "L1C"),
        ("ssl4eo-s12/s2a/0000200/*/{}.tif", ("B2", "B4"), "L2A"),
        ("majortom-199U/*/{}.tif", ("B02", "B04"), "L2A"),
        ("sen1floods-es/S2/*.tif", ("",), "L1C"),
    ],
)
def test_the_level_is_told_by_the_product_and_by_colours_alike(
    real_data, tmp_path, where, bands, level
):
    card, found = session.Model(S2).card, sorted(real_data.glob(where.format(bands[0])))
    assert found
    for first in found:
        paths = [first.with_name(first.name.replace(bands[0], b)) if b else first for b in bands]
        with Scene([str(p) for p in paths]) as scene:
            said = levels.assumed(card, scene)
            picture, grid = scene.read(["blue", "red"]), scene.grid
        assert said.name == level and "product" in said.why and not said.doubtful, (first, said)
        nameless = str(tmp_path / "picture.tif")
        rasters.write(nameless, picture, grid, names=["blue", "red"], units=["reflectance"] * 2)
        with Scene([nameless]) as scene:
            seen = levels.assumed(card, scene)
        assert seen.name == level and "blue and red" in seen.why, (first, seen)


def test_ponds_of_dates_that_were_held_out(training, real_data, tmp_path):
    for chip in training[1].potholes(held=True):
        path = next((real_data / "naip-nd").glob(f"*{chip.name[-8:]}.tif"))
        model, target = session.Model(AERIAL), str(tmp_path / f"{chip.name}.tif")
        with Scene([str(path)]) as scene:  # 5 m is red: the model is made for 1 m
            runner.run(model, scene, runner.RunWish(target, override=True))
        found = iou(rasters.read(target)[0] == WATER, chip.label == 0, chip.label >= 0)
        assert found >= 0.84, (chip.name, found)


def test_trees_and_meadows_of_west_virginia(training, tmp_path):
    """On chips that the bundled weights have seen: that the runner gives what training saw."""
    chip = training[1].chesapeake()[6]
    grid = Grid("EPSG:26917", (1.0, 0.0, 7e5, 0.0, -1.0, 4.1e6), 256, 256)
    hits = []
    for bands in (("red", "green", "blue", "nir"), ("red", "green", "blue")):
        path = str(tmp_path / f"{len(bands)}.tif")
        rasters.write(path, chip.image[: len(bands)], grid, names=list(bands),
                      units=["DN"] * len(bands))  # fmt: skip
        made, _ = run(AERIAL, [path], tmp_path)
        codes = np.array(training[1].CODES)[chip.label]
        hits.append(float((made == codes).mean()))
    assert hits[0] >= 0.85 and hits[1] >= 0.8, hits


def test_roofs_of_the_eastern_third_as_pixels_and_as_polygons(training, real_data, tmp_path):
    aerial = training[1]
    path = str(tmp_path / "fine.tif")
    info = rasters.info(annotator.mosaic(real_data / "fair-uganda", tmp_path / "m.tif"))
    fine = aerial.uganda()
    half = fine.reshape(3, fine.shape[1] // 2, 2, fine.shape[2] // 2, 2).mean((2, 4))
    a, b, c, d, e, f = tuple(info.grid.transform)[:6]
    grid = Grid(info.grid.crs, (2 * a, b, c, d, 2 * e, f), half.shape[2], half.shape[1])
    rasters.write(path, half.round().astype(np.uint8), grid, names=["red", "green", "blue"],
                  units=["DN"] * 3)  # fmt: skip
    made, report = run(ROOFS, [path], tmp_path)
    line = aerial.HELD_COLUMN * aerial.TILE // 2
    outlines = [r for r in aerial.roofs(2) if np.min(r["coordinates"][0], axis=0)[0] > line]
    pixels = Grid("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), *half.shape[:0:-1])
    truth = rasters.burn([(r, 1) for r in outlines], pixels).astype(bool)
    judged = np.zeros(truth.shape, bool)
    judged[:, line + 80 :] = True  # roofs across the line are left out
    found = iou(made >= 2, truth, judged)
    assert found >= 0.6, found
    shapes = list(parcels.of_map(str(tmp_path / "map.tif"), report))
    assert len(shapes) >= len(outlines) / 2 and {said["class"] for _, said in shapes} == {2}
    # Half of all outlines were specks; without them the polygons are as right as the pixels.
    assert report["polygons"]["left_out"] > len(shapes) / 5
    drawn = rasters.burn([(shape, 1) for shape, _ in shapes], grid).astype(bool)
    assert iou(drawn, truth, judged) >= found - 0.001
