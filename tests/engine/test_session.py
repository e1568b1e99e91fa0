"""Opening ONNX files: what is refused, in which words, and what the session hands on."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import session
from concord.plugin.engine.infer.session import Model


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x08\x12\x04abcd" * 50])
def test_what_is_no_onnx_is_a_sentence(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ConcordError, match=r"m\.onnx (is no ONNX model|cannot be run)"):
        Model(str(path))


def test_half_a_model_is_a_sentence(make_model, tmp_path):
    path = tmp_path / "half.onnx"
    content = open(make_model(card=False), "rb").read()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ConcordError, match=r"half\.onnx (is no ONNX model|cannot be run)"):
        Model(str(path))


@pytest.mark.parametrize("name", ["nothing", "/no/such/m.onnx", ""])
def test_a_missing_model_lists_the_bundled_ones(name):
    with pytest.raises(
        ConcordError, match="does not exist; give an ONNX file or .*concord-spectral"
    ):
        Model(name)


def test_a_bundled_model_is_found_by_its_id(root):
    assert session.find("concord-spectral") == root / "models" / "concord-spectral.onnx"


@pytest.mark.parametrize(
    "graph, card, words",
    [
        ({"inputs": 2}, {}, "has 2 inputs and its card describes 1"),
        ({"bands": 4}, {}, "takes 4 bands but its card names 3"),
        (
            {"nhwc": True, "bands": 4},
            {"axes": ("batch", "height", "width", "bands")},
            "takes 4 bands",
        ),
    ],
)
def test_inputs_that_are_not_the_cards_are_refused(make_model, item, graph, card, words):
    model = Model(make_model(card=item(**card), **graph))
    with pytest.raises(ConcordError, match=words):
        model.require_inputs()


def flat_model(tmp_path, item, rank):
    """A graph of one Identity on an input of ``rank`` axes."""
    import onnx
    from onnx import TensorProto, helper

    from concord.plugin.engine.infer import item as items

    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * rank) for n in "ab"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])], "g", value[:1], value[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "plain.onnx"))
    items.embed(tmp_path / "plain.onnx", tmp_path / "flat.onnx", item())
    return Model(str(tmp_path / "flat.onnx"))


@pytest.mark.parametrize("rank", [2, 3, 5])
def test_inputs_that_are_no_images_are_refused(tmp_path, item, rank):
    model = flat_model(tmp_path, item, rank)
    with pytest.raises(ConcordError, match=f"wants an input of {rank} dimensions"):
        model.require_inputs()


def test_answers_without_four_axes_are_refused(make_model):
    model = Model(make_model(answer="3d"))
    with pytest.raises(ConcordError, match="gives 3 dimensions"):
        model.run(np.zeros((3, 8, 8), np.float32))


def test_a_graph_that_fails_says_on_what(make_model):
    model = Model(make_model(side=32))
    assert model.fixed_size == 32
    with pytest.raises(ConcordError, match="failed on an image of 9 x 8 pixels .*check tile size"):
        model.run(np.zeros((3, 8, 9), np.float32))


def test_axes_are_turned_both_ways(make_model, item):
    image = np.random.default_rng(1).random((3, 9, 11)).astype(np.float32)
    plain = Model(make_model("a.onnx", seed=5)).run(image)
    card = item(axes=("batch", "height", "width", "bands"))
    turned = Model(make_model("b.onnx", card, seed=5, nhwc=True))
    assert turned.fixed_size is None
    np.testing.assert_allclose(turned.run(image), plain, atol=1e-5)
    assert plain.shape == (4, 9, 11)


def test_a_stopped_model_can_be_run_again(make_model):
    model, image = Model(make_model()), np.zeros((3, 8, 8), np.float32)
    model.stop()
    assert model.run(image).shape == (4, 8, 8)


def plain_graph(tmp_path, kind, shape, domain="", opset=17, **attributes):
    """A file with one node on an input of ``shape``."""
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info("a", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]  # fmt: skip
    node = helper.make_node(kind, ["a"], ["b"], domain=domain, **attributes)
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    path = tmp_path / "plain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "domain", "opset", "words"),
    [
        ("Frobnicate", "", 17, "uses the operator Frobnicate, which onnxruntime cannot run"),
        ("Foo", "com.acme", 17, "uses the operator com.acme:Foo, which"),
        ("Identity", "", 99, "is of an opset that this onnxruntime does not know yet"),
        ("Conv", "", 17, r"cannot be run by onnxruntime \(Node with schema"),
    ],
)
def test_a_graph_that_cannot_run_names_the_operator_without_noise(
    tmp_path, kind, domain, opset, words
):
    path = plain_graph(tmp_path, kind, ["n", 3, "h", "w"], domain, opset)
    with pytest.raises(ConcordError, match=words) as caught:
        Model(str(path))
    said = str(caught.value)
    assert "tensor(float)" not in said and "/onnxruntime_src" not in said and "\n" not in said


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "does not say which dimensions its input has"),
        (["n", 3, 100, 140], "takes images of 140 x 100 pixels; Concord's tiles are square"),
    ],
)
def test_shapes_that_no_tile_has_are_refused_before_the_run(tmp_path, item, shape, words):
    from concord.plugin.engine.infer import item as items

    path = plain_graph(tmp_path, "Identity", shape)
    items.embed(path, tmp_path / "shaped.onnx", item())
    with pytest.raises(ConcordError, match=words):
        Model(str(tmp_path / "shaped.onnx")).require_inputs()


def test_a_node_that_fails_in_the_middle_is_named_without_codes(tmp_path, item):
    """Found by hand: "Non-zero status code returned while running Gather node. Name:''" ..."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from concord.plugin.engine.infer import item as items

    nodes = [helper.make_node("ReduceMax", ["a"], ["m"], keepdims=0),
             helper.make_node("Cast", ["m"], ["i"], to=TensorProto.INT64),
             helper.make_node("Gather", ["t", "i"], ["q"]),
             helper.make_node("Mul", ["a", "q"], ["b"])]  # fmt: skip
    ends = [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 3, "h", "w"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]  # fmt: skip
    table = numpy_helper.from_array(np.ones(3, np.float32), "t")
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [table])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, str(tmp_path / "plain.onnx"))
    items.embed(tmp_path / "plain.onnx", tmp_path / "gather.onnx", item())
    model = Model(str(tmp_path / "gather.onnx"))
    model.run(np.ones((3, 8, 8), np.float32))
    with pytest.raises(ConcordError, match=r"\(Gather: indices element out of data bounds"):
        model.run(np.full((3, 8, 8), 7, np.float32))
