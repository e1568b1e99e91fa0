"""Encoder features: one file, the same maps in training and in the run, bad encoders refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import runner, session
from concord.plugin.engine.learn import encoder, features, train, validate
from concord.plugin.engine.sample import scene as sample_scene
from concord.plugin.engine.scene import Scene

BANDS = ["blue", "green", "red", "nir"]
S2 = "concord-landcover-s2"


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """An image whose sides are odd, so that an encoder of stride 2 meets its end."""
    folder = tmp_path_factory.mktemp("land")
    made = sample_scene.generate(1, 321)
    image, labels = str(folder / "optical.tif"), str(folder / "labels.tif")
    rasters.write(image, made.optical, made.grid, names=BANDS, units=["reflectance"] * 4,
                  nodata=np.nan)  # fmt: skip
    rasters.write(labels, made.truth, made.grid, nodata=0)
    return image, labels, made


def wish(path, labels, method="linear", **more):
    recipe = validate.Recipe(method, trees=8)
    return train.TrainWish(str(path), labels, samples=2500, recipe=recipe, **more)


@pytest.mark.parametrize(("method", "alone"), [("linear", False), ("mlp", True),
                                               ("randomforest", False)])  # fmt: skip
def test_encoder_and_classifier_are_one_file_that_tiles_exactly(land, tmp_path, method, alone):
    image, labels, made = land
    target = tmp_path / "mine.onnx"
    report = train.train(wish(target, labels, method, encoder=S2, alone=alone), [image])
    assert report["onnx_against_scikit_learn"]["largest"] <= 1e-5
    assert report["encoder"]["features"] == 144 and report["encoder"]["alone"] is alone
    sources = [i["source"] for i in report["quality"]["importance"]]
    assert sources == ([] if alone else [*BANDS, "ndvi", "ndwi"]) + [S2]
    assert report["quality"]["accuracy"] > 0.6 and report["quality"]["learning_curve"]
    model = session.Model(str(target))
    assert model.card.missing == () and model.card.halo == report["halo"] >= 22
    assert model.card.alignment == 2
    with Scene([image]) as scene:
        shares = str(tmp_path / "shares.tif")
        ran = runner.run(model, scene, runner.RunWish(str(tmp_path / "map.tif"), shares))
        whole = scene.read(scene.names)
    assert ran["tiles"] > 1 and ran["overlap_agreement"] == 1.0
    assert all(v["level"] == "green" for v in ran["verdicts"]), ran["verdicts"]
    padded = np.pad(whole, ((0, 0), (0, 1), (0, 1)), mode="symmetric")
    once = model.run(padded)[:, :321, :321]
    assert np.abs(once - rasters.read(shares)).max() < 1e-6


def test_each_tile_of_a_classifier_took_its_processing_level_for_itself(land, tmp_path):
    """What an encoder takes an image for is said once, for all tiles, as in its own runs."""
    image, labels, _ = land
    train.train(wish(tmp_path / "mine.onnx", labels, encoder=S2, alone=True), [image])
    maps, said = {}, {}
    for level in ("L1C", "L2A"):
        target = str(tmp_path / f"{level}.tif")
        with Scene([image]) as scene:
            model = session.Model(str(tmp_path / "mine.onnx"))
            said[level] = runner.run(model, scene, runner.RunWish(target, level=level))["level"]
        maps[level] = rasters.read(target)
    assert all(level in str(told) for level, told in said.items()), said
    assert 0.001 < (maps["L1C"] != maps["L2A"]).mean() < 1
    with Scene([image]) as scene:
        found = encoder.load(S2, scene)
    (number,) = found.constants.values()
    assert number in (0.0, 1.0)  # the clear sample scene is of one level, not unknown


def test_card_takes_over_what_the_encoder_binds_it_to(land, tmp_path):
    image, labels, _ = land
    train.train(wish(tmp_path / "mine.onnx", labels, encoder=S2), [image])
    said = json.loads((tmp_path / "mine.mlm.json").read_text())["properties"]
    own = json.loads((session.BUNDLED / f"{S2}.mlm.json").read_text())["properties"]
    assert said["license"] == own["license"]  # its weights stand in this file
    assert said["mlm:hyperparameters"]["encoder"]["id"] == S2
    low, high = said["mlm:hyperparameters"]["pixel_size_range_m"]
    assert low >= 8 and high <= 13
    train.train(wish(tmp_path / "free.onnx", labels, encoder=S2, licence="MIT"), [image])
    said = json.loads((tmp_path / "free.mlm.json").read_text())["properties"]
    assert said["license"] == "MIT" and own["license"] in said["description"]


def test_bands_that_only_the_encoder_reads_are_no_features(land, tmp_path):
    image, labels, _ = land
    found = train.train(
        wish(tmp_path / "m.onnx", labels, encoder=S2, bands=("red",), windows=(3,)), [image]
    )
    assert found["bands"] == ["red", "blue", "green", "nir"]
    assert found["features"][:4] == ["red", "red mean 3", "red deviation 3", f"{S2} 1"]
    lost = {one["layer"] for one in found["quality"]["one_layer_out"]}
    assert lost == {S2}  # without the file nothing is left


def test_features_are_the_networks_own_tensor(land):
    import onnx
    import onnxruntime

    image, _, _ = land
    with Scene([image]) as scene:
        one = encoder.load(S2, scene)
        plan = features.plan([], (), (), scene.overview(BANDS, 64), one, BANDS)
        pixels = scene.read(BANDS)[:, :160, :160]
    got = features.feature_session(plan).run(None, {"image": pixels[None]})[0][0]
    model = onnx.load(str(session.find(S2)))
    tensor = one.part.output.split("/", 1)[1]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    whole = onnxruntime.InferenceSession(model.SerializeToString())
    zeros = np.zeros((1, 4, 160, 160), np.float32)
    feed = {"reflectance": pixels[None], "rededge": zeros, "swir": zeros[:, :2]}
    wanted = whole.run([tensor], feed)[0][0]
    assert wanted.shape == (144, 80, 80) and one.stride == 2
    # The mean of the four pixels over a cell is the cell, as long as its neighbours are alike.
    inner = got[:, 2:-2, 2:-2].reshape(144, 78, 2, 78, 2).mean(axis=(2, 4))
    level = wanted[:, 1:-1, 1:-1]
    assert np.corrcoef(inner.ravel(), level.ravel())[0, 1] > 0.99
    assert np.allclose(got[:, 0, 0], wanted[:, 0, 0], rtol=1e-4, atol=1e-5)  # corners are exact


def item(task="regression", **hyper):
    order = ["batch", "bands", "height", "width"]
    scaling = [{"type": "min-max", "minimum": 0, "maximum": 2}]
    return {"id": "tiny", "properties": {
        "mlm:input": [{"name": "image", "bands": BANDS, "value_scaling": scaling,
                       "input": {"dim_order": order}}],
        "mlm:output": [{"tasks": [task]}],
        "mlm:hyperparameters": {"tile": 64, "blend": "hann", "unit": "reflectance",
                                "pixel_size_range_m": [1, 100], **hyper},
    }}  # fmt: skip


def tiny(path, nodes, kept=(), sides=("h", "w"), opset=17, **card):
    """A graph from `image` to `out` with a card."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from concord.plugin.engine.infer import item as items

    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 4, *sides])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    weights = [numpy_helper.from_array(value, name) for name, value in kept]
    graph = helper.make_graph(nodes, "tiny", [source], [result], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    plain = path.with_suffix(".plain")
    onnx.save(made, str(plain))
    items.embed(plain, path, item(**card))
    return str(path)


def _conv(side=7, channels=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(channels, 4, side, side)).astype(np.float32)


def test_a_level_that_acts_behind_the_features_stopped_training(land, tmp_path):
    import onnx
    from onnx import TensorProto, helper

    image, labels, _ = land
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], pads=[3] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "v"], ["c"]),
        helper.make_node("Add", ["c", "level"], ["out"]),
    ]
    last = np.ones((2, 3, 1, 1), np.float32)
    kept = [("w", _conv()), ("v", last), ("level", np.zeros(1, np.float32))]
    said = {"input": "level", "numbers": {"L1C": 0, "L2A": 1}, "unknown": -1}
    path = tiny(tmp_path / "tiny.onnx", nodes, kept, levels=said)
    made = onnx.load(str(path))
    made.graph.input.append(helper.make_tensor_value_info("level", TensorProto.FLOAT, [1]))
    onnx.save(made, str(path))
    train.train(wish(tmp_path / "mine.onnx", labels, encoder=str(path)), [image])
    assert "levels" not in session.Model(str(tmp_path / "mine.onnx")).card.hyper


def test_reach_is_found_by_looking_when_the_card_does_not_say(land, tmp_path):
    from onnx import helper

    nodes = [helper.make_node("Conv", ["image", "w"], ["out"], pads=[3] * 4)]
    path = tiny(tmp_path / "tiny.onnx", nodes, [("w", _conv())])
    with Scene([land[0]]) as scene:
        one = encoder.load(path, scene)
    # The convolution is the last one and reads the image, so its answer is the feature.
    assert (one.channels, one.stride) == (3, 1) and 3 <= one.halo <= 4


def test_scaling_of_the_card_stands_in_the_graph(land, tmp_path):
    from onnx import helper

    path = tiny(tmp_path / "tiny.onnx", [helper.make_node("Identity", ["image"], ["out"])])
    with Scene([land[0]]) as scene:
        one = encoder.load(path, scene)
        plan = features.plan([], (), (), scene.overview(BANDS, 64), one, BANDS)
        image = scene.read(BANDS)
    got = features.feature_session(plan).run(None, {"image": image[None]})[0][0]
    assert np.allclose(got, image / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("fixed", "takes images of 64 pixels only"),
        ("global", "sees farther than"),
        ("smaller", "no features that lie on the image's pixels"),
        ("boxes", "has no features of single pixels"),
        ("unit", "does not fit the image: unit"),
        ("bands", "does not fit the image: bands missing"),
        ("nan", "encoder tiny returned values that are not numbers"),
    ],
)  # fmt: skip
def test_encoders_that_do_not_suit_get_a_sentence(land, tmp_path, case, words):
    from onnx import helper

    path, image = tmp_path / "tiny.onnx", land[0]
    plain = [helper.make_node("Identity", ["image"], ["out"])]
    if case == "fixed":
        tiny(path, plain, sides=(64, 64))
    elif case == "global":
        mean = helper.make_node("ReduceMean", ["image"], ["m"], axes=[2, 3], keepdims=1)
        tiny(path, [mean, helper.make_node("Add", ["image", "m"], ["out"])])
    elif case == "smaller":
        tiny(path, [helper.make_node("Conv", ["image", "w"], ["out"])], [("w", _conv())])
    elif case == "boxes":
        tiny(path, plain, task="object-detection")
    elif case == "nan":
        tiny(path, [helper.make_node("Log", ["image"], ["a"]),
                    helper.make_node("Mul", ["a", "w"], ["out"])],
             [("w", np.float32([np.nan]))])  # fmt: skip
    elif case == "unit":
        tiny(path, plain, unit="dB")
    else:
        image = str(tmp_path / "grey.tif")
        rasters.write(image, land[2].optical[:1], land[2].grid, names=["blue"])
    if case == "boxes":
        item_ = item("object-detection")
        item_["properties"]["mlm:output"][0]["classification:classes"] = [{"value": 1, "name": "a"}]
        from concord.plugin.engine.infer import item as items

        items.embed(path.with_suffix(".plain"), path, item_)
    name = S2 if case == "bands" else str(path)
    with pytest.raises(ConcordError, match=words):
        train.train(wish(tmp_path / "x.onnx", land[1], encoder=name), [image])
    assert not (tmp_path / "x.onnx").exists()


def test_alone_needs_an_encoder(land, tmp_path):
    with pytest.raises(ConcordError, match="need an encoder"):
        train.train(wish(tmp_path / "x.onnx", land[1], alone=True), [land[0]])


def test_older_opset_is_brought_up(land, tmp_path):
    from onnx import helper

    nodes = [helper.make_node("Conv", ["image", "w"], ["a"], pads=[3] * 4),
             helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("Conv", ["b", "v"], ["out"])]  # fmt: skip
    last = np.ones((2, 3, 1, 1), np.float32)
    path = tiny(tmp_path / "old.onnx", nodes, [("w", _conv()), ("v", last)], opset=11)
    with Scene([land[0]]) as scene:
        one = encoder.load(path, scene)
    assert one.channels == 3 and one.part.output.endswith("b")
