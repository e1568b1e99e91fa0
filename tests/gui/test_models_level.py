"""Processing level in the Models panel: offered where a model tells levels apart, passed on."""

from __future__ import annotations

import pytest
from qgis.core import QgsProject, QgsRasterLayer

from concord.plugin.bridge import settings
from concord.plugin.engine.infer import session
from concord.plugin.gui import models_result
from concord.plugin.gui.models import ModelsPanel

S2, ROOFS = (str(session.BUNDLED / f"concord-{n}.onnx") for n in ("landcover-s2", "buildings"))


def choose(panel, name):
    path = str(session.BUNDLED / f"{name}.onnx")
    panel.model.combo.setCurrentIndex(panel.model.combo.findData(path))


def test_levels_are_those_of_the_card(tmp_path):
    assert settings.levels_of(S2) == ["L1C", "L2A"]
    assert settings.levels_of(ROOFS) == [] and settings.levels_of(str(tmp_path / "no.onnx")) == []


def test_a_level_is_offered_where_the_model_tells_them_apart_and_passed_on(open_panel):
    panel = open_panel(ModelsPanel)
    choose(panel, "concord-buildings")
    assert not panel.level.level.isVisibleTo(panel) and panel.level.parameters() == {}
    choose(panel, "concord-landcover-s2")
    assert panel.level.level.isVisibleTo(panel) and panel.level.parameters() == {}
    panel.level.level.setCurrentIndex(panel.level.level.findText("L2A"))
    assert panel.level.parameters() == {"LEVEL": "L2A"}
    asked = []
    panel.launch = lambda name, parameters, then: asked.append((name, parameters))
    panel.check()
    panel.run()
    assert [name for name, _ in asked] == ["concord:modelcard", "concord:runmodel"]
    assert all(parameters["LEVEL"] == "L2A" for _, parameters in asked)


def test_a_level_does_not_stay_for_another_model_or_image(open_panel, image_path):
    panel = open_panel(ModelsPanel)
    choose(panel, "concord-landcover-s2")
    panel.level.level.setCurrentIndex(1)
    choose(panel, "concord-buildings")
    choose(panel, "concord-landcover-s2")
    assert panel.level.parameters() == {}
    panel.level.level.setCurrentIndex(1)
    panel.unsure.setChecked(not panel.unsure.isChecked())  # nothing that the level hangs on
    assert panel.level.parameters() == {"LEVEL": "L1C"}
    picture = QgsRasterLayer(image_path, "picture")
    QgsProject.instance().addMapLayer(picture)
    panel.input.setLayer(picture)
    assert panel.level.parameters() == {}


@pytest.mark.parametrize(
    "level, words",
    [
        ({"name": "L2A", "why": "as chosen"}, "Taken for L2A, as chosen"),
        ({"name": "", "why": "each tile is judged"}, "Processing level: each tile is judged"),
    ],
)
def test_the_result_says_what_the_image_was_taken_for(level, words):
    assert list(models_result.lines({"level": level})) == [words]
    assert list(models_result.lines({"level": None})) == []
