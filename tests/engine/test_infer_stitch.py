"""Stitching, strips, the journal, and everything that goes wrong while a model runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.grid import Grid, Window
from concord.plugin.engine.infer import card as cards
from concord.plugin.engine.infer import external, foreign, journal, runner, tiling
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.progress import SILENT, Progress
from concord.plugin.engine.scene import Scene

BANDS = ["red", "green", "nir"]


def item_of(**hyper):
    said = {"tile": 96, "halo": 6, "activation": "logits", "unit": "reflectance",
            "pixel_size_range_m": [5, 20], **hyper}  # fmt: skip
    classes = [{"value": i, "name": f"c{i}"} for i in (1, 2, 3, 4)]
    order = ["batch", "bands", "height", "width"]
    return {
        "id": "tiny", "type": "Feature",
        "properties": {
            "mlm:input": [{"name": "image", "bands": BANDS, "input": {"dim_order": order}}],
            "mlm:output": [{"tasks": ["semantic-segmentation"], "classification:classes": classes}],
            "mlm:hyperparameters": {k: v for k, v in said.items() if v is not None},
        },
    }  # fmt: skip


def write_model(folder, item, layers=3, slow=0):
    """Random 3x3 convolutions with a receptive radius of ``2 * layers``; ``slow`` repeats work."""
    rng = np.random.default_rng(1)
    nodes, kept, name = [], [], "image"
    for i in range(layers + slow):
        width, before = 8, 3 if i == 0 else 8
        dilation = 2 if i < layers else 1
        side = 3 if i < layers else 1
        kept.append(
            numpy_helper.from_array(
                rng.normal(0, 0.3, (width, before, side, side)).astype(np.float32), f"w{i}"
            )
        )
        pad = dilation if side == 3 else 0
        nodes.append(
            helper.make_node(
                "Conv", [name, f"w{i}"], [f"x{i}"], pads=[pad] * 4, dilations=[dilation] * 2
            )
        )
        nodes.append(helper.make_node("Tanh", [f"x{i}"], [f"y{i}"]))
        name = f"y{i}"
    kept.append(numpy_helper.from_array(rng.normal(0, 1, (4, 8, 1, 1)).astype(np.float32), "last"))
    nodes.append(helper.make_node("Conv", [name, "last"], ["out"]))
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    graph = helper.make_graph(nodes, "tiny", [source], [result], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    plain, target = folder / "plain.onnx", folder / "tiny.onnx"
    onnx.save(model, str(plain))
    items.embed(plain, target, item)
    plain.unlink()
    return str(target)


@pytest.fixture
def image(tmp_path):
    def make(height=700, width=260, hole=None):
        values = np.random.default_rng(3).random((3, height, width)).astype(np.float32)
        if hole is not None:
            values[0][hole] = np.nan
        path = str(tmp_path / "scene.tif")
        grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), width, height)
        rasters.write(path, values, grid, names=BANDS, units=["reflectance"] * 3, nodata=np.nan)
        return path

    return make


def crowd() -> float:
    """How many times too busy the machine is; a promise of half a second is for an idle one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def run(model, path, target, progress=SILENT, **wish):
    with Scene([path]) as scene:
        return runner.run(Model(model), scene, runner.RunWish(str(target), **wish), progress)


def whole(model, path):
    return Model(model).run(rasters.read(path))


def test_crop_is_exact_and_overlaps_agree(tmp_path, image):
    model, path = write_model(tmp_path, item_of()), image()
    report = run(model, path, tmp_path / "o.tif")
    assert np.array_equal(rasters.read(str(tmp_path / "o.tif"))[0],
                          whole(model, path).argmax(axis=0) + 1)  # fmt: skip
    assert report["overlap_pixels"] > 1_000 and report["stitching"] == "halo crop"
    # Compared one pixel beyond the core with one pixel of halo less, it was 0.9 of an exact run.
    assert report["overlap_agreement"] == 1
    narrow = run(write_model(tmp_path, item_of(halo=1)), path, tmp_path / "o.tif")
    assert narrow["overlap_agreement"] < 0.9


@pytest.mark.parametrize(("tile", "halo", "alignment"), [(96, 6, 1), (96, 6, 2), (256, 9, 16),
                                                         (128, 32, 32)])  # fmt: skip
@pytest.mark.parametrize("fixed", [False, True])
def test_the_compared_pixels_have_the_whole_halo_but_where_it_is_dear(tile, halo, alignment, fixed):
    from dataclasses import replace

    card = replace(items.from_item(item_of(), ""), halo=halo, alignment=alignment)
    grid = Grid("", (1, 0, 0, 0, -1, 0), 700, 500)
    tiles = tiling.plan_tiles(grid, grid.window, tile, card, fixed)
    inner = [t for t in tiles if t.core.col and t.core.row]
    room = {min(t.core.col - t.window.col, t.core.row - t.window.row) for t in inner}
    dear = alignment == 32
    assert min(room) == halo if dear else min(room) >= halo + tiling.SEAM
    widths = sorted({t.core.width for t in tiles})
    assert widths[-1] >= 0.95 * ((tile - 2 * halo - alignment + 1) // alignment * alignment)


def test_hann_is_far_closer_than_a_plain_cut(tmp_path, image):
    model, path = write_model(tmp_path, item_of(halo=0)), image()
    truth = whole(model, path).argmax(axis=0) + 1
    wrong = {}
    for blend in ("crop", "hann"):
        report = run(model, path, tmp_path / "o.tif", blend=blend)
        wrong[blend] = np.mean(rasters.read(str(tmp_path / "o.tif"))[0] != truth)
    assert wrong["hann"] < wrong["crop"] / 3
    assert report["stitching"] == "Hann blending" and report["overlap_agreement"] > 0.8


def test_hann_without_a_halo_in_the_card_keeps_no_data(tmp_path, image):
    hole = (slice(100, 130), slice(50, 60))
    model, path = write_model(tmp_path, item_of(halo=None, blend="hann")), image(hole=hole)
    shares = str(tmp_path / "p.tif")
    run(model, path, tmp_path / "o.tif", probabilities=shares)
    empty = np.zeros((700, 260), bool)
    empty[hole] = True
    codes, planes = rasters.read(str(tmp_path / "o.tif"))[0], rasters.read(shares)
    assert ((codes == 0) == empty).all() and (np.isnan(planes).any(axis=0) == empty).all()
    assert np.allclose(np.nansum(planes, axis=0)[~empty], 1, atol=1e-4)


@pytest.mark.parametrize("size", [64, 96, 97, 100, 191, 192, 193, 500])
@pytest.mark.parametrize("step", [1, 16])
def test_blended_tiles_cover_everything_and_stay_inside(size, step):
    from dataclasses import replace

    card = replace(items.from_item(item_of(), ""), alignment=step)
    grid = Grid("", (1, 0, 0, 0, -1, 0), size + 40, size)
    area = Window(40, 0, size, size)
    tiles = tiling.plan_blended(grid, area, 96, card)
    seen = np.zeros((grid.height, grid.width), int)
    for tile in tiles:
        seen[tile.window.slices] += 1
        assert tile.window.col % step == 0 and tile.window.row % step == 0
        assert tile.window.col + tile.window.width <= grid.width
    assert (seen[:, 40:] > 0).all()
    cols = sorted({t.window.col for t in tiles})
    assert all(b - a < 72 + step for a, b in zip(cols, cols[1:]))


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_same_bytes_for_any_threads_and_extent_order(tmp_path, image, blend):
    model, path = write_model(tmp_path, item_of()), image()
    made = []
    for executor in ("local", "local:3"):
        target, shares = tmp_path / "o.tif", str(tmp_path / "p.tif")
        run(model, path, target, executor=executor, blend=blend, probabilities=shares)
        made.append((target.read_bytes(), (tmp_path / "p.tif").read_bytes()))
    assert made[0] == made[1]


_KILLED = """
import os, signal, sys
from concord.plugin.engine.infer import runner
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene
model, path, target, blend = sys.argv[1:5]
def show(percent, text):
    if percent > 60:
        os.kill(os.getpid(), signal.SIGKILL)
with Scene([path]) as scene:
    wish = runner.RunWish(target, target[:-4] + ".prob.tif", blend=blend)
    runner.run(Model(model), scene, wish, Progress(show))
"""


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, image, root, blend):
    model, path = write_model(tmp_path, item_of()), image()
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    target = tmp_path / "a" / "o.tif"
    env = {**os.environ, "PYTHONPATH": str(root / ".build" / "plugins")}
    done = subprocess.run([sys.executable, "-c", _KILLED, model, path, str(target), blend], env=env)
    assert done.returncode == -signal.SIGKILL and not target.exists()
    assert list((tmp_path / "a").glob(".o.tif.journal/*.npz"))
    shares = str(tmp_path / "a" / "o.prob.tif")
    report = run(model, path, target, probabilities=shares, blend=blend)
    assert report["resumed_rows"] >= 256
    fresh = run(model, path, tmp_path / "b" / "o.tif",
                probabilities=str(tmp_path / "b" / "o.prob.tif"), blend=blend)  # fmt: skip
    for name in ("o.tif", "o.prob.tif"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for key in ("overlap_pixels", "overlap_agreement", "classes", "labelled"):
        assert report[key] == fresh[key], key
    assert not (tmp_path / "a" / ".o.tif.journal").exists()


def test_a_journal_of_other_settings_is_not_used(tmp_path):
    one = journal.Journal(str(tmp_path / "o.tif"), "a")
    one.keep(0, {"main": np.ones((1, 256, 4), np.uint8)}, (1, 1))
    assert list(journal.Journal(str(tmp_path / "o.tif"), "b").resume(["main"], 512)) == []
    assert not one.folder.exists()
    one = journal.Journal(str(tmp_path / "o.tif"), "a")
    one.keep(0, {"main": np.ones((1, 256, 4), np.uint8)}, (1, 1))
    (one.folder / "000000256.npz").write_bytes(b"PK damaged")
    found = list(journal.Journal(str(tmp_path / "o.tif"), "a").resume(["main"], 512))
    assert [row for row, _, _ in found] == [0]


def test_a_cancel_answers_at_once_and_leaves_nothing(tmp_path, image):
    model, path = write_model(tmp_path, item_of(tile=512), slow=200), image(1200, 900)
    (tmp_path / "out").mkdir()
    asked, moment = threading.Event(), []

    def ask():
        moment.append(time.monotonic())
        asked.set()

    threading.Timer(0.7, ask).start()
    with pytest.raises(Cancelled):
        run(model, path, tmp_path / "out" / "o.tif", Progress(cancelled=asked.is_set))
    assert time.monotonic() - moment[0] < 0.5 * crowd()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_that_fails_in_the_middle_keeps_what_is_finished(tmp_path, image, monkeypatch):
    model, path = write_model(tmp_path, item_of()), image()
    right, calls = Model.run_all, []

    def failing(self, images):
        calls.append(1)
        if len(calls) == 20:
            raise ConcordError("tiny.onnx failed on an image of 96 x 96 pixels (no memory).")
        return right(self, images)

    monkeypatch.setattr(Model, "run_all", failing)
    with pytest.raises(ConcordError, match="finished part is kept, and the same run goes on"):
        run(model, path, tmp_path / "o.tif")
    assert not (tmp_path / "o.tif").exists()
    calls.extend([1] * 50)
    assert run(model, path, tmp_path / "o.tif")["resumed_rows"] == 256


@pytest.mark.parametrize("infinite", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_in_the_image_stay_empty(tmp_path, image, infinite):
    model, path = write_model(tmp_path, item_of()), image()
    values = rasters.read(path)
    values[1, 40, 40] = infinite
    rasters.write(path, values, rasters.info(path).grid, names=BANDS, units=["reflectance"] * 3)
    run(model, path, tmp_path / "o.tif")
    codes = rasters.read(str(tmp_path / "o.tif"))[0]
    assert codes[40, 40] == 0 and (codes == 0).sum() == 1


def external_model(folder, place):
    """A model whose weight stands in another file, named ``place``."""
    path = folder / "outside.onnx"
    tensor = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    onnx.external_data_helper.set_external_data(tensor, place, 0, 48)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    node = helper.make_node("Conv", ["image", "w"], ["out"])
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    made = helper.make_model(helper.make_graph([node], "g", [source], [result], [tensor]),
                             opset_imports=[helper.make_opsetid("", 17)], ir_version=8)  # fmt: skip
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/passwd", "a/../../weights.bin"])
def test_weights_outside_of_the_folder_are_refused(tmp_path, place):
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(np.ones(12, np.float32).tobytes())
    path = external_model(folder, place)
    assert external.locations(path) == [place]
    with pytest.raises(ConcordError, match="outside of its folder"):
        Model(str(path))


def test_weights_beside_the_model_are_read_or_named(tmp_path):
    path = external_model(tmp_path, "weights.bin")
    with pytest.raises(ConcordError, match=r"needs the file weights\.bin beside it"):
        Model(str(path))
    (tmp_path / "weights.bin").write_bytes(np.ones(12, np.float32).tobytes())
    assert Model(str(path)).card.origin == "nothing"


@pytest.mark.parametrize("content", [b"", b"\x08", b"not onnx at all", b"\x3a\xff\xff\xff\x7f"])
def test_a_file_that_is_no_model_has_no_weights_elsewhere(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    assert external.locations(path) == []
    with pytest.raises(ConcordError, match="no ONNX model|cannot be run"):
        Model(str(path))


def test_a_huge_file_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "huge.onnx"
    with open(path, "wb") as file:
        file.truncate(3 * 1024**3)  # sparse: it takes no room
    started = time.monotonic()
    with pytest.raises(ConcordError, match="larger than 2 GB"):
        Model(str(path))
    assert time.monotonic() - started < 1


def test_an_operator_that_cannot_run_is_named(tmp_path):
    node = helper.make_node("FancyAttention", ["image"], ["out"], domain="my.ops")
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    made = helper.make_model(helper.make_graph([node], "g", [source], [result]),
                             opset_imports=opsets, ir_version=8)  # fmt: skip
    path = tmp_path / "x.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ConcordError, match="FancyAttention"):
        Model(str(path))


def test_ultralytics_keys(tmp_path):
    meta = {"names": "{0: 'car', 1: 'tree'}", "stride": "32", "imgsz": "[640, 640]",
            "task": "segment"}  # fmt: skip
    card = foreign.read(str(tmp_path / "m.onnx"), meta)
    assert card.kind == "instances" and card.tile == 640
    assert [(c.code, c.name) for c in card.classes] == [(0, "car"), (1, "tree")]
    assert cards.with_missing(card).missing == ("band names", "resolution")
    for wrong in ("__import__('os')", "[", "5"):
        assert foreign.read("m.onnx", {**meta, "names": wrong}).classes == ()


def test_an_esri_definition_beside_the_model(tmp_path):
    emd = {"ModelType": "ImageClassification", "ImageWidth": 400, "ImageHeight": 400,
           "ExtractBands": [0, 1, 2], "Padding": 56, "CellSize": 0.6, "DataRange": [0, 255],
           "Classes": [{"Value": 1, "Name": "road", "Color": [255, 0, 10]}]}  # fmt: skip
    (tmp_path / "m.emd").write_text(json.dumps(emd))
    card = items.read(str(tmp_path / "m.onnx"), {})
    assert (card.tile, card.halo, card.task) == (400, 56, "semantic-segmentation")
    assert card.classes[0].colour == "#ff000a" and card.origin == "m.emd"
    assert card.pixel_size_range == (0.3, 1.2)
    assert set(card.missing) == {"band names", "activation"}
    (tmp_path / "m.emd").write_text(json.dumps({**emd, "Classes": [{"Name": "road"}]}))
    with pytest.raises(ConcordError, match="no Esri model definition"):
        items.read(str(tmp_path / "m.onnx"), {})


def test_a_run_that_fails_keeps_every_strip_above_the_tile(tmp_path, image):
    """A strip was handed out with the next row's first tile only, and that was the one to fail."""
    model, path = write_model(tmp_path, item_of()), image(700, 200)
    opened = Model(model)
    own, card = opened.run_all, opened.card
    info = rasters.info(path)
    tiles = tiling.plan_tiles(info.grid, info.grid.window, card.tile, card, False)
    rows = sorted({tile.core.row for tile in tiles})
    below = next(i for i, row in enumerate(rows) if row >= 256)
    values = rasters.read(path)
    values[:, rows[below + 1] - 1] = 9  # seen by no tile above
    rasters.write(path, values, info.grid, names=BANDS, units=["reflectance"] * 3, nodata=np.nan)

    def fails(images):
        if images[0].max() > 8:
            raise ConcordError("the graph fell over; choose another.")
        return own(images)

    opened.run_all = fails
    with Scene([path]) as scene, pytest.raises(ConcordError, match="finished part is kept"):
        runner.run(opened, scene, runner.RunWish(str(tmp_path / "o.tif"), override=True))
    assert (tmp_path / ".o.tif.journal" / "000000000.npz").is_file()
