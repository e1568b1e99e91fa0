"""What processing level an image is taken for: chosen, said by the product, or told by colours."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import rasterio
from onnx import TensorProto, helper, numpy_helper

from concord.plugin.engine import load, rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import card as cards
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer import levels, preflight, runner
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.scene import Scene

from .tiny import card_of

BANDS = ["blue", "red"]
SAID = {
    "input": "level",
    "numbers": {"L1C": 0, "L2A": 1},
    "unknown": -1,
    "sensors": {"sentinel-2-l1c": "L1C", "sentinel-2-l2a": "L2A"},
    "air": {"weights": {"blue": 1, "red": -0.4}, "least": 0.05, "with": "L1C", "without": "L2A",
            "shares": [0.35, 0.55]},
}  # fmt: skip
AIR, NO_AIR = (0.12, 0.08), (0.05, 0.08)  # blue and red


def item_of(said=SAID):
    return card_of("regression", (BANDS,), levels=said)


@pytest.fixture
def scene(tmp_path):
    """scene(values of blue and red, name, share of NO_AIR) -> an opened scene."""
    opened = []

    def make(colour=AIR, name="picture.tif", share=0.0, units=("reflectance",) * 2):
        values = np.empty((2, 60, 50), np.float32)
        values[:] = np.array(colour, np.float32)[:, None, None]
        values[:, : round(60 * share)] = np.array(NO_AIR, np.float32)[:, None, None]
        path = tmp_path / name
        grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 50, 60)
        rasters.write(path, values, grid, names=BANDS, units=list(units))
        opened.append(Scene([str(path)]))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def model(tmp_path):
    """A graph that answers its level, -1 where it is not told."""
    nodes = [
        helper.make_node("ReduceSum", ["in0", "axis"], ["sum"]),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "level"], ["out"]),
    ]
    kept = {"axis": np.array([1]), "zero": np.float32(0), "level": np.array([-1], np.float32)}
    shape = [None, 2, None, None]
    made = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("in0", TensorProto.FLOAT, shape),
         helper.make_tensor_value_info("level", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 1, None, None])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in kept.items()],
    )  # fmt: skip
    plain, target = tmp_path / "plain.onnx", tmp_path / "tiny.onnx"
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(plain),
    )
    items.embed(plain, target, item_of())
    return Model(str(target))


def taken(scene, wished="", said=SAID):
    return levels.assumed(items.from_item(item_of(said), "the test"), scene, wished)


def ran(model, scene, tmp_path, **wish):
    target = str(tmp_path / "out.tif")
    report = runner.run(model, scene, runner.RunWish(target, **wish))
    return report, set(np.unique(rasters.Raster(target).read()).tolist())


def test_blue_and_red_tell_the_level(scene):
    assert taken(scene(AIR)).name == "L1C" and taken(scene(NO_AIR, "b.tif")).name == "L2A"
    few, many = scene(AIR, "c.tif", 0.3), scene(AIR, "d.tif", 0.6)
    assert taken(few).name == "L1C" and taken(many).name == "L2A"


def test_an_image_of_both_is_judged_tile_by_tile_and_says_so(scene, model, tmp_path):
    both = scene(AIR, share=0.45)
    found = taken(both)
    assert found.name == "" and found.doubtful and "each tile" in found.why
    verdicts = preflight.check(model.card, both)
    verdict = next(v for v in verdicts if v.what == "Processing level")
    assert verdict.level == "amber"
    report, values = ran(model, both, tmp_path)
    assert values == {-1.0} and report["level"]["name"] == ""


@pytest.mark.parametrize("wished, number", [("", 0.0), ("L2A", 1.0), ("l1c", 0.0)])
def test_the_graph_is_told_the_level(scene, model, tmp_path, wished, number):
    report, values = ran(model, scene(AIR), tmp_path, level=wished)
    assert values == {number} and report["level"]["name"] == ("L1C", "L2A")[int(number)]


def test_a_level_against_the_colours_is_used_and_pointed_out(scene):
    found = taken(scene(AIR), "L2A")
    assert found.name == "L2A" and found.doubtful and "look like L1C" in found.why
    assert not taken(scene(AIR), "L1C").doubtful


def test_the_name_of_the_product_goes_before_its_colours(scene, tmp_path):
    source = scene(AIR, "T32_L2A_10m.tif", units=("", ""))
    assert source.recognised[0].vouched == ("sentinel-2-l2a",)
    found = taken(source)
    assert found.name == "L2A" and "product" in found.why and found.doubtful


def test_bands_alone_vouch_for_no_level(scene):
    alone = scene(AIR, "picture.tif", units=("", ""))
    assert alone.recognised[0].vouched == () and taken(alone).name == "L1C"


@pytest.mark.parametrize("ending", ["vrt", "tif"])
def test_a_scene_keeps_what_its_products_said(scene, tmp_path, ending):
    scene(NO_AIR, "T32_L2A_10m.tif", units=("", ""))
    target = tmp_path / f"scene.{ending}"
    load.load_scene([str(tmp_path / "T32_L2A_10m.tif")], str(target))
    with Scene([str(target)]) as made:
        assert made.recognised[0].vouched == ("sentinel-2-l2a",)
        assert taken(made).why.startswith("as the product")


def test_a_level_that_the_model_does_not_know_is_a_sentence(scene):
    with pytest.raises(ConcordError, match="LEVEL is 'L3'; give L1C or L2A"):
        taken(scene(), "L3")
    with pytest.raises(ConcordError, match="tells no processing levels apart; leave LEVEL empty"):
        taken(scene(AIR, "b.tif"), "L2A", None)
    assert taken(scene(AIR, "c.tif"), "", None) is None


@pytest.mark.parametrize("name", ["S2_2020.tif", "S2A_20200101.tif", "sentinel2_spain.tif"])
def test_a_name_that_says_only_sentinel_2_vouches_for_no_level(scene, name):
    """It was taken for L2A against its colours, and the scene kept that word for good."""
    found = scene(AIR, name, units=("", ""))
    assert found.recognised[0].sensor == "sentinel-2-l2a" and found.recognised[0].vouched == ()
    assert taken(found).name == "L1C"


def test_a_band_without_a_unit_does_not_hide_what_the_products_said(scene, tmp_path):
    scene(NO_AIR, "T32_L2A_10m.tif", units=("", ""))
    target = str(tmp_path / "scene.tif")
    load.load_scene([str(tmp_path / "T32_L2A_10m.tif")], target)
    with rasterio.open(target, "r+") as file:
        file.set_band_unit(2, "")
    with Scene([target]) as made:
        assert made.recognised[0].vouched == ("sentinel-2-l2a",)


def test_dates_of_different_levels_are_judged_tile_by_tile(scene):
    card = items.from_item(item_of(), "the test")
    dates = [scene(AIR), scene(NO_AIR, "b.tif")]
    found = levels.over(card, dates)
    assert found.name == "" and found.doubtful and "L1C, L2A" in found.why
    assert levels.over(card, dates, "L2A").name == "L2A"


def test_numbers_that_are_no_reflectance_tell_no_level(scene):
    found = taken(scene((1200, 800)))
    assert found.name == "" and "not in reflectance" in found.why


def test_an_offset_that_the_values_contradict_is_undone_before_the_level_is_told(scene):
    source = scene(AIR)
    calls = []
    source.check_units = lambda: calls.append(1)
    taken(source)
    assert calls


def test_another_level_is_another_run(model, scene, tmp_path, monkeypatch):
    """What an earlier run kept for L1C must not be gone on with for L2A."""
    keys = []
    own = runner.plan.key
    monkeypatch.setattr(runner.plan, "key", lambda *given: keys.append(own(*given)) or keys[-1])
    source = scene(AIR)
    ran(model, source, tmp_path, level="L1C")
    ran(model, source, tmp_path, level="L2A")
    assert len(set(keys)) == 2


def test_a_gate_takes_the_image_for_the_same_level(model, scene, tmp_path):
    """It found out by itself, whatever the user had chosen."""
    from concord.plugin.engine.infer import gate

    said = []
    own = Model._run

    def heard(self, group):
        said.append(self.card.constants)
        return own(self, group)

    item = card_of("semantic-segmentation", (BANDS,), ("air",), levels=SAID, activation="sigmoid")
    looks = Model(str(model.path), card=items.from_item(item, "the test"))
    plain = Model(str(model.path), card=items.from_item(item_of(None), "the test"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "_run", heard)
        report, _ = ran(plain, scene(AIR), tmp_path, level="L2A", gate=gate.Gate(looks))
    assert {"level": 1.0} in said and report["level"] is None
    assert report["gate"]["level"]["name"] == "L2A" and report["gate"]["constants"]


@pytest.mark.parametrize(
    "broken",
    [
        {"input": "level"},
        "L1C",
        {**SAID, "sensors": {"landsat": "SR"}},
        {**SAID, "air": {**SAID["air"], "shares": [0.5]}},
        {**SAID, "numbers": {"L1C": "low", "L2A": 1}},
        {**SAID, "numbers": {"L1C": float("nan"), "L2A": 1}},
        {**SAID, "air": {**SAID["air"], "shares": [0.6, 0.4]}},
    ],
)
def test_levels_in_another_form_are_a_sentence(scene, broken):
    with pytest.raises(ConcordError, match="describes its levels in a form"):
        taken(scene(), "", broken)


def test_a_graph_without_the_input_that_its_card_names_is_a_sentence(scene, model):
    model.card = levels.applied(
        items.from_item(item_of({**SAID, "input": "height"}), "the test"), levels.Level("L1C", "")
    )
    with pytest.raises(ConcordError, match="no input height of one float"):
        model.require_inputs()


def test_the_level_travels_with_the_card_to_other_machines(model):
    told = levels.applied(model.card, levels.Level("L2A", "as chosen"))
    assert cards.from_values(cards.as_values(told)).constants == {"level": 1.0}
