"""From a click on the canvas to a label that one undo takes back."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QFileDialog, QLabel

from concord.plugin.gui.annotate import AnnotatePanel
from concord.plugin.gui.prompt_list import Candidate
from tests.gui.conftest import LEFT, PIXEL, TOP

NONE = Qt.KeyboardModifier.NoModifier
INSIDE = QgsPointXY(LEFT + 32 * PIXEL, TOP - 32 * PIXEL)
LONG = 60_000


def need(panel) -> str:
    labels = panel.findChildren(QLabel, "ConcordNeed")
    return " ".join(label.text() for label in labels if label.isVisibleTo(panel))


def pixel(canvas, point) -> QPoint:
    place = canvas.getCoordinateTransform().transform(point)
    return QPoint(round(place.x()), round(place.y()))


@pytest.fixture
def panel(open_panel, image, tmp_path):
    """An annotate panel that is ready to prompt, with a UTM label layer and water2's classes."""
    panel = open_panel(AnnotatePanel)
    panel.make_label_layer(str(tmp_path / "labels.gpkg"))
    panel.classes.schemes.reload("concord-sample")
    panel.image.setLayer(image)
    panel.model.reload("regions")  # its outlines are exact on these squares
    return panel


@pytest.fixture
def prompting(panel):
    panel.start_button.click()
    assert panel._canvas.mapTool() is panel.tool
    return panel


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=LONG)


def propose(panel, geometry=None, crs="EPSG:32632", score=0.9):
    """Put proposals in place without running a model."""
    shape = geometry or QgsGeometry.fromRect(QgsRectangle(INSIDE, QgsPointXY(LEFT, TOP)))
    session = panel.session
    session.settings = {}
    session.add_point(INSIDE, 1)
    crs = QgsCoordinateReferenceSystem(crs)
    session.candidates = [Candidate(shape, crs, score), Candidate(shape, crs, score / 2)]
    session._draw()
    session.changed.emit()


def test_empty_panel_says_what_it_needs(open_panel, qgis_new_project):
    panel = open_panel(AnnotatePanel)
    assert "Open an image" in need(panel) and not panel.start_button.isEnabled()


def test_a_click_needed_a_label_layer_and_a_class_before_it_showed_anything(
    open_panel, image, tmp_path, qtbot, monkeypatch
):
    panel, asked = open_panel(AnnotatePanel), ["", str(tmp_path / "labels.gpkg")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (asked.pop(0), ""))
    panel.classes.schemes.reload("")
    panel.image.setLayer(image)
    panel.model.reload("regions")
    assert need(panel) == "" and panel.labels.currentLayer() is None
    panel.start_button.click()
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    assert panel.session.chosen is not None and panel.accept_button.isEnabled()
    assert not panel.accept() and "label layer" in panel.status.text(), "the dialog was closed"
    assert panel.session.chosen is not None, "the proposal waits"
    assert panel.accept() and not asked
    (feature,) = panel.labels.currentLayer().getFeatures()
    assert feature["object"] == 1 and feature["class"] == panel.classes.entry.code == 1
    assert feature["class_name"] == "object", "one class serves whoever has no scheme"
    qtbot.wait(50)
    assert panel.prompting and panel.session.object == 2 and panel.session.empty


def test_the_bundled_network_answers_the_first_click_without_set_up(panel, qtbot, messages):
    panel.model.combo.setCurrentIndex(0)
    assert panel.model.value() == "concord-prompt"
    lines = [label.text() for label in panel.findChildren(QLabel)]
    assert any("For roofs, ponds and fields" in line for line in lines)
    panel.start_button.click()
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    assert messages() == []
    assert panel.session.chosen.answer.mask.any() and len(panel.session.candidates) == 3


def test_a_model_of_the_users_own_has_no_line_of_ours(panel, tmp_path):
    texts = panel.findChildren(QLabel)
    line = next(label for label in texts if label.text().startswith("For what has a plain"))
    (tmp_path / "own").mkdir()
    panel.model.add(str(tmp_path / "own"))
    assert line.isHidden() and not line.text()


def test_a_click_beside_the_image_stayed_part_of_the_object(prompting, qtbot):
    session = prompting.session
    session.add_point(QgsPointXY(LEFT - 500, TOP + 500), 1)
    assert session.empty and "click on the image" in prompting.status.text()
    session.add_point(INSIDE, 1)
    settle(prompting, qtbot)
    assert len(session.points) == 1 and session.chosen is not None


def test_click_proposes_and_enter_accepts(prompting, qtbot, messages):
    panel, canvas = prompting, prompting._canvas
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, pixel(canvas, INSIDE))
    ((point, label),) = panel.session.points
    assert label == 1 and point.distance(INSIDE) < 2 * canvas.mapUnitsPerPixel()
    settle(panel, qtbot)
    assert messages() == [] and panel.session.chosen is not None
    QTest.keyClick(canvas, Qt.Key.Key_3)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    layer = panel.labels.currentLayer()
    (feature,) = layer.getFeatures()
    assert feature["class"] == panel.classes.entry.code and panel.classes.combo.currentIndex() == 2
    assert feature["source"] == "prompt" and feature["object"] == 1
    assert feature["composite"].startswith("red 0.09") and feature["model"] == "regions"
    assert feature["points"].startswith("EPSG:32632: 5") and feature["points"].endswith(" 1")
    square = QgsGeometry.fromRect(QgsRectangle(LEFT + 200, TOP - 440, LEFT + 440, TOP - 200))
    shape = feature.geometry()
    both = shape.intersection(square).area()
    assert both / shape.combine(square).area() > 0.8
    assert panel.session.empty and panel.session.object == 2
    layer.undoStack().undo()
    assert layer.featureCount() == 0
    layer.undoStack().redo()
    assert layer.featureCount() == 1
    panel.save()
    assert not layer.isModified() and layer.isEditable()


def test_box_and_points_together(prompting, qtbot, messages):
    panel = prompting
    panel.session.set_box(QgsRectangle(LEFT + 180, TOP - 460, LEFT + 460, TOP - 180))
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    assert messages() == [] and panel.session.chosen is not None


def test_accept_into_a_layer_of_another_crs(panel, tmp_path):
    from concord.plugin.bridge import labels, layers

    crs = QgsCoordinateReferenceSystem("EPSG:3857")
    layer = labels.create_label_layer(tmp_path / "mercator.gpkg", crs, "mercator")
    layers.add_layer(layer, QgsProject.instance())
    panel.labels.setLayer(layer)
    propose(panel)
    panel.accept()
    (feature,) = layer.getFeatures()
    assert 1_000_000 < feature.geometry().centroid().asPoint().x() < 1_010_000


def test_failure_is_said_and_leaves_the_layer(panel, messages, monkeypatch):
    layer = panel.labels.currentLayer()
    propose(panel)
    monkeypatch.setattr(layer, "addFeature", lambda feature: False)
    panel.accept()
    assert len(messages()) == 1 and layer.featureCount() == 0
    assert layer.undoStack().count() == 0 and not layer.isEditCommandActive()
    assert not panel.session.empty  # the prompts are still there to try again


def test_backspace_escape_and_tab(prompting, qtbot):
    panel, canvas = prompting, prompting._canvas
    propose(panel)
    session = panel.session
    first = session.chosen
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    assert session.chosen is not first and "candidate 2 of 2" in session.describe()
    session.add_point(INSIDE, 0)
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert [label for _p, label in session.points] == [1]
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert session.empty and session.chosen is None
    assert panel.labels.currentLayer().featureCount() == 0


def test_removing_points_alone_ask_for_nothing(prompting):
    prompting.session.add_point(INSIDE, 0)
    assert not prompting.session.busy
    assert "add a point" in prompting.session.describe()


def test_stale_answers_are_dropped(prompting, qtbot):
    session = prompting.session
    session.add_point(QgsPointXY(LEFT + 50, TOP - 50), 1)
    session.undo()
    session.add_point(INSIDE, 1)
    session.add_point(QgsPointXY(LEFT + 60, TOP - 60), 0)
    settle(prompting, qtbot)
    centre = session.chosen.geometry.centroid().asPoint()
    assert centre.distance(INSIDE) < 5 * PIXEL


def test_another_map_crs_drops_the_prompts(prompting, canvas):
    propose(prompting)
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    assert prompting.session.empty and "another CRS" in prompting.status.text()


def test_another_tool_stops_prompting(prompting, canvas):
    canvas.unsetMapTool(prompting.tool)
    assert not prompting.start_button.isChecked()
    assert "Start" in prompting.start_button.text()


def test_release_takes_the_tool_off(prompting, canvas):
    before = len(canvas.scene().items())
    propose(prompting)
    prompting.release()
    assert canvas.mapTool() is not prompting.tool
    assert len(canvas.scene().items()) <= before


def test_annotators_name_is_remembered(panel, monkeypatch):
    from concord.plugin.bridge import settings

    panel.annotator.setText("Ada")
    panel.annotator.editingFinished.emit()
    assert settings.annotator() == "Ada"
    settings.set_value("annotator", "")
