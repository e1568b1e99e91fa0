"""What a refusal says: one sentence with the remedy, and the box that overrides where it helps."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.algorithms.runmodel import RunModel
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import fit, peek, promptable, runner, session, verdicts
from concord.plugin.engine.infer.verdicts import AMBER, RED, Verdict

S2 = [f"band_{n}" for n in range(1, 13)]
RGB = ["red", "green", "blue"]


def card(name):
    return peek.card_of(session.BUNDLED / f"{name}.onnx")


def refusal(*found):
    with pytest.raises(ConcordError) as kept:
        verdicts.refuse_red(found, "m.onnx", verdicts.BOX)
    return str(kept.value)


def test_the_refusal_named_a_box_that_the_toolbox_does_not_have(qgis_processing):
    algorithm = RunModel()
    algorithm.initAlgorithm({})
    assert algorithm.parameterDefinition("OVERRIDE").description() == verdicts.BOX
    text = refusal(fit.of_size(card("concord-buildings"), 10.0))
    assert text == (
        "m.onnx does not fit the image: resolution 10 m pixels, made for 0.1 to 0.35 m; choose a "
        f"sharper image, or tick '{verdicts.BOX}' in the toolbox."
    )


def test_overriding_was_offered_for_bands_that_are_not_there():
    text = refusal(
        Verdict(RED, "Resolution", "2 m; choose a sharper image"),
        fit.of_bands(card("concord-landcover-s2"), [RGB]),
    )
    assert text == (
        "m.onnx does not fit the image: bands missing nir (the image has red, green, blue); choose "
        "another model or image."
    )


def test_bands_without_names_were_listed_and_their_cure_was_not():
    found = fit.of_bands(card("concord-landcover-s2"), [S2])
    assert found.detail == (
        "missing blue, green, red, nir; the image's 12 bands have no names, load it through the "
        "Scene panel with its sensor"
    )
    many = fit.of_bands(card("concord-landcover-s2"), [[f"b{n}" for n in range(30)]])
    assert "b0, b1, b2, b3, b4, b5 and 24 more" in many.detail


@pytest.mark.parametrize(
    "name, bands, metres, unit, against",
    [
        ("concord-buildings", RGB, 0.075, "DN", None),
        ("concord-buildings", RGB, 10.0, "DN", "Resolution"),
        ("concord-buildings", RGB, 0.075, "", None),
        ("concord-landcover-s2", RGB, 0.075, "DN", "Bands"),
        ("concord-landcover-s2", [*RGB, "nir"], 10.0, "reflectance", None),
        ("concord-landcover-s2", [*RGB, "nir"], 5.0, "DN", "Unit"),
        ("concord-landcover-aerial", [*RGB, "nir"], 1.0, "DN", None),
    ],
)
def test_the_headers_tell_which_bundled_models_fit(name, bands, metres, unit, against):
    found = fit.against(card(name), dict.fromkeys(bands, unit), metres)
    assert (found and found.what) == against


def test_bands_that_say_no_unit_made_those_that_say_the_right_one_wrong():
    units = {**dict.fromkeys(RGB, "reflectance"), "nir": ""}
    found = fit.of_units(card("concord-spectral"), units)
    assert found.level == AMBER and found.detail == "the image does not say the unit of nir"


def test_half_of_a_promptable_pair_was_asked_for_a_card(tmp_path):
    for half in ("encoder", "decoder"):
        model = session.Model(str(session.BUNDLED / "concord-prompt" / f"{half}.onnx"))
        with pytest.raises(ConcordError, match=f"{half}.onnx answers clicks and boxes; use it in"):
            runner.run(model, None, runner.RunWish(str(tmp_path / "map.tif")))
    assert not promptable.is_half(str(session.BUNDLED / "concord-landcover-s2.onnx"))
    assert not promptable.is_half(str(tmp_path / "none.onnx"))


def test_a_model_of_embeddings_was_taken_for_an_encoder_without_its_decoder(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node("Conv", ["image", "w"], ["embeddings"], pads=[1] * 4)
    sizes = ["n", None, "h", "w"]
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 4, "h", "w"])
    result = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, sizes)
    weights = [numpy_helper.from_array(np.ones((8, 4, 3, 3), np.float32), "w")]
    graph = helper.make_graph([node], "g", [source], [result], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, str(tmp_path / "mine.onnx"))
    assert not promptable.is_half(str(tmp_path / "mine.onnx"))
