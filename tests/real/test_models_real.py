"""Real models on real images: Deepness' test models, and Dynamic World tile by tile and whole."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import onnxruntime
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.infer import describe, runner, session
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.scene import Scene

RGB = ["red", "green", "blue"]
SIZE = {"bands": RGB, "pixel_size_range_m": [2.5, 10], "halo": 0}
SIGMOID = {**SIZE, "activation": "sigmoid"}
PIXEL = {"scaling": [{"type": "scale", "value": 255}]}
SEGMENT = {**SIGMOID, **PIXEL, "task": "semantic-segmentation"}
REGRESS = {**SIZE, **PIXEL, "task": "regression"}
S, R = "dummy_segmentation_models/", "dummy_regression_models/"
# What a user fills in where the model's own metadata are silent.
FILLED = {
    "one_output_sigmoid_red_detector": {**SEGMENT, "classes": ["red"]},
    "dummy_recognition_model": {**SIZE, "task": "similarity-search"},
    "dummy_superresolution_model": {**SIZE, **PIXEL, "task": "super-resolution"},
    S + "dummy_model": {**SIZE, **PIXEL, "task": "semantic-segmentation", "activation": "none",
                        "classes": RGB},
    S + "different_output_size_512_to_484": {**SIZE, **PIXEL, "task": "semantic-segmentation",
                                             "activation": "none", "classes": ["a", "b"]},
    S + "one_output_sigmoid_bsx1x512x512": SIGMOID,
    S + "one_output_sigmoid_bsx512x512": SIGMOID,
    S + "one_output_softmax_bsx2x512x512": {**SIZE, **PIXEL, "task": "semantic-segmentation",
                                            "activation": "softmax", "classes": ["a", "b"]},
    S + "two_outputs_sigmoid_bsx1x512x512": SIGMOID,
    S + "two_outputs_sigmoid_bsx512x512": {**SEGMENT, "classes": ["a"]},
    S + "two_outputs_softmax_bsx2x512x512": {**SIZE, "activation": "softmax"},
    R + "dummy_regression_model": {"bands": RGB, "pixel_size_range_m": [2.5, 10]},
    R + "dummy_regression_model_batched": {"bands": RGB, "pixel_size_range_m": [2.5, 10]},
    R + "one_output_sigmoid_bsx1x512x512": {**SIGMOID},
    R + "one_output_sigmoid_bsx512x512": REGRESS,
    R + "two_outputs_sigmoid_bsx1x512x512": SIGMOID,
    R + "two_outputs_sigmoid_bsx512x512": REGRESS,
}  # fmt: skip


def test_every_deepness_model_is_listed(real_data):
    folder = real_data / "models" / "deepness-dummy"
    found = {str(p.relative_to(folder))[:-5] for p in folder.rglob("*.onnx")}
    assert found == set(FILLED)


@pytest.fixture(scope="module")
def aerial(real_data):
    return str(sorted((real_data / "naip-nd").glob("*.tif"))[0])


@pytest.mark.parametrize("name", list(FILLED))
def test_deepness_models_run_from_their_own_metadata(real_data, aerial, tmp_path, name):
    path = real_data / "models" / "deepness-dummy" / f"{name}.onnx"
    bare = session.Model(str(path))
    item = describe.complete(bare.card, FILLED[name])
    model = session.Model(str(path), card=items.from_item(item, "the form"))
    assert model.card.missing == ()
    assert model.card.inputs[0].scaling == ({"type": "scale", "value": 255},)
    target = str(tmp_path / "o.tif")
    with Scene([aerial]) as scene:
        report = runner.run(model, scene, runner.RunWish(target, override=True))
    made = rasters.read(target)
    direct = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    side = model.fixed_size
    image = rasters.read(aerial, indexes=[1, 2, 3])[None, :, :side, :side] / np.float32(255)
    outs = direct.run(None, {direct.get_inputs()[0].name: image})
    first = outs[0][0] if outs[0].ndim != 3 else outs[0]
    kind = model.card.kind
    if kind == "embeddings":
        assert made.shape[0] == 224 and np.allclose(made[:, 0, 0], outs[0][0], rtol=1e-4)
    elif kind == "superresolution":
        assert made.shape == (3, 1448, 1868)
        assert np.allclose(made[:, :100, :100], first[:, :100, :100], rtol=1e-4)
    elif kind == "regression":
        scale_ = model.card.number("output_scale", 1.0)
        wanted = first[0, :200, :200] * scale_
        assert np.allclose(made[0, :200, :200], wanted, rtol=1e-3, atol=1e-5)
    else:
        assert len(made) == max(1, len(model.card.outputs)) and report["labelled"] > 0
        if name.endswith("red_detector") or "sigmoid" in name:
            wanted = np.where(first[0] > 0.5, 2, 1)[:200, :200]
            assert np.array_equal(made[0, :200, :200], wanted)
        elif "different" in name:  # the answer lacks a border of 14 pixels
            wanted = first.argmax(axis=0)[:200, :200] + 1
            assert np.array_equal(made[0, 14:214, 14:214], wanted)
        else:
            wanted = first.argmax(axis=0)[:200, :200] + 1
            assert np.array_equal(made[0, :200, :200], wanted)


def wrapped(root, real_data, tmp_path, tile):
    """Dynamic World with its normalisation folded in, made to run in tiles of ``tile``."""
    folder = root / "models" / "training"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("wrap_dw", folder / "wrap_dynamicworld.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    target = tmp_path / "dynamicworld.onnx"
    module.wrap(real_data / "models/dynamicworld/dynamicworld_forward_op18.onnx", target)
    item = items.files.read_json(items.sidecar(target))
    item["properties"]["mlm:hyperparameters"]["tile"] = tile
    return session.Model(str(target), card=items.from_item(item, "the test"))


@pytest.mark.parametrize("place", ["majortom-199U", "sen1floods-es"])
def test_dynamic_world_in_tiles_is_dynamic_world_in_one_piece(root, real_data, tmp_path, place):
    model = wrapped(root, real_data, tmp_path, 512 if place == "majortom-199U" else 256)
    if place == "majortom-199U":
        folder = next((real_data / place).glob("S2*"))
        names = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
        paths = [str(folder / f"{name}.tif") for name in names]
    else:
        paths = [str(next((real_data / place / "S2").glob("*.tif")))]
    target = str(tmp_path / "o.tif")
    with Scene(paths) as scene:
        # Major TOM's is L2A: the network was made for L1C, which is amber, not red.
        report = runner.run(model, scene, runner.RunWish(target))
        bands = list(model.card.inputs[0].bands)
        image = scene.read(bands)
        whole = model.run(np.where(np.isfinite(image), image, 0)).argmax(axis=0) + 1
    empty = ~np.isfinite(image).all(axis=0)
    made = rasters.read(target)[0]
    inner = (slice(32, -32), slice(32, -32))
    same = (made == whole) | empty
    assert report["tiles"] > 4 and (made[empty] == 0).all()
    assert same[inner].mean() >= 0.9999, f"{1 - same[inner].mean():.6%} differ"
    assert report["overlap_agreement"] > 0.9
