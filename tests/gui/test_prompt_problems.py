"""What the Annotate panel says before the first click when that could not be answered."""

from __future__ import annotations

import pytest
from qgis.PyQt.QtWidgets import QLabel

from concord.plugin.engine import packages
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.test_annotate import need


def shown(panel) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if label.isVisibleTo(panel)]


@pytest.fixture
def without_onnxruntime(monkeypatch):
    there = packages.missing
    monkeypatch.setattr(
        packages,
        "missing",
        lambda *names: ["onnxruntime"] if "onnxruntime" in names else there(*names),
    )


def test_without_onnxruntime_nobody_learnt_that_there_is_a_network(
    without_onnxruntime, open_panel, image
):
    panel = open_panel(AnnotatePanel)
    panel.image.setLayer(image)
    titles = [panel.model.combo.itemText(i) for i in range(panel.model.combo.count())]
    assert titles[:2] == ["Regions (no model)", "Concord prompt (needs onnxruntime)"]
    assert panel.model.value() == "regions" and need(panel) == ""
    panel.model.combo.setCurrentIndex(1)
    assert any("pip install onnxruntime" in text for text in shown(panel))
    assert "onnxruntime" in need(panel) and not panel.start_button.isEnabled()
    panel.model.combo.setCurrentIndex(0)
    panel.start_button.click()
    panel.model.combo.setCurrentIndex(1)
    assert panel.prompting and panel.start_button.isEnabled(), "one must be able to stop"
