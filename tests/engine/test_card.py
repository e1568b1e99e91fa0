"""Model cards: reading, embedding, what is missing, and what other plugins write."""

from __future__ import annotations

import copy
import json

import onnx
import onnxruntime
import pytest

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer import describe
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.infer.values import classes_of


def test_a_complete_card_lacks_nothing(item):
    card = items.from_item(item(), "here")
    assert card.missing == () and card.require_complete("m.onnx") is card
    assert card.inputs[0].bands == ("red", "green", "nir") and card.inputs[0].axes == "NCHW"
    assert (card.tile, card.halo, card.activation, card.alignment) == (32, 3, "logits", 1)
    assert [c.code for c in card.classes] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "more, lacks",
    [
        ({"bands": ()}, "band names"),
        ({"hyper": {"unit": None}}, "scaling or unit"),
        ({"hyper": {"pixel_size_range_m": None}}, "resolution"),
        ({"hyper": {"tile": None}}, "tile size"),
        ({"hyper": {"halo": None}}, "halo"),
        ({"hyper": {"activation": None}}, "activation"),
        ({"classes": ()}, "classes"),
    ],
)
def test_each_missing_part_is_named_with_the_remedy(item, more, lacks):
    card = items.from_item(item(**more), "here")
    assert card.missing == (lacks,)
    with pytest.raises(
        ConcordError, match=rf"card of m\.onnx lacks {lacks}; complete it in m\.mlm"
    ):
        card.require_complete("/x/m.onnx")


def test_a_scaling_replaces_the_unit(item):
    card = items.from_item(
        item(hyper={"unit": None}, scaling=[{"type": "scale", "value": 1e4}]), ""
    )
    assert card.missing == ()


@pytest.mark.parametrize(
    "axes, letters",
    [(("batch", "height", "width", "channels"), "NHWC"), (("batch", "y", "x", "bands"), "NHWC"),
     (("time", "bands", "height", "width"), "NCHW"), ((), "NCHW")],
)  # fmt: skip
def test_axes_are_read_by_name(item, axes, letters):
    assert items.from_item(item(axes=axes), "").inputs[0].axes == letters


def broken(item, *path, value):
    changed = copy.deepcopy(item())
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    "path, value",
    [
        (("properties",), None),
        (("properties", "mlm:input"), 3),
        (("properties", "mlm:input"), ["x"]),
        (("properties", "mlm:output"), "x"),
        (("properties", "mlm:output"), [{"classification:classes": [{"name": "x"}]}]),
        (("properties", "mlm:output"), [{"classification:classes": [{"value": "x"}]}]),
        (("properties", "mlm:hyperparameters"), []),
        (("properties", "mlm:hyperparameters", "tile"), "big"),
        (("properties", "mlm:hyperparameters", "pixel_size_range_m"), [5, None]),
        (("properties", "mlm:hyperparameters", "pixel_size_range_m"), 10),
        (("properties", "mlm:hyperparameters", "value_range"), [[0, 1, 2]]),
        (("properties", "mlm:hyperparameters", "value_range"), [[0, None]]),
    ],
)
def test_a_malformed_card_never_escapes_as_a_raw_error(item, path, value):
    changed = broken(item, *path, value=value)
    try:
        card = items.from_item(changed, "m.mlm.json")
    except ConcordError as error:
        assert "from m.mlm.json is no STAC MLM item" in str(error)
    else:
        assert card.missing, "what was broken must be missing"


@pytest.mark.parametrize("content", [[], "x", None, 3, {}, {"id": 1}])
def test_another_json_is_no_card(content):
    with pytest.raises(ConcordError, match="is no STAC MLM item"):
        items.from_item(content, "x")


@pytest.mark.parametrize("hint, colour", [("419BDF", "#419bdf"), ("#419bdf", "#419bdf"),
                                          ("zzzzzz", ""), ("fff", ""), (None, "")])  # fmt: skip
def test_colours_that_are_none_are_left_out(item, hint, colour):
    changed = item()
    changed["properties"]["mlm:output"][0]["classification:classes"][0]["color_hint"] = hint
    assert items.from_item(changed, "").classes[0].colour == colour


@pytest.mark.parametrize(
    "codes, shifted, shift",
    [((1, 2), [1, 2], 0), ((0, 1), [1, 2], 1), ((0, 253), [1, 254], 1), ((254, 7), [254, 7], 0)],
)
def test_code_0_is_shifted_away(item, codes, shifted, shift):
    classes, found = classes_of(items.from_item(item(classes=codes), ""))
    assert ([c.code for c in classes], found) == (shifted, shift)
    assert all(len(c.colour) == 7 for c in classes)


@pytest.mark.parametrize("codes", [(0, 254), (1, 255), (1, 300), (-1, 1), (2, 2)])
def test_codes_that_do_not_fit_are_refused(item, codes):
    with pytest.raises(ConcordError, match="do not fit into 1-254"):
        classes_of(items.from_item(item(classes=codes), ""))


def test_one_sigmoid_class_has_its_opposite(item):
    card = items.from_item(item(classes=(1,), hyper={"activation": "sigmoid"}), "")
    classes, shift = classes_of(card)
    assert [(c.code, c.name) for c in classes] == [(1, "not c1"), (2, "c1")] and shift == 1


def test_an_embedded_card_is_read_by_onnx_and_onnxruntime(make_model, item):
    wanted = item(hyper={"note": "ä" * 300})
    path = make_model(card=wanted)
    onnx.checker.check_model(path)
    props = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(props["stac:mlm"]) == wanted
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["stac:mlm"]) == wanted
    assert json.loads(items.sidecar(path).read_text(encoding="utf-8")) == wanted


def test_embedding_again_replaces_the_card(make_model, item):
    path = make_model(card=item(hyper={"halo": 3}))
    items.embed(path, path, item(hyper={"halo": 9}))
    items.sidecar(path).unlink()
    assert Model(path).card.halo == 9


def test_the_card_inside_goes_before_the_sidecar(make_model, item):
    path = make_model(card=item(hyper={"halo": 3}))
    items.sidecar(path).write_text(json.dumps(item(hyper={"halo": 9})))
    assert Model(path).card.halo == 3


def test_an_incomplete_card_inside_is_completed_by_the_sidecar(make_model, item):
    path = make_model(card=item(hyper={"halo": None}))
    assert Model(path).card.missing == ("halo",)
    items.sidecar(path).write_text(json.dumps(item(hyper={"halo": 9})))
    assert Model(path).card.halo == 9 and Model(path).card.missing == ()


def test_a_model_without_any_card_lacks_everything(make_model):
    model = Model(make_model(card=False))
    assert model.card.origin == "nothing"
    assert {"band names", "resolution", "tile size", "halo"} <= set(model.card.missing)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_sidecar_is_a_sentence(make_model, content):
    path = make_model(card=False)
    items.sidecar(path).write_text(content)
    with pytest.raises(ConcordError, match="not valid JSON|no STAC MLM item"):
        Model(path)


def test_damaged_json_inside_is_a_sentence():
    with pytest.raises(ConcordError, match="is not valid JSON; embed it again"):
        items.read("m.onnx", {items.KEY: "{"})


def test_deepness_classes_keep_the_order_of_the_channels():
    names = {str(i): f"n{i}" for i in range(12)}
    meta = {"class_names": json.dumps(names), "model_type": '"Segmentor"', "resolution": "100",
            "tiles_size": "512", "tiles_overlap": "10", "standardization_mean": "[0.5]",
            "standardization_std": "[0.25]"}  # fmt: skip
    card = items.read("m.onnx", meta)
    assert [c.code for c in card.classes] == list(range(12))
    assert card.task == "semantic-segmentation" and card.pixel_size_range == (0.5, 2.0)
    assert (card.tile, card.halo) == (512, 25)
    assert card.inputs[0].scaling == ({"type": "z-score", "mean": 127.5, "stddev": 63.75},)


@pytest.mark.parametrize("key", ["class_names", "resolution", "tiles_size", "tiles_overlap",
                                 "standardization_mean"])  # fmt: skip
@pytest.mark.parametrize("value", ["[]", '"x"', "{", "-1", "{}", '[{"a": "b"}]', "null"])
def test_odd_deepness_keys_leave_the_card_incomplete(key, value):
    meta = {"model_type": '"Segmentor"', "standardization_std": "[1]", key: value}
    assert "band names" in items.read("m.onnx", meta).missing


def test_real_deepness_models_are_incomplete_with_the_reason(real_data):
    paths = sorted((real_data / "models" / "deepness-dummy").rglob("*.onnx"))
    assert len(paths) > 10
    for path in paths:
        report = describe.describe(Model(str(path)))
        assert not report["complete"] and report["level"] == "red"
        assert "band names" in report["verdicts"][0]["detail"]
        assert "band names" in report["missing"] and report["draft"]["type"] == "Feature"
        json.dumps(report, allow_nan=False)
        items.from_item(report["draft"], "the draft")
    by_name = {path.name: Model(str(path)).card for path in paths}
    regression = by_name["dummy_regression_model.onnx"]
    assert [c.name for c in regression.classes][:2] == ["_background", "building"]
    assert (regression.tile, regression.halo, regression.task) == (256, 14, "regression")
    two = by_name["two_outputs_softmax_bsx2x512x512.onnx"]
    assert [c.name for c in two.classes] == ["Coffee", "Tea"]


def test_completing_a_card_lost_what_it_says_of_the_model(item):
    whole = item()
    whole["properties"].update(summary="Ponds", description="Ponds at 10 m.", license="CC0-1.0")
    made = describe.complete(items.from_item(whole, "the test"), {"halo": 7})
    kept = items.from_item(made, "the form")
    assert kept.halo == 7
    assert (kept.summary, kept.description, kept.licence) == ("Ponds", "Ponds at 10 m.", "CC0-1.0")
