"""Promptable ONNX pairs: recognised or refused with a reason, prepared and answered in numpy."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.segment import pair, predict, resize, skim
from concord.plugin.engine.segment.prompts import Prompt
from concord.plugin.engine.segment.sam import SamPrompter

FLOAT = TensorProto.FLOAT


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def write(path, nodes, inputs, outputs, weights=(), metadata=None):
    graph = helper.make_graph(nodes, "g", inputs, outputs, [
        numpy_helper.from_array(np.asarray(array), name) for name, array in weights
    ])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    for key, text in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    onnx.save(model, str(path))
    return str(path)


def encoder(path, size=64, channels=8, before=(), weights=(), output="image_embeddings", extra=()):
    """Averages 16 x 16 pixels into `channels` features; `before` comes first."""
    last = before[-1].output[0] if before else "images"
    kernel = np.full((channels, 3, 16, 16), 1 / 768, np.float32)
    nodes = [*before, helper.make_node("Conv", [last, "k"], [output], strides=[16, 16])]
    outputs = [value(output, [1, channels, size // 16, size // 16])]
    for name, stride in extra:
        nodes.append(helper.make_node("AveragePool", [last], [name], kernel_shape=[stride] * 2,
                                      strides=[stride] * 2))  # fmt: skip
        outputs.append(value(name, [1, 3, size // stride, size // stride]))
    return write(path, nodes, [value("images", [1, 3, size, size])], outputs,
                 [("k", kernel), *weights])  # fmt: skip


def decoder(path, channels=8, side=4, embedding="image_embeddings", masks="low_res_masks",
            extra=(), scores=4):  # fmt: skip
    """Four masks: upsampled first feature, minus a half; they do not depend on the points."""
    out = 4 * side
    nodes = [
        helper.make_node("Gather", [embedding, "first"], ["one"], axis=1),
        helper.make_node("Resize", ["one", "", "", "sizes"], ["big"], mode="linear"),
        helper.make_node("Concat", ["big"] * 4, ["four"], axis=1),
        helper.make_node("Sub", ["four", "half"], [masks]),
        helper.make_node("ReduceMean", ["point_coords"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nil"], ["zero"]),
        helper.make_node("Add", ["zero", "iou"], ["iou_predictions"]),
    ]
    inputs = [
        value(embedding, [1, channels, side, side]),
        value("point_coords", [1, "n", 2]),
        value("point_labels", [1, "n"]),
        *(value(name, shape) for name, shape in extra),
    ]
    outputs = [value(masks, [1, 4, out, out]), value("iou_predictions", [1, scores])]
    weights = [
        ("first", np.array([0])),
        ("sizes", np.array([1, 1, out, out])),
        ("half", np.float32(0.5)),
        ("nil", np.float32(0)),
        ("iou", np.array([[0.9, 0.2, 0.8, 0.5][:scores]], np.float32)),
    ]
    return write(path, nodes, inputs, outputs, weights)


@pytest.fixture
def folder(tmp_path):
    encoder(tmp_path / "tiny.encoder.onnx")
    decoder(tmp_path / "tiny.decoder.onnx")
    return tmp_path


def test_skim_reads_names_shapes_and_metadata(tmp_path):
    path = encoder(tmp_path / "e.onnx")
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "author", "Ada"
    onnx.save(model, path)
    graph = skim.skim(path)
    assert graph.inputs == {"images": (1, 3, 64, 64)}
    assert graph.outputs == {"image_embeddings": (1, 8, 4, 4)}
    assert graph.nodes[0].op == "Conv" and graph.metadata == {"author": "Ada"}


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x07", b"\x3a\xff\xff\xff\xff"])
def test_what_is_no_onnx_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ConcordError, match="is no ONNX model"):
        skim.skim(path)


def test_the_real_stand_in_is_recognised_from_file_and_folder(real_data):
    folder = real_data / "models" / "standin-click"
    found = [pair.find(str(p)) for p in (folder, folder / "enc.onnx", folder / "dec.onnx")]
    assert found[0] == found[1] == found[2]
    assert found[0].title == "standin-click" and found[0].low_resolution
    assert found[0].preparation == pair.Preparation()
    assert found[0].id.startswith("standin-click-")


def test_file_or_folder_give_the_same_pair(folder):
    names = ("", "tiny.encoder.onnx", "tiny.decoder.onnx")
    assert len({pair.find(str(folder / name)) for name in names}) == 1


def test_half_a_pair_is_refused(folder):
    (folder / "tiny.encoder.onnx").unlink()
    with pytest.raises(ConcordError, match="decoder .* but not its encoder"):
        pair.find(str(folder))
    encoder(folder / "tiny.encoder.onnx")
    (folder / "tiny.decoder.onnx").unlink()
    with pytest.raises(ConcordError, match="encoder .* but not its decoder"):
        pair.find(str(folder / "tiny.encoder.onnx"))


def test_wrong_embedding_size_is_refused_with_both_sizes(folder):
    decoder(folder / "tiny.decoder.onnx", channels=16)
    with pytest.raises(ConcordError, match="1 x 8 x 4 x 4 and .* wants 1 x 16 x 4 x 4"):
        pair.find(str(folder))


def test_other_models_and_empty_folders_are_refused(tmp_path, real_data):
    with pytest.raises(ConcordError, match="holds no ONNX model"):
        pair.find(str(tmp_path))
    with pytest.raises(ConcordError, match="does not exist"):
        pair.find(str(tmp_path / "none.onnx"))
    dynamic_world = next((real_data / "models" / "dynamicworld").glob("*.onnx"))
    with pytest.raises(ConcordError, match="neither the encoder nor the decoder"):
        pair.find(str(dynamic_world))


def test_two_models_in_one_folder_need_a_choice(folder):
    shutil.copy(folder / "tiny.encoder.onnx", folder / "other.encoder.onnx")
    shutil.copy(folder / "tiny.decoder.onnx", folder / "other.decoder.onnx")
    with pytest.raises(ConcordError, match="several promptable models"):
        pair.find(str(folder))
    found = pair.find(str(folder / "other.decoder.onnx"))
    assert found.encoder.endswith("other.encoder.onnx")


def test_unknown_decoder_input_is_refused(folder):
    decoder(folder / "tiny.decoder.onnx", extra=[("text_tokens", [1, 77])])
    with pytest.raises(ConcordError, match="wants the input text_tokens"):
        pair.find(str(folder))


def test_decoder_without_masks_or_with_cropped_ones_is_refused(folder):
    decoder(folder / "tiny.decoder.onnx", masks="masks")
    with pytest.raises(ConcordError, match="cropped for the picture"):
        pair.find(str(folder))
    decoder(folder / "tiny.decoder.onnx", masks="planes")
    with pytest.raises(ConcordError, match="needs low_res_masks"):
        pair.find(str(folder))


def chain(*steps):
    """Operators on `images` one after the other: (op, constant name)."""
    nodes, last = [], "images"
    for number, (op, constant) in enumerate(steps):
        nodes.append(helper.make_node(op, [last, constant], [f"t{number}"]))
        last = f"t{number}"
    return nodes


def test_normalisation_is_read_from_the_operators(tmp_path):
    mean = np.array([123.7, 116.3, 103.5], np.float32).reshape(1, 3, 1, 1)
    encoder(tmp_path / "a.onnx", before=chain(("Sub", "m")), weights=[("m", mean)])
    own = pair.prepare(skim.skim(tmp_path / "a.onnx"))
    assert own.mean == (0, 0, 0) and own.std == (1, 1, 1) and own.scale == 1
    encoder(tmp_path / "b.onnx", before=chain(("Sub", "m")), weights=[("m", mean / 255)])
    assert pair.prepare(skim.skim(tmp_path / "b.onnx")).scale == pytest.approx(1 / 255)
    steps = chain(("Div", "d"), ("Sub", "m"))
    both = [("d", np.float32([255])), ("m", mean / 255)]
    encoder(tmp_path / "c.onnx", before=steps, weights=both)
    assert pair.prepare(skim.skim(tmp_path / "c.onnx")).scale == 1


def test_card_beside_the_encoder_says_how_to_prepare(folder):
    card = {"resize": "stretch", "scale": 0.5, "mean": [1, 2, 3], "std": [4, 5, 6]}
    (folder / "tiny.encoder.json").write_text(json.dumps(card))
    found = pair.find(str(folder)).preparation
    assert (found.resize, found.scale, found.mean, found.std) == ("stretch", 0.5, (1, 2, 3),
                                                                  (4, 5, 6))  # fmt: skip
    for broken in ('{"std": [0, 1, 1]}', '{"resize": "crop"}', "[]", "{", '{"mean": [1]}'):
        (folder / "tiny.encoder.json").write_text(broken)
        with pytest.raises(ConcordError, match="cannot be read; give size"):
            pair.find(str(folder))


def test_high_resolution_features_reach_the_decoder(tmp_path):
    extra = [("high_res_feats_0", 4), ("high_res_feats_1", 8)]
    encoder(tmp_path / "encoder.onnx", output="image_embed", extra=extra)
    more = [("high_res_feats_0", [1, 3, 16, 16]), ("high_res_feats_1", [1, 3, 8, 8]),
            ("mask_input", [1, 1, 16, 16]), ("has_mask_input", [1])]  # fmt: skip
    decoder(tmp_path / "decoder.onnx", embedding="image_embed", extra=more)
    found = pair.find(str(tmp_path))
    assert found.preparation.resize == "stretch" and len(found.given) == 3
    provider = SamPrompter(found)
    image = np.full((40, 20, 3), 200, np.uint8)
    encoding = provider.encode(image, np.ones((40, 20), bool))
    assert set(encoding.content) == {"image_embed", "high_res_feats_0", "high_res_feats_1"}
    assert provider.predict(encoding, Prompt(((3, 3),), (1,)))[0].mask.shape == (40, 20)


@pytest.mark.parametrize("shape", [(64, 64), (30, 100), (100, 70), (7, 64), (200, 150)])
def test_masks_lie_where_the_image_is_bright(folder, shape):
    provider = SamPrompter(pair.find(str(folder)))
    rows, cols = shape
    image = np.zeros((*shape, 3), np.uint8)
    image[:, cols // 2 :] = 255
    encoding = provider.encode(image, np.ones(shape, bool))
    found = provider.predict(encoding, Prompt(((cols * 0.8, rows / 2),), (1,)))
    assert len(found) == 3 and found[0].mask.shape == shape
    edge = found[0].mask[rows // 2].argmax() / cols
    assert found[0].mask[:, -1].all() and not found[0].mask[:, 0].any()
    assert edge == pytest.approx(0.5, abs=0.13)  # a cell of the embedding is an eighth wide


def test_one_click_gets_three_masks_and_more_prompts_the_clear_one(folder):
    provider = SamPrompter(pair.find(str(folder)))
    encoding = provider.encode(np.full((64, 64, 3), 90, np.uint8), np.ones((64, 64), bool))
    click = provider.predict(encoding, Prompt(((9, 9),), (1,)))
    assert [round(c.score, 1) for c in click] == [0.8, 0.5, 0.2]
    more = provider.predict(encoding, Prompt(((9, 9), (20, 9)), (1, 0)))
    assert [round(c.score, 1) for c in more] == [0.9, 0.8, 0.5, 0.2]
    boxed = provider.predict(encoding, Prompt(box=(1, 1, 20, 20)))
    assert boxed[0].score == pytest.approx(0.9)


def test_scores_that_do_not_fit_are_refused(folder):
    decoder(folder / "tiny.decoder.onnx", scores=3)
    provider = SamPrompter(pair.find(str(folder)))
    encoding = provider.encode(np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), bool))
    with pytest.raises(ConcordError, match="4 masks and 3 scores"):
        provider.predict(encoding, Prompt(((9, 9),), (1,)))


def test_mask_prompt_from_logits_and_from_an_outline(real_data):
    provider = predict.provider_of(str(real_data / "models" / "standin-click"))
    mask = np.zeros((300, 500), bool)
    mask[100:200, 150:300] = True
    low = provider._mask_input(mask, (300, 500))
    assert low.shape == (256, 256) and low.max() == 8 and low.min() == -8
    again = provider.upscaled(low, (300, 500)) > 0
    assert (again & mask).sum() / (again | mask).sum() > 0.97
    assert provider._mask_input(low, (300, 500)) is not None
    with pytest.raises(ConcordError, match="does not fit the image"):
        provider._mask_input(mask, (10, 10))


# --- resizing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"),
    [((512, 300), (1024, 600)), ((700, 1024), (341, 499)), ((33, 57), (61, 20)), ((9, 9), (9, 30))],
)
def test_pictures_are_resized_as_pillow_does_to_the_bit(source, target):
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(3)
    picture = random.integers(0, 256, (*source, 3), dtype=np.uint8)
    expected = image.fromarray(picture).resize(target[::-1], image.BILINEAR)
    assert np.array_equal(resize.picture(picture, target), np.asarray(expected))


def test_the_longest_side_is_rounded_as_sam_rounds():
    assert resize.fitted(723, 934, 1024) == (793, 1024)
    assert resize.fitted(1024, 1, 1024) == (1024, 1)


def test_logits_keep_constants_and_ramps():
    plane = np.tile(np.arange(8, dtype=np.float32), (8, 1))
    big = resize.logits(plane, (16, 32))
    assert big.shape == (16, 32) and np.allclose(np.diff(big[5, 2:-2]), 0.25)
    assert np.array_equal(resize.logits(plane, (8, 8)), plane)


@pytest.mark.parametrize(
    ("scale", "pixel", "level"), [(1, 1, 0), (0.2, 1, 0), (4, 1, 2), (7.9, 1, 2), (0, 1, 0)]
)
def test_the_pyramid_level_follows_the_map_scale(scale, pixel, level):
    assert resize.level_of(scale, pixel) == level
