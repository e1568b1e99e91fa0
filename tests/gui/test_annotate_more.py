"""Strokes, refining, preview, growing, similar objects, own keys, and what a crash left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsPointXY, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QPoint, QPointF, Qt
from qgis.PyQt.QtGui import QKeySequence, QWheelEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication

from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import LEFT, PIXEL, TOP
from tests.gui.test_annotate import INSIDE, LONG, NONE, pixel, propose, settle

BUTTON = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def panel(open_panel, image, tmp_path):
    panel = open_panel(AnnotatePanel)
    panel.make_label_layer(str(tmp_path / "labels.gpkg"))
    panel.classes.schemes.reload("concord-sample")
    panel.image.setLayer(image)
    panel.model.reload("regions")  # its outlines are exact on these squares
    return panel


@pytest.fixture
def prompting(panel):
    panel.start_button.click()
    return panel


def click(canvas, point, modifier=NONE, button=BUTTON):
    QTest.mouseClick(canvas.viewport(), button, modifier, pixel(canvas, point))


def accepted(prompting, qtbot, point=INSIDE):
    click(prompting._canvas, point)
    settle(prompting, qtbot)
    assert prompting.accept()
    return prompting.labels.currentLayer()


def test_control_click_takes_away(prompting, qtbot):
    click(prompting._canvas, INSIDE)
    click(prompting._canvas, QgsPointXY(LEFT + 50, TOP - 50), CTRL)
    assert [label for _, label in prompting.session.points] == [1, 0]
    settle(prompting, qtbot)


def test_a_painted_stroke_becomes_points_that_one_undo_takes_back(prompting, qtbot):
    view, canvas = prompting._canvas.viewport(), prompting._canvas
    start = pixel(canvas, QgsPointXY(LEFT + 230, TOP - 230))
    end = pixel(canvas, QgsPointXY(LEFT + 410, TOP - 410))
    QTest.mousePress(view, BUTTON, SHIFT, start)
    for k in range(1, 9):
        QTest.mouseMove(view, start + (end - start) * k / 8)
    QTest.mouseRelease(view, BUTTON, SHIFT, end)
    points = prompting.session.points
    assert 2 <= len(points) <= 8 and all(label == 1 for _, label in points)
    settle(prompting, qtbot)
    assert prompting.session.chosen.geometry.contains(INSIDE)
    prompting.session.undo()
    assert prompting.session.empty


def test_preview_appears_where_the_map_is_prepared_and_goes(prompting, qtbot):
    session, canvas = prompting.session, prompting._canvas
    session.prepare()
    qtbot.waitUntil(lambda: session.runner.idle and not session._idle.isActive(), timeout=LONG)
    session.hover(INSIDE)
    qtbot.waitUntil(lambda: session.marks.previewed, timeout=LONG)
    assert session.empty and session.candidates == []
    prompting.tool.left.emit()
    assert not session.marks.previewed
    session.hover(QgsPointXY(LEFT - 5000, TOP))  # beside the image: no preview, no message
    qtbot.waitUntil(lambda: session.runner.idle, timeout=LONG)
    assert not session.marks.previewed and prompting.status.text() == ""
    prompting.preview.setChecked(False)
    session.hover(INSIDE)
    qtbot.waitUntil(lambda: session.runner.idle, timeout=LONG)
    assert not session.marks.previewed
    prompting.preview.setChecked(True)
    assert canvas.mapTool() is prompting.tool


def test_a_late_preview_is_dropped(prompting, qtbot):
    session = prompting.session
    click(prompting._canvas, INSIDE)
    settle(prompting, qtbot)
    session.clear()
    session.hover(INSIDE)
    session.leave()
    qtbot.waitUntil(lambda: session.runner.idle, timeout=LONG)
    qtbot.wait(50)
    assert not session.marks.previewed


def test_growing_and_shrinking_by_key_and_wheel(prompting, qtbot):
    session, canvas = prompting.session, prompting._canvas
    click(canvas, INSIDE)
    settle(prompting, qtbot)
    area = session.chosen.geometry.area()
    QTest.keyClick(canvas, Qt.Key.Key_Plus)
    settle(prompting, qtbot)
    larger = session.chosen.geometry.area()
    assert larger > area and "+1 pixels" in session.describe()
    spot = QPointF(pixel(canvas, INSIDE))
    wheel = QWheelEvent(
        spot, QPointF(canvas.viewport().mapToGlobal(spot.toPoint())), QPoint(), QPoint(0, -120),
        Qt.MouseButton.NoButton, SHIFT, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    before = canvas.scale()
    QApplication.sendEvent(canvas.viewport(), wheel)
    settle(prompting, qtbot)
    assert session.chosen.geometry.area() == pytest.approx(area) and canvas.scale() == before


def test_refining_replaces_the_label_under_the_mouse(prompting, qtbot):
    layer = accepted(prompting, qtbot)
    (before,) = layer.getFeatures()
    click(prompting._canvas, INSIDE, ALT)
    assert prompting.session.refined == before.id()
    settle(prompting, qtbot)
    prompting.session.grow(2)
    settle(prompting, qtbot)
    assert prompting.accept()
    (after,) = layer.getFeatures()
    assert after.id() == before.id() and after.geometry().area() > before.geometry().area()
    assert after["points"].endswith("outline") and prompting.session.refined is None
    layer.undoStack().undo()
    (again,) = layer.getFeatures()
    assert again.geometry().area() == pytest.approx(before.geometry().area())
    click(prompting._canvas, QgsPointXY(LEFT + 20, TOP - 600), ALT)
    assert "no label to refine" in prompting.status.text() and prompting.session.empty


def test_similar_objects_need_an_example_and_say_so(prompting, messages):
    prompting.session.find_similar()
    assert "accept one object first" in prompting.status.text()
    assert not prompting.similar_button.isEnabled()


def test_similar_objects_are_shown_and_accepted(prompting, qtbot):
    layer = accepted(prompting, qtbot)
    assert prompting.similar_button.isEnabled()
    prompting.similar_button.click()
    settle(prompting, qtbot)
    if not prompting.session.alike:  # one object alone in the image
        assert "Nothing similar" in prompting.status.text()
        return
    shown = len(prompting.session.candidates)
    prompting.acceptance.accept_all()
    assert layer.featureCount() == 1 + shown and prompting.session.empty


def test_keys_can_be_changed_in_qgis(prompting):
    keys, canvas = prompting.keys, prompting._canvas
    from qgis.gui import QgsGui

    manager = QgsGui.shortcutsManager()
    action = keys.actions["accept"]
    assert action in manager.listActions()
    assert manager.setKeySequence(action, "Ctrl+G")
    try:
        propose(prompting)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        assert prompting.labels.currentLayer().featureCount() == 0
        QTest.keyClick(canvas, Qt.Key.Key_G, CTRL)
        assert prompting.labels.currentLayer().featureCount() == 1
        assert keys.text("accept") == QKeySequence("Ctrl+G").toString()
    finally:
        manager.setKeySequence(action, "Return")


def test_releasing_takes_the_keys_out_of_qgis(panel):
    from qgis.gui import QgsGui

    action = panel.keys.actions["accept"]
    panel.release()
    assert action not in QgsGui.shortcutsManager().listActions()


def test_closing_the_panel_ends_prompting(prompting, canvas):
    prompting.close()
    prompting.toggleViewAction().toggled.emit(False)  # a dock without a main window has no toggling
    assert canvas.mapTool() is not prompting.tool and not prompting.start_button.isChecked()


def test_no_image_under_the_click_is_one_sentence_and_nothing_is_lost(prompting, qtbot):
    layer = accepted(prompting, qtbot)
    canvas = prompting._canvas
    extent = canvas.extent()
    extent.scale(4)
    canvas.setExtent(extent)
    click(canvas, QgsPointXY(LEFT - 300, TOP + 300))
    settle(prompting, qtbot)
    assert "click on the image" in prompting.status.text()
    assert layer.featureCount() == 1 and prompting.session.empty


def test_a_model_that_cannot_be_used_is_one_sentence(prompting, qtbot, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "x.onnx").write_bytes(b"nonsense")
    prompting.model.add(str(tmp_path / "half"))
    prompting.session.add_point(INSIDE, 1)
    settle(prompting, qtbot)
    assert "holds no ONNX model" in prompting.status.text()
    prompting.model.reload("regions")
    prompting.session.add_point(INSIDE, 1)
    settle(prompting, qtbot)
    assert prompting.session.chosen is not None


def test_read_only_layers_are_refused(panel):
    layer = panel.labels.currentLayer()
    layer.setReadOnly(True)
    panel.refresh()
    assert "read only" in panel.start_button.toolTip() and not panel.start_button.isEnabled()


def test_overlap_rule_is_kept_with_the_class_scheme(panel):
    from concord.plugin.bridge import planar

    panel.finish.overlap.setCurrentIndex(panel.finish.overlap.findData(planar.CUT_OLD))
    panel.classes.schemes.combo.setCurrentIndex(0)
    assert panel.finish.rule().overlap == planar.ALLOW
    panel.classes.schemes.reload("concord-sample")
    assert panel.finish.rule().overlap == planar.CUT_OLD
    panel.finish.overlap.setCurrentIndex(0)


def test_fields_of_a_foreign_layer_are_mapped_in_the_panel(panel):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=kind:integer", "mine", "memory")
    QgsProject.instance().addMapLayer(layer)
    panel.labels.setLayer(layer)
    assert "choose the field" in panel.start_button.toolTip()
    panel.fields.combos["class"].setField("kind")
    assert panel.start_button.isEnabled()
    propose(panel)
    assert panel.accept()
    (feature,) = layer.getFeatures()
    assert feature["kind"] == panel.classes.entry.code


def test_a_label_layer_in_degrees_on_a_mercator_canvas(prompting, qtbot, tmp_path):
    """CRS of the layer, of the canvas and of the image all differ."""
    from concord.plugin.bridge import labels, layers

    crs = QgsCoordinateReferenceSystem("EPSG:4326")
    layer = labels.create_label_layer(tmp_path / "degrees.gpkg", crs, "degrees")
    layers.add_layer(layer, QgsProject.instance())
    prompting.labels.setLayer(layer)
    canvas = prompting._canvas
    mercator = QgsCoordinateReferenceSystem("EPSG:3857")
    from qgis.core import QgsCoordinateTransform

    move = QgsCoordinateTransform(canvas.mapSettings().destinationCrs(), mercator, layer.project())
    box, inside = move.transformBoundingBox(canvas.extent()), move.transform(INSIDE)
    canvas.setDestinationCrs(mercator)
    canvas.setExtent(box)
    click(canvas, inside)
    settle(prompting, qtbot)
    assert prompting.accept()
    (feature,) = layer.getFeatures()
    shape = feature.geometry()
    back = QgsCoordinateTransform(crs, QgsCoordinateReferenceSystem("EPSG:32632"), layer.project())
    shape.transform(back)
    assert shape.contains(INSIDE) and shape.area() == pytest.approx(240 * 240, rel=0.2)


def left_by_a_kill(panel) -> tuple:
    """(label layer, its journal) of a label that was accepted and never saved, chosen again."""
    from concord.plugin.bridge import journal

    layer = panel.labels.currentLayer()
    propose(panel)
    assert panel.accept()
    path = journal.path_of(layer)
    text = path.read_text()
    layer.rollBack()
    assert not path.exists()
    panel.labels.setLayer(None)
    path.write_text(text)
    panel.labels.setLayer(layer)
    assert panel.journal.offer is not None
    return layer, path


def test_what_a_crash_left_is_offered_and_restored(panel, qtbot, tmp_path):
    layer, path = left_by_a_kill(panel)
    assert layer.featureCount() == 0
    panel.journal.restore(layer, None)
    assert layer.featureCount() == 1 and "Restored" in panel.status.text()
    assert layer.isModified() and path.exists()
    panel.save()
    assert not path.exists() and layer.featureCount() == 1


def test_the_offer_to_restore_outlived_the_layer_it_spoke_of(panel):
    layer, _ = left_by_a_kill(panel)
    panel.labels.setLayer(None)
    assert panel.journal.offer is None, "Restore would act on a layer that may be gone"
    panel.labels.setLayer(layer)
    assert panel.journal.offer is not None
    panel.journal.discard(layer)


def test_a_doubtful_outline_says_what_helps(panel):
    propose(panel)
    session = panel.session
    session._chosen = 0
    for score, doubted in ((0.31, True), (0.84, False)):
        session.candidates = [replace(session.candidates[0], score=score)]
        assert ("draw a box" in session.describe()) is doubted


def test_an_unfinished_prompt_comes_back(panel, qtbot):
    from concord.plugin.bridge import journal

    layer = panel.labels.currentLayer()
    panel.start_button.click()
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    path = journal.path_of(layer)
    edits, prompt = journal.summary(path)
    assert edits == 0 and prompt["points"] == [[INSIDE.x(), INSIDE.y(), 1]]
    text = path.read_text()
    panel.session.clear()
    panel.labels.setLayer(None)
    path.write_text(text)
    panel.labels.setLayer(layer)
    panel.journal.restore(layer, prompt)
    settle(panel, qtbot)
    assert [label for _, label in panel.session.points] == [1]
    assert panel.session.chosen is not None


def test_a_session_survives_its_own_state(prompting):
    session = prompting.session
    session.settings = {}
    session.add_point(INSIDE, 1)
    session.add_point(QgsPointXY(LEFT, TOP), 0)
    session.set_box(session.canvas.extent())
    state = session.state()
    session.clear()
    session.resume(state)
    assert session.state() == state and len(session.points) == 2
    assert session.box.width() == pytest.approx(session.canvas.extent().width())
    assert PIXEL == 10.0
