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

    from concord.plugin.engine.infer import card as cards

    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * rank) for n in "ab"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])], "g", value[:1], value[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "plain.onnx"))
    cards.embed(tmp_path / "plain.onnx", tmp_path / "flat.onnx", item())
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
