"""Gate, dates and encoder in the Models panel: offered where they fit, remembered, passed on."""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis.core import QgsProject, QgsSettings

from concord.plugin.bridge import settings
from concord.plugin.engine.infer import peek, session
from concord.plugin.gui.models import ModelsPanel

MODELS = session.BUNDLED


@pytest.fixture
def forgotten():
    """Nothing remembered before, nothing after."""

    def forget():
        for group in ("gate", "train"):
            QgsSettings().remove(f"concord/{group}")

    forget()
    yield
    forget()


def choose(combo, name):
    texts = [Path(combo.combo.itemData(i)).stem for i in range(combo.combo.count())]
    combo.combo.setCurrentIndex(texts.index(name))


@pytest.mark.parametrize("name", ["concord-landcover-s2", "concord-buildings"])
def test_card_is_the_same_without_onnxruntime(name):
    path = MODELS / f"{name}.onnx"
    assert peek.card_of(path) == session.Model(name).card


def test_files_that_are_no_models_have_no_card(tmp_path):
    wrong = tmp_path / "wrong.onnx"
    assert peek.card_of(wrong) is None
    for content in (b"", b"not a model", b"\xff" * 64):
        wrong.write_bytes(content)
        card = peek.card_of(wrong)
        assert card is None or card.missing
        assert settings.model_classes(str(wrong)) == []
        assert not settings.reads_series(str(wrong))


def test_gate_is_passed_on_and_remembered(open_panel, forgotten):
    panel = open_panel(ModelsPanel)
    gate = panel.gate
    assert gate.parameters() == {} and not gate.classes.isVisibleTo(panel)
    choose(gate.model, "concord-landcover-s2")
    assert gate.classes.isVisibleTo(panel) and gate.classes.count() == 9
    assert "Tick what the gate looks for" in gate.need()
    gate.classes.setCheckedItems(["water", "crops"])
    gate.least.setValue(12.5)
    assert gate.need() == ""
    said = gate.parameters()
    assert said["GATE"].endswith("concord-landcover-s2.onnx")
    assert said["GATE_CLASSES"] == "water,crops" and said["GATE_LEAST"] == 0.125
    again = open_panel(ModelsPanel).gate
    assert again.parameters() == said
    choose(again.model, "")
    assert open_panel(ModelsPanel).gate.parameters() == {}


def test_classes_belong_to_the_gate_that_was_chosen(open_panel, forgotten):
    gate = open_panel(ModelsPanel).gate
    choose(gate.model, "concord-landcover-s2")
    gate.classes.setCheckedItems(["water"])
    choose(gate.model, "concord-buildings")
    assert gate.classes.checkedItems() == []
    choose(gate.model, "concord-landcover-s2")
    assert gate.classes.checkedItems() == ["water"]


def test_dates_are_offered_with_doubt_and_a_series_only(open_panel, forgotten, monkeypatch):
    panel = open_panel(ModelsPanel)
    assert not panel.gate.drops.isVisibleTo(panel)  # the bundled models read one image
    monkeypatch.setattr(settings, "reads_series", lambda path: True)
    panel.unsure.setChecked(True)
    assert panel.gate.drops.isEnabled()
    panel.gate.drops.setChecked(True)
    assert panel.gate.parameters() == {"DATE_DROPS": True}
    panel.unsure.setChecked(False)
    assert panel.gate.parameters() == {} and "doubt" in panel.gate.drops.toolTip()


def test_encoder_alone_takes_bands_and_texture_out(open_panel, forgotten):
    page = open_panel(ModelsPanel).training
    assert not page.alone.isEnabled()
    page.alone.setChecked(True)
    assert page.texture.isEnabled()  # there is no encoder yet
    choose(page.encoder, "concord-landcover-s2")
    assert page.alone.isEnabled() and not page.texture.isEnabled() and not page.bands.isEnabled()
    page.alone.setChecked(False)
    assert page.texture.isEnabled()
    assert open_panel(ModelsPanel).training.encoder.value() == page.encoder.value()
    assert QgsProject.instance().count() == 0
