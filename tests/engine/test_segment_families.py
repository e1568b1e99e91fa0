"""Promptable pairs with the very names, shapes and types that public exporters write.

The graphs are small stand-ins: a picture's brightness becomes the mask, and the scores tell how
many points arrived.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.segment import pair
from concord.plugin.engine.segment.prompts import Prompt
from concord.plugin.engine.segment.sam import SamPrompter

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
EMBEDDING = {"image_embeddings": (1, 256, 64, 64)}
SECOND = {"high_res_feats_0": (1, 32, 256, 256), "high_res_feats_1": (1, 64, 128, 128)}
MASK = [("mask_input", (1, 1, 256, 256), FLOAT), ("has_mask_input", (1,), FLOAT)]
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def save(path, nodes, inputs, outputs, weights) -> None:
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape, kind in inputs]
    results = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights]
    graph = helper.make_graph(nodes, "g", values, results, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))


def encoder(path, picture, features, nodes=(), weights=(), last=None) -> None:
    """Features are means of blocks of the picture, in all channels; `nodes` prepare it."""
    name, shape = picture
    nodes, weights, last = list(nodes), list(weights), last or name
    for feature, (_, channels, side, _side) in features.items():
        step = 1024 // side
        kernel = np.full((channels, 3, step, step), 1 / (3 * step * step), np.float32)
        weights.append((f"k_{feature}", kernel))
        nodes.append(helper.make_node("Conv", [last, f"k_{feature}"], [feature],
                                      strides=[step, step]))  # fmt: skip
    save(path, nodes, [(name, shape, FLOAT)], list(features.items()), weights)


def decoder(path, features, points, others, outputs, side=256, count=4) -> None:
    """`points`: (name, shape) of coordinates and labels and the labels' type; `outputs`: names."""
    (coords, where), (labels, which), kind = points
    masks, scores, more = outputs
    embedding = next(name for name, shape in features.items() if shape[1] == 256)
    axis = len(where) - 2
    node = helper.make_node
    nodes = [
        node("Gather", [embedding, "first"], ["one"], axis=1),
        node("Resize", ["one", "", "", "sizes"], ["big"], mode="linear"),
        node("Concat", ["big"] * count, [more or masks], axis=1),
        node("Shape", [coords], ["shape"]),
        node("Gather", ["shape", "axis"], ["number"]),
        node("Cast", ["number"], ["points"], to=FLOAT),
        node("Mul", ["points", "cent"], ["small"]),
        node("Add", ["small", "base"], [scores]),
    ]
    weights = [
        ("first", np.array([0])), ("sizes", np.array([1, 1, side, side])),
        ("axis", np.array([axis])), ("cent", np.float32(0.01)),
        ("base", np.array([[0.6, 0.2, 0.5, 0.3][:count]], np.float32)),
    ]  # fmt: skip
    shapes = [(more or masks, [1, count, side, side]), (scores, [1, count])]
    if more:  # masks at the size of a picture beside the low-resolution ones
        nodes.append(node("Concat", ["big"] * count, [masks], axis=1))
        shapes.append((masks, [1, count, "height", "width"]))
    inputs = [(name, shape, FLOAT) for name, shape in features.items()]
    inputs += [(coords, where, FLOAT), (labels, which, kind), *others]
    save(path, nodes, inputs, shapes, weights)


def segment_anything(folder, preprocess: bool) -> None:
    """MobileSAM and samexporter: the decoder of `segment-anything`, with or without centring."""
    nodes, weights, picture, last = [], [], ("input_image", (1, 3, 1024, 1024)), None
    if preprocess:
        node = helper.make_node
        picture, last = ("input_image", ("image_height", "image_width", 3)), "batch"
        nodes = [
            node("Sub", ["input_image", "mean"], ["centred"]),
            node("Div", ["centred", "std"], ["scaled"]),
            node("Transpose", ["scaled"], ["planes"], perm=[2, 0, 1]),
            node("Shape", ["planes"], ["size"]),
            node("Sub", ["whole", "size"], ["after"]),
            node("Concat", ["before", "after"], ["pads"], axis=0),
            node("Pad", ["planes", "pads"], ["square"]),
            node("Unsqueeze", ["square", "zero"], ["batch"]),
        ]
        weights = [
            ("mean", np.float32(MEAN)), ("std", np.float32(STD)), ("zero", np.array([0])),
            ("whole", np.array([3, 1024, 1024])), ("before", np.zeros(3, np.int64)),
        ]  # fmt: skip
    encoder(folder / "mobile_sam.encoder.onnx", picture, EMBEDDING, nodes, weights, last)
    points = (("point_coords", (1, "n", 2)), ("point_labels", (1, "n")), FLOAT)
    others = [*MASK, ("orig_im_size", (2,), FLOAT)]
    outputs = ("masks", "iou_predictions", "low_res_masks")
    decoder(folder / "sam_vit_b_01ec64.decoder.onnx", EMBEDDING, points, others, outputs)


def samexporter_sam2(folder) -> None:
    features = {**SECOND, "image_embed": (1, 256, 64, 64)}
    encoder(folder / "sam2_hiera_tiny.encoder.onnx", ("image", (1, 3, 1024, 1024)), features)
    points = (("point_coords", ("l", "n", 2)), ("point_labels", ("l", "n")), FLOAT)
    given = {"image_embed": (1, 256, 64, 64), **SECOND}
    path = folder / "sam2_hiera_tiny.decoder.onnx"
    decoder(path, given, points, MASK, ("masks", "iou_predictions", ""), count=3)


def onnxruntime_sam2(folder) -> None:
    shapes = (*SECOND.values(), (1, 256, 64, 64))
    names = ("image_features_0", "image_features_1", "image_embeddings")
    features = dict(zip(names, shapes))
    encoder(folder / "sam2_hiera_tiny_image_encoder.onnx", ("image", (1, 3, 1024, 1024)), features)
    points = (("point_coords", ("l", "n", 2)), ("point_labels", ("l", "n")), INT32)
    others = [("input_masks", ("l", 1, 256, 256), FLOAT), ("has_input_masks", ("l",), FLOAT),
              ("original_image_size", (2,), INT32)]  # fmt: skip
    outputs = ("masks", "iou_predictions", "low_res_masks")
    path = folder / "sam2_hiera_tiny_decoder.onnx"
    decoder(path, features, points, others, outputs, count=3)


def edge_sam(folder) -> None:
    encoder(folder / "edge_sam_3x_encoder.onnx", ("image", (1, 3, 1024, 1024)), EMBEDDING)
    points = (("point_coords", (1, "n", 2)), ("point_labels", (1, "n")), FLOAT)
    path = folder / "edge_sam_3x_decoder.onnx"
    decoder(path, EMBEDDING, points, [], ("masks", "scores", ""))


def efficient_sam(folder, places="n") -> None:
    """Any size in, resized and centred in the graph, where the sizes are worked out first."""
    node = helper.make_node
    nodes = [
        node("Shape", ["batched_images"], ["shape"]),
        node("Gather", ["shape", "two"], ["start"]),
        node("Concat", ["start", "sides"], ["sizes"], axis=0),
        node("Resize", ["batched_images", "", "", "sizes"], ["square"], mode="linear"),
        node("Sub", ["square", "mean"], ["centred"]),
        node("Div", ["centred", "std"], ["scaled"]),
    ]
    column = (1, 3, 1, 1)
    weights = [
        ("two", np.array([0, 1])), ("sides", np.array([1024, 1024])),
        ("mean", np.float32(MEAN).reshape(column) / 255),
        ("std", np.float32(STD).reshape(column) / 255),
    ]  # fmt: skip
    picture = ("batched_images", ("batch", 3, "height", "width"))
    path = folder / "efficient_sam_vitt_encoder.onnx"
    encoder(path, picture, EMBEDDING, nodes, weights, "scaled")
    points = (("batched_point_coords", (1, 1, places, 2)), ("batched_point_labels", (1, 1, places)),
              FLOAT)  # fmt: skip
    others = [("orig_im_size", (2,), INT64)]
    path = folder / "efficient_sam_vitt_decoder.onnx"
    decoder(path, EMBEDDING, points, others, ("output_masks", "iou_predictions", ""), 1024, 3)


FAMILIES = {
    "mobile": (lambda folder: segment_anything(folder, False), "longest", 1),
    "mobile-centred": (lambda folder: segment_anything(folder, True), "longest", 1),
    "sam2-samexporter": (samexporter_sam2, "stretch", 0),
    "sam2-onnxruntime": (onnxruntime_sam2, "stretch", 0),
    "edge": (edge_sam, "longest", 1),
    "efficient": (efficient_sam, "stretch", 0),
}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_public_exports_are_recognised_and_asked_as_they_want(tmp_path, family):
    write, resize, padding = FAMILIES[family]
    write(tmp_path)
    provider = SamPrompter(pair.find(str(tmp_path)))
    assert provider.tile == 1024 and provider.pair.preparation.resize == resize
    rows, cols = 300, 500
    image = np.zeros((rows, cols, 3), np.uint8)
    image[:, cols // 2 :] = 255
    encoding = provider.encode(image, np.ones((rows, cols), bool))
    assert len(encoding.content) == len(provider.pair.given)
    found = provider.predict(encoding, Prompt(((400, 100),), (1,)))
    truth = image[..., 0] > 0
    mask = found[0].mask  # the mean grey is 0 once it is centred
    assert mask.shape == truth.shape and (mask & truth).sum() / (mask | truth).sum() > 0.95
    # The scores tell how many points the decoder got: one, and one more where nobody else pads.
    best = 0.5 if len(found) == 3 and family not in ("sam2-samexporter", "sam2-onnxruntime",
                                                     "efficient") else 0.6  # fmt: skip
    assert found[0].score == pytest.approx(best + 0.01 * (1 + padding), abs=1e-5)
    boxed = provider.predict(encoding, Prompt(((400, 100),), (1,), (300, 50, 450, 250)))
    assert boxed[0].score == pytest.approx(0.6 + 0.03, abs=1e-5)
    drawn = provider.predict(encoding, Prompt(((400, 100),), (1,), mask=truth))
    assert drawn[0].mask.shape == truth.shape


@pytest.mark.parametrize("preprocess", [False, True])
def test_padding_is_nothing_to_the_network_whoever_centres(tmp_path, preprocess):
    """Black padding in front of a graph that centres by itself was a dark region to the network."""
    segment_anything(tmp_path, preprocess)
    provider = SamPrompter(pair.find(str(tmp_path)))
    encoding = provider.encode(np.full((100, 200, 3), 255, np.uint8), np.ones((100, 200), bool))
    (features,) = encoding.content.values()
    assert features[0, 0, 10, 10] > 1 and np.abs(features[0, 0, 40:]).max() < 1e-5


def test_a_graph_that_centres_a_fixed_square_gets_the_mean_as_padding(tmp_path):
    node = helper.make_node
    nodes = [node("Sub", ["images", "mean"], ["c"]), node("Div", ["c", "std"], ["scaled"])]
    column = (1, 3, 1, 1)
    weights = [("mean", np.float32(MEAN).reshape(column)), ("std", np.float32(STD).reshape(column))]
    encoder(tmp_path / "e.encoder.onnx", ("images", (1, 3, 1024, 1024)), EMBEDDING, nodes, weights,
            "scaled")  # fmt: skip
    points = (("point_coords", (1, "n", 2)), ("point_labels", (1, "n")), FLOAT)
    outputs = ("masks", "iou_predictions", "low_res_masks")
    decoder(tmp_path / "e.decoder.onnx", EMBEDDING, points, MASK, outputs)
    provider = SamPrompter(pair.find(str(tmp_path)))
    encoding = provider.encode(np.full((100, 200, 3), 255, np.uint8), np.ones((100, 200), bool))
    (features,) = encoding.content.values()
    assert features[0, 0, 10, 10] > 1 and np.abs(features[0, 0, 40:]).max() < 1e-4


def test_efficient_sam_with_a_fixed_number_of_points(tmp_path):
    efficient_sam(tmp_path, places=2)
    provider = SamPrompter(pair.find(str(tmp_path)))
    encoding = provider.encode(np.full((90, 90, 3), 200, np.uint8), np.ones((90, 90), bool))
    one = provider.predict(encoding, Prompt(((9, 9),), (1,)))
    assert one[0].score == pytest.approx(0.6 + 0.02, abs=1e-5)  # filled up with one that is none
    with pytest.raises(ConcordError, match="takes 2 points for an object at most"):
        provider.predict(encoding, Prompt(((9, 9), (20, 9), (9, 20)), (1, 1, 1)))
