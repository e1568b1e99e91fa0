"""Brush and eraser on polygons: what the labels, their neighbours and the undo stack hold."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsVectorLayer,
)
from qgis.gui import QgsMapMouseEvent
from qgis.PyQt.QtCore import QEvent, QPoint, Qt
from qgis.PyQt.QtTest import QTest

from concord.plugin.bridge import labels, touching
from concord.plugin.bridge.planar import ALLOW, CUT_NEW, CUT_OLD, Rule
from concord.plugin.engine.errors import ConcordError
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import LEFT, PIXEL, TOP
from tests.gui.test_label_rules import X, Y, add, overlaps, shared, square

UTM = QgsCoordinateReferenceSystem("EPSG:32632")
CONTEXT = QgsCoordinateTransformContext()
NONE = Qt.KeyboardModifier.NoModifier
VALUES = {"class": 4, "class_name": "four", "annotator": "ana", "object": 7}


@pytest.fixture
def layer(tmp_path, qgis_app):
    layer = labels.create_label_layer(tmp_path / "labels.gpkg", UTM, "Labels")
    layer.startEditing()
    return layer


def disc(x, y, radius):
    return QgsGeometry.fromPointXY(QgsPointXY(X + x, Y + y)).buffer(radius, 8)


def test_a_stroke_on_bare_ground_is_a_new_label_by_hand(layer):
    assert touching.paint(layer, disc(50, 50, 10), UTM, VALUES, CONTEXT, Rule())
    (feature,) = layer.getFeatures()
    assert (feature["class"], feature["source"], feature["object"]) == (4, "hand", 7)
    assert feature.geometry().area() == pytest.approx(312, rel=0.01)
    assert layer.undoStack().count() == 1
    layer.undoStack().undo()
    assert layer.featureCount() == 0


def test_a_stroke_that_extends_keeps_the_attributes(layer):
    told = {"class": 1, "score": 0.8, "model": "m", "source": "prompt"}
    labels.accept(layer, square(0, 0, 20), UTM, told, CONTEXT)
    (old,) = layer.getFeatures()
    assert touching.paint(layer, disc(20, 10, 5), UTM, VALUES, CONTEXT, Rule(), old.id())
    (new,) = layer.getFeatures()
    assert (new["class"], new["score"], new["model"]) == (1, 0.8, "m")
    assert new["source"] == "hand" and new.geometry().area() > old.geometry().area() + 35
    assert layer.undoStack().count() == 2


def test_a_stroke_inside_the_label_it_extends_is_no_step(layer):
    (fid,) = add(layer, square(0, 0, 40))
    steps = layer.undoStack().count()
    assert not touching.paint(layer, disc(20, 20, 5), UTM, VALUES, CONTEXT, Rule(), fid)
    assert layer.undoStack().count() == steps


@pytest.mark.parametrize(("rule", "first"), [(CUT_NEW, True), (CUT_OLD, False)])
def test_the_overlap_rule_says_who_gives_way_to_the_brush(layer, rule, first):
    add(layer, square(0, 0, 40))
    touching.paint(layer, disc(40, 20, 10), UTM, VALUES, CONTEXT, Rule(rule, True, 0.5))
    found = {f["class"]: f.geometry() for f in layer.getFeatures()}
    assert overlaps(layer) < 1e-6 and (found[1].area() > 1599.9) == first
    assert shared(found[1], found[4]) == 0


def test_what_a_stroke_begins_on_decides_what_it_extends(layer):
    one, two = add(layer, square(0, 0, 20), square(20, 0, 20))
    project, spot = QgsProject.instance(), QgsPointXY(X + 10, Y + 10)
    assert touching.target(layer, spot, UTM, project, ("1", "one")) == one
    assert touching.target(layer, spot, UTM, project, ("2", "two")) is None
    assert touching.target(layer, spot, UTM, project, None) == one
    layer.selectByIds([two])
    assert touching.target(layer, spot, UTM, project, ("1", "one")) == two


def test_the_eraser_takes_from_all_labels_in_one_step(layer):
    add(layer, square(0, 0, 20), square(20, 0, 20), square(60, 0, 4))
    steps = layer.undoStack().count()
    area = sum(f.geometry().area() for f in layer.getFeatures())
    assert touching.erase(layer, disc(20, 10, 5), UTM, CONTEXT, Rule(planar=True)) == 2
    assert layer.undoStack().count() == steps + 1
    found = {f["class"]: f for f in layer.getFeatures()}
    left = sum(f.geometry().area() for f in found.values())
    assert area - left == pytest.approx(disc(20, 10, 5).area(), rel=1e-4)
    assert [found[n]["source"] for n in (1, 2)] == ["hand", "hand"] and not found[3]["source"]
    assert shared(found[1].geometry(), found[2].geometry()) == 0
    assert touching.erase(layer, disc(62, 2, 5), UTM, CONTEXT, Rule()) == 1
    assert layer.featureCount() == 2
    layer.undoStack().undo()
    layer.undoStack().undo()
    assert sum(f.geometry().area() for f in layer.getFeatures()) == area


def test_the_eraser_spares_labels_that_are_not_selected(layer):
    one, two = add(layer, square(0, 0, 20), square(20, 0, 20))
    layer.selectByIds([one])
    assert touching.erase(layer, disc(20, 10, 5), UTM, CONTEXT, Rule()) == 1
    assert layer.getFeature(two).geometry().area() == 400


def test_the_eraser_over_nothing_makes_no_step(layer):
    assert touching.erase(layer, disc(0, 0, 5), UTM, CONTEXT, Rule()) == 0
    assert layer.undoStack().count() == 0


def test_a_single_polygon_that_is_cut_through_becomes_two_labels(qgis_app):
    layer = QgsVectorLayer(
        "Polygon?crs=EPSG:32632&field=class:integer&field=source:string", "", "memory"
    )
    layer.startEditing()
    add(layer, square(0, 0, 40, 10))
    assert touching.erase(layer, square(18, -5, 4, 30), UTM, CONTEXT, Rule()) == 1
    areas = sorted((f["class"], f["source"], f.geometry().area()) for f in layer.getFeatures())
    assert areas == [(1, "hand", 180.0), (1, "hand", 180.0)]
    layer.undoStack().undo()
    assert [f.geometry().area() for f in layer.getFeatures()] == [400.0]


def test_a_stroke_without_place_in_the_layers_crs_is_refused(layer):
    far = QgsGeometry.fromPointXY(QgsPointXY(-90, 0)).buffer(1, 4)
    crs = QgsCoordinateReferenceSystem("EPSG:4326")  # the far side of this view of the globe
    layer.setCrs(QgsCoordinateReferenceSystem.fromProj("+proj=ortho +lat_0=0 +lon_0=90"))
    with pytest.raises(ConcordError, match="stroke cannot be brought"):
        touching.paint(layer, far, crs, VALUES, CONTEXT, Rule(ALLOW))
    assert layer.undoStack().count() == 0


# in the panel


@pytest.fixture
def panel(open_panel, image, tmp_path):
    panel = open_panel(AnnotatePanel)
    panel.make_label_layer(str(tmp_path / "panel.gpkg"))
    panel.classes.schemes.reload("concord-sample")
    panel.image.setLayer(image)
    panel.finish.overlap.setCurrentIndex(0)
    panel.finish.planar.setChecked(False)
    panel.touch.unit.setCurrentIndex(panel.touch.unit.findData("map"))
    panel.touch.size.setValue(60)
    return panel


def place(canvas, col, row) -> QPoint:
    spot = canvas.getCoordinateTransform().transform(LEFT + col * PIXEL, TOP - row * PIXEL)
    return QPoint(round(spot.x()), round(spot.y()))


def drag(canvas, start, end, button=Qt.MouseButton.LeftButton, modifier=NONE):
    view, a, b = canvas.viewport(), place(canvas, *start), place(canvas, *end)
    QTest.mousePress(view, button, modifier, a)
    QTest.mouseMove(view, (a + b) / 2)
    QTest.mouseMove(view, b)
    QTest.mouseRelease(view, button, modifier, b)


def test_one_drag_of_the_brush_is_one_label_and_one_step(panel):
    panel.touch.buttons["brush"].click()
    canvas, layer = panel._canvas, panel.labels.currentLayer()
    assert canvas.mapTool() is panel.touch.tool and panel.touch.buttons["brush"].isChecked()
    drag(canvas, (10, 10), (30, 10))
    (feature,) = layer.getFeatures()
    area = feature.geometry().area()
    assert area == pytest.approx(60 * 200 + 3.12 * 30 * 30, rel=0.05)
    assert feature["source"] == "hand" and feature["class"] == panel.classes.entry.code
    drag(canvas, (20, 10), (20, 30))  # begins on it
    assert layer.featureCount() == 1 and layer.undoStack().count() == 2
    assert panel.status.text() == "Extended a label."
    drag(canvas, (45, 45), (50, 45))
    assert sorted(f["object"] for f in layer.getFeatures()) == [1, 2]
    drag(canvas, (20, 5), (20, 40), Qt.MouseButton.RightButton)
    assert layer.undoStack().count() == 4 and panel.keep_button.isEnabled()
    layer.undoStack().setIndex(1)
    assert [f.geometry().area() for f in layer.getFeatures()] == pytest.approx([area])


def test_another_class_begins_a_label_of_its_own(panel):
    panel.touch.buttons["brush"].click()
    canvas, layer = panel._canvas, panel.labels.currentLayer()
    drag(canvas, (10, 10), (30, 10))
    QTest.keyClick(canvas, Qt.Key.Key_3)
    drag(canvas, (20, 10), (20, 30))
    assert layer.featureCount() == 2
    drag(canvas, (12, 10), (12, 30), modifier=Qt.KeyboardModifier.AltModifier)
    assert layer.featureCount() == 2 and panel.status.text() == "Extended a label."


def test_keys_change_size_and_tool(panel):
    panel.touch.wish("brush")
    canvas, touch = panel._canvas, panel.touch
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert touch.size.value() == pytest.approx(75)
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert touch.tool.size == pytest.approx(60, abs=0.1)
    QTest.keyClick(canvas, Qt.Key.Key_E)
    assert touch.tool.erases and touch.buttons["eraser"].isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_P)
    assert canvas.mapTool() is panel.tool and not touch.buttons["eraser"].isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_B)
    assert touch.tool_on and touch.tool.mode == "brush"
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.mapTool() is panel.tool


def test_escape_drops_the_stroke_that_is_being_drawn(panel):
    panel.touch.wish("brush")
    canvas, view = panel._canvas, panel._canvas.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, NONE, place(canvas, 10, 10))
    QTest.mouseMove(view, place(canvas, 20, 10))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, NONE, place(canvas, 20, 10))
    assert panel.labels.currentLayer().featureCount() == 0 and panel.touch.tool_on


def test_the_ring_shows_the_size_and_goes_with_the_mouse_and_the_tool(panel):
    panel.touch.wish("brush")
    tool, canvas = panel.touch.tool, panel._canvas
    kind = QEvent.Type.MouseMove  # QTest moves no pointer where there is no screen
    tool.canvasMoveEvent(QgsMapMouseEvent(canvas, kind, place(canvas, 30, 30)))
    box = tool._ring.asGeometry().boundingBox()
    assert box.width() == pytest.approx(60, rel=0.01)
    panel._stop()
    assert tool._ring is None and not panel.touch.buttons["brush"].isChecked()


def test_pixels_on_screen_grow_with_the_view(panel):
    touch = panel.touch
    touch.unit.setCurrentIndex(touch.unit.findData("pixels"))
    touch.size.setValue(20)
    before = touch.tool.radius
    panel._canvas.zoomByFactor(2)
    assert touch.tool.radius == pytest.approx(2 * before, rel=0.01)


def test_the_brush_leaves_an_open_proposal_alone(panel):
    from tests.gui.test_annotate import propose

    panel.start_button.click()
    propose(panel)
    panel.touch.wish("brush")
    assert panel.session.chosen is not None
    panel.close()
    panel.toggleViewAction().toggled.emit(False)
    assert panel.session.chosen is None


def test_a_layer_that_cannot_be_edited_says_so_and_the_map_stays(panel, open_panel):
    layer = panel.labels.currentLayer()
    layer.setReadOnly(True)
    panel.touch.wish("brush")
    assert "read only" in panel.status.text() and not panel.touch.tool_on
