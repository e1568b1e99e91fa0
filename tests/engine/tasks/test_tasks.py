"""Every task on a tiny graph whose answer is known, under 25 kB each."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import dates, describe
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.scene import Scene
from tests.engine.tiny import BANDS, card_of, node


def test_binary_with_a_threshold(graph, run, image):
    item = card_of("semantic-segmentation", classes=("bright",), activation="sigmoid",
                   threshold=0.8, halo=0)  # fmt: skip
    model = graph([node("ReduceMean", "in0", "out", axes=[1], keepdims=1)], item)
    path = image()
    report, _, made = run(model, path)
    bright = rasters.read(path).mean(axis=0) >= 0.8
    assert np.array_equal(made["main"][0], np.where(bright, 2, 1))
    assert [c["name"] for c in report["classes"]] == ["not bright", "bright"]


def test_multi_label(graph, run, image):
    item = card_of("multi-label-segmentation", classes=("a", "b", "c"), halo=0)
    model = graph([node("Identity", "in0", "out")], item)
    path = image()
    report, _, made = run(model, path)
    assert np.array_equal(made["main"], np.where(rasters.read(path) >= 0.5, 2, 1))
    assert report["classes"][0]["share"] == pytest.approx((rasters.read(path)[0] >= 0.5).mean())


def test_regression_with_a_calibration_line(graph, run, image, tmp_path):
    item = card_of("regression", halo=0, output_names=["height"], output_unit="m",
                   output_scale=2.0, calibration=[3.0, 1.0])  # fmt: skip
    model = graph([node("ReduceSum", "in0 axis", "out", keepdims=1)], item,
                  constants={"axis": np.array([1])})  # fmt: skip
    path = image()
    report, _, made = run(model, path)
    assert np.allclose(made["main"][0], rasters.read(path).sum(axis=0) * 6 + 1, atol=1e-4)
    band = rasters.info(str(tmp_path / "out.tif")).bands[0]
    assert (band.name, band.unit) == ("height", "m")
    assert report["values"]["maximum"] == pytest.approx(float(made["main"].max()))


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_super_resolution(graph, run, image, tmp_path, blend):
    item = card_of("super-resolution", scale_factor=2, halo=2)
    nodes = [helper.make_node("Resize", ["in0", "", "scales"], ["out"], mode="nearest")]
    model = graph(nodes, item, constants={"scales": np.array([1, 1, 2, 2], np.float32)})
    path = image()
    _, _, made = run(model, path, blend=blend)
    wanted = np.repeat(np.repeat(rasters.read(path), 2, axis=1), 2, axis=2)
    assert np.allclose(made["main"], wanted, atol=1e-6)
    fine, coarse = rasters.info(str(tmp_path / "out.tif")).grid, rasters.info(path).grid
    assert fine.bounds == coarse.bounds and fine.pixel_size == (5.0, 5.0)


def test_change_from_two_dates_and_two_inputs(graph, run, image):
    item = card_of("change-detection", inputs=(BANDS, BANDS), classes=("same", "changed"),
                   halo=0, inputs_more=None)  # fmt: skip
    item["properties"]["mlm:hyperparameters"]["inputs"] = {"in1": {"date": 1}}
    nodes = [
        node("Sub", "in0 in1", "d"), node("Abs", "d", "a"),
        node("ReduceMean", "a", "m", axes=[1], keepdims=1),
        node("Sub", "one m", "s"), node("Concat", "s m", "out", axis=1),
    ]  # fmt: skip
    model = graph(nodes, item, ((1, 3, None, None),) * 2, constants={"one": np.float32([0.6])})
    before, after = image("a.tif", seed=1), image("b.tif", seed=2)
    _, _, made = run(model, [before, after])
    moved = np.abs(rasters.read(before) - rasters.read(after)).mean(axis=0)
    clear = abs(moved - 0.3) > 1e-5
    assert np.array_equal(made["main"][0][clear], np.where(moved > 0.3, 2, 1)[clear])
    with pytest.raises(ConcordError, match="wants images of 2 dates, got 1"):
        run(model, [before])


def test_two_dates_in_one_input_by_repeated_bands(graph, run, image):
    item = card_of("regression", inputs=(BANDS + BANDS,), halo=0)
    nodes = [helper.make_node("Split", ["in0", "parts"], ["x", "y"], axis=1),
             node("Sub", "y x", "d"),
             node("ReduceMean", "d", "out", axes=[1], keepdims=1)]  # fmt: skip
    model = graph(nodes, item, ((1, 6, None, None),), constants={"parts": np.array([3, 3])})
    paths = [image("a.tif", seed=1), image("b.tif", seed=2)]
    _, _, made = run(model, paths)
    difference = (rasters.read(paths[1]) - rasters.read(paths[0])).mean(axis=0)
    assert np.allclose(made["main"][0], difference, atol=1e-5)


@pytest.mark.parametrize("steps", [3, None])
def test_time_series(graph, run, image, steps):
    order = ["batch", "time", "bands", "height", "width"]
    item = card_of("regression", axes=order, halo=0)
    nodes = [node("ReduceMax", "in0", "m", axes=[1], keepdims=0),
             node("ReduceMean", "m", "out", axes=[1], keepdims=1)]  # fmt: skip
    model = graph(nodes, item, ((1, steps, 3, None, None),))
    paths = [image(f"{i}.tif", seed=i) for i in range(3)]
    _, _, made = run(model, paths)
    whole = np.stack([rasters.read(p) for p in paths]).max(axis=0).mean(axis=0)
    assert np.allclose(made["main"][0], whole, atol=1e-5)


def test_a_second_input_of_half_the_resolution_and_an_optional_one(graph, run, image):
    item = card_of("regression", inputs=(BANDS, ["nir"], ["vv"]), halo=2)
    item["properties"]["mlm:hyperparameters"]["inputs"] = {
        "in1": {"stride": 2}, "in2": {"optional": True},
    }  # fmt: skip
    nodes = [
        helper.make_node("Resize", ["in1", "", "scales"], ["up"], mode="nearest"),
        node("ReduceMean", "in0", "m", axes=[1], keepdims=1),
        node("Add", "m up", "s"), node("Add", "s in2", "out"),
    ]  # fmt: skip
    shapes = ((1, 3, None, None), (1, 1, None, None), (1, 1, None, None))
    model = graph(nodes, item, shapes, constants={"scales": np.array([1, 1, 2, 2], np.float32)})
    path = image()
    _, _, made = run(model, path)
    values = rasters.read(path)
    half = values[2].reshape(45, 2, 50, 2).mean(axis=(1, 3))
    wanted = values.mean(axis=0) + np.repeat(np.repeat(half, 2, 0), 2, 1)
    assert np.allclose(made["main"][0], wanted, atol=1e-5)


def test_scene_classification_and_embeddings_per_chip(graph, run, image, tmp_path):
    values = np.zeros((3, 64, 96), np.float32)
    values[1, :32, 32:64] = 1
    path = image(values=values + 0.01)
    item = card_of("scene-classification", classes=("red", "green", "nir"), halo=None,
                   activation="logits")  # fmt: skip
    pool = [node("GlobalAveragePool", "in0", "g"), node("Flatten", "g", "out")]
    report, _, made = run(graph(pool, item, ((1, 3, 32, 32),), (("out", 2),)), path)
    assert made["main"].shape == (1, 2, 3) and made["main"][0, 0, 1] == 2
    assert rasters.info(str(tmp_path / "out.tif")).grid.pixel_size == (320.0, 320.0)
    assert report["chips"] == 6
    item = card_of("similarity-search", halo=None)
    _, _, made = run(graph(pool, item, ((1, 3, 32, 32),), (("out", 2),)), path)
    assert made["main"].shape == (3, 2, 3) and made["main"][1, 0, 1] == pytest.approx(
        1.01, abs=1e-4
    )


def detector(rows):
    """Nodes that answer with constant rows, whatever the image."""
    return [node("ReduceSum", "in0 all", "s", keepdims=0), node("Mul", "s zero", "z"),
            node("Add", "rows z", "out")], {"all": np.array([0, 1, 2, 3]), "zero": np.float32(0),
                                            "rows": np.float32(rows)}  # fmt: skip


@pytest.mark.parametrize("kind", ["yolov8", "yolov5", "boxes"])
def test_detection_in_three_layouts(graph, run, image, kind):
    """Two boxes that overlap and one of the other class: one is suppressed, in every tile."""
    item = card_of("object-detection", classes=("car", "tree"), halo=0, detector=kind, tile=64)
    v8 = [[10, 11, 40, 20], [10, 11, 40, 20], [8, 8, 6, 4], [8, 8, 6, 4],
          [0.9, 0.8, 0.1, 0.2], [0.0, 0.0, 0.7, 0.3]]  # fmt: skip
    v5 = [[10, 10, 8, 8, 1, 0.9, 0], [11, 11, 8, 8, 1, 0.8, 0], [40, 40, 6, 6, 1, 0.1, 0.7]]
    path = image(width=64, height=64)
    outputs = (("out", 3),)
    if kind == "boxes":
        corners = [[6, 6, 14, 14], [7, 7, 15, 15], [37, 37, 43, 43]]
        nodes, constants = detector(corners)
        constants.update(scores=np.float32([0.9, 0.8, 0.7]), places=np.float32([0, 0, 1]))
        nodes += [node("Add", "scores z", "s2"), node("Add", "places z", "p2")]
        outputs = (("out", 2), ("s2", 1), ("p2", 1))
    else:
        nodes, constants = detector([v8 if kind == "yolov8" else v5])
    model = graph(nodes, item, ((1, 3, 64, 64),), outputs, constants)
    report, objects, made = run(model, path)
    assert report["objects"] == 2
    assert [(o["class_name"], o["score"]) for _, o in objects] == [
        ("car", pytest.approx(0.9, abs=1e-4)), ("tree", pytest.approx(0.7, abs=1e-4)),
    ]  # fmt: skip
    ring = objects[0][0]["coordinates"][0]
    assert min(x for x, _ in ring) == pytest.approx(5e5 + 60)
    assert max(y for _, y in ring) == pytest.approx(5e6 - 60)
    assert made["main"][0, 10, 10] == 1 and made["main"][0, 40, 40] == 2
    assert (made["main"][0] > 0).sum() == 64 + 36


def test_detection_over_tiles_gives_each_object_once(graph, run, image):
    """A bright pixel is boxed wherever it lies; tiles overlap by the halo."""
    item = card_of("object-detection", classes=("spot",), halo=8, tile=32, confidence=0.5)
    # The brightest place of the tile: its position by ArgMax, its value as the score.
    nodes = [
        node("ReduceMax", "in0", "m", axes=[1], keepdims=0), node("Flatten", "m", "f"),
        node("ReduceMax", "f", "v", axes=[1], keepdims=1), node("ArgMax", "f", "i", axis=1),
        node("Cast", "i", "p", to=1), node("Div", "p side", "q"), node("Floor", "q", "y0"),
        node("Mul", "y0 side", "y1"), node("Sub", "p y1", "x0"),
        node("Add", "x0 half", "x"), node("Add", "y0 half", "y"),
        node("Mul", "v zero", "z"), node("Add", "z six", "w"),
        node("Concat", "x y w w v", "row", axis=1), node("Unsqueeze", "row two", "out"),
    ]  # fmt: skip
    constants = {"side": np.float32(32), "half": np.float32(0.5), "zero": np.float32(0),
                 "six": np.float32(6), "two": np.array([2])}  # fmt: skip
    values = np.full((3, 90, 100), 0.1, np.float32)
    spots = [(5, 5), (47, 31), (88, 5), (88, 70), (15, 60)]
    for col, row in spots:
        values[:, row, col] = 0.9
    model = graph(nodes, item, ((1, 3, 32, 32),), (("out", 3),), constants)
    _, objects, _ = run(model, image(values=values))
    middles = set()
    for shape, _said in objects:
        xs, ys = zip(*shape["coordinates"][0][:4])
        middles.add((int((np.mean(xs) - 5e5) // 10), int((5e6 - np.mean(ys)) // 10)))
    assert middles == set(spots) and len(objects) == len(spots)


def test_instance_masks_stay_in_their_boxes(graph, run, image):
    item = card_of("instance-segmentation", classes=("field",), halo=0, tile=64)
    rows = [[[16], [16], [16], [16], [0.9], [1.0]]]
    prototype = -np.ones((1, 1, 16, 16), np.float32)
    prototype[0, 0, 3:5, :] = 1  # a stripe of 8 pixels across the image
    nodes, constants = detector(rows)
    nodes += [node("Add", "proto z", "masks")]
    constants["proto"] = prototype
    model = graph(nodes, item, ((1, 3, 64, 64),), (("out", 3), ("masks", 4)), constants)
    report, objects, made = run(model, image(width=64, height=64))
    assert report["objects"] == 1
    assert (made["main"][0] > 0).sum() == 8 * 16
    assert (made["main"][0, 12:20, 8:24] == 1).all()


def test_two_outputs_give_two_bands(graph, run, image):
    item = card_of("semantic-segmentation", classes=("a", "b", "c"), outputs=2, halo=0)
    nodes = [node("Identity", "in0", "one"), node("Neg", "in0", "two")]
    path = image()
    report, _, made = run(graph(nodes, item, outputs=(("one", 4), ("two", 4))), path)
    values = rasters.read(path)
    assert np.array_equal(made["main"][0], values.argmax(axis=0) + 1)
    assert np.array_equal(made["main"][1], values.argmin(axis=0) + 1)
    assert len(report["outputs"]) == 2


def test_whole_numbers_are_checked_and_rounded(graph, run, image, tmp_path):
    item = card_of("regression", halo=0)
    nodes = [node("Cast", "in0", "f", to=1), node("ReduceMean", "f", "out", axes=[1], keepdims=1)]
    model = graph(nodes, item, dtype=TensorProto.UINT8)
    path = image()
    with pytest.raises(ConcordError, match="whole numbers 0 to 255, gets"):
        run(model, path)
    item["properties"]["mlm:input"][0]["value_scaling"] = [{"type": "scale", "value": 1 / 255}]
    model = graph(nodes, item, dtype=TensorProto.UINT8)
    _, _, made = run(model, path)
    wanted = np.rint(rasters.read(path) * 255).mean(axis=0)
    assert np.allclose(made["main"][0], wanted, atol=0.4)


def test_unsure_is_entropy_margin_and_flips(graph, run, image, tmp_path):
    item = card_of("semantic-segmentation", classes=("a", "b", "c"), activation="logits", halo=0)
    path = image()
    unsure = str(tmp_path / "unsure.tif")
    _, _, made = run(graph([node("Identity", "in0", "out")], item), path, unsure=unsure, flips=8)
    shares = np.exp(rasters.read(path))
    shares /= shares.sum(axis=0)
    entropy = -(shares * np.log(shares)).sum(axis=0) / np.log(3)
    two = np.sort(shares, axis=0)[-2:]
    assert np.allclose(made["unsure"][0], entropy, atol=1e-5)
    assert np.allclose(made["unsure"][1], 1 - (two[1] - two[0]), atol=1e-5)
    assert np.allclose(made["unsure"][2], 0, atol=1e-6)  # single pixels look alike in a mirror


def test_flips_are_turned_back(graph, run, image):
    """A graph that shifts the image answers with the mean of all shifts."""
    item = card_of("regression", inputs=(BANDS,), halo=1)
    kernel = np.zeros((1, 3, 3, 3), np.float32)
    kernel[0, 0, 1, 0] = 1  # the red of the left neighbour
    model = graph([node("Conv", "in0 w", "out", pads=[1, 1, 1, 1])], item, constants={"w": kernel})
    path = image()
    _, _, made = run(model, path, flips=2)
    red = np.pad(rasters.read(path)[0], 1)
    assert np.allclose(made["main"][0][1:-1, 1:-1],
                       ((red[1:-1, :-2] + red[1:-1, 2:]) / 2)[1:-1, 1:-1], atol=1e-6)  # fmt: skip


def test_an_unknown_task_and_an_output_it_lacks(graph, run, image, tmp_path):
    nodes = [node("Identity", "in0", "out")]
    with pytest.raises(ConcordError, match="made for 'image-captioning'; Concord runs"):
        run(graph(nodes, card_of("image-captioning")), image())
    with pytest.raises(ConcordError, match="has no probabilities raster"):
        run(graph(nodes, card_of("regression", output_names=["a", "b", "c"])), image(),
            probabilities=str(tmp_path / "p.tif"))  # fmt: skip
    with pytest.raises(ConcordError, match="answers 3 numbers a pixel but its card names 1"):
        run(graph(nodes, card_of("regression", output_names=["a"])), image())


def test_a_card_is_completed_and_saved(graph, image, run):
    model = graph([node("Identity", "in0", "out")],
                  card_of("", inputs=([],), tile=None, halo=None, activation=None,
                          pixel_size_range_m=None))  # fmt: skip
    assert {"band names", "tile size", "halo", "resolution"} <= set(model.card.missing)
    fields = {
        "task": "semantic-segmentation",
        "bands": BANDS,
        "tile": 32,
        "halo": 0,
        "activation": "logits",
        "classes": ["a", "b", "c"],
        "pixel_size_range_m": [5, 20],
    }
    describe.save(model.card, fields, model.path)
    again = Model(str(model.path))
    assert again.card.missing == () and again.card.origin == "tiny.mlm.json"
    _, _, made = run(again, image())
    assert set(np.unique(made["main"])) == {1, 2, 3}
    for wrong in ({"halo": "wide"}, {"pixel_size_range_m": [1]}, {"classes": {"x": "y"}}):
        with pytest.raises(ConcordError, match="cannot be completed"):
            describe.complete(model.card, wrong)


def test_scenes_with_one_date_refuse_a_band_twice(image, graph):
    model = graph([node("Identity", "in0", "out")], card_of("regression"))
    with pytest.raises(ConcordError, match="both bring the band"):
        dates.open_scenes([image("a.tif"), image("b.tif")], model.card)
    assert isinstance(dates.open_scenes([image("a.tif")], model.card)[0], Scene)
