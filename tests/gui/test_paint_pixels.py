"""Painting on a class raster from the panel: prompts, brush, fill, undo, saving, a kill."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsGeometry,
    QgsMapRendererParallelJob,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QPushButton

from concord.plugin.bridge import layers, painting
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import LEFT, PIXEL, SIDE, TOP
from tests.gui.test_annotate import propose
from tests.gui.test_touch_up import drag, place

NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def panel(open_panel, image, class_path):
    panel = open_panel(AnnotatePanel)
    layer = layers.add_raster(class_path, "map", "classes", QgsProject.instance())
    panel.image.setLayer(image)
    kind = panel.destination.kind
    kind.setCurrentIndex(kind.findData("pixels"))
    panel.raster.setLayer(layer)
    panel.classes.schemes.reload("concord-sample")
    panel.touch.unit.setCurrentIndex(panel.touch.unit.findData("map"))
    panel.touch.size.setValue(50)
    panel.finish.overlap.setCurrentIndex(0)
    yield panel
    kind.setCurrentIndex(kind.findData("polygons"))


def shown(panel) -> np.ndarray:
    """What QGIS reads from the layer that shows the painting."""
    layer = QgsProject.instance().mapLayer(panel.pixels._shown)
    block = layer.dataProvider().block(1, layer.extent(), SIDE, SIDE)
    raw = np.frombuffer(bytes(block.data()), np.uint8)
    return raw.reshape(SIDE, SIDE)


def original(class_path) -> np.ndarray:
    data = gdal.Open(class_path)
    codes = data.ReadAsArray()
    data = None
    return codes


def test_a_stroke_is_seen_at_once_and_the_map_stays_as_it_is(panel, class_path):
    before = original(class_path)
    panel.touch.buttons["brush"].click()
    canvas = panel._canvas
    QTest.keyClick(canvas, Qt.Key.Key_3)
    code = panel.classes.entry.code
    drag(canvas, (10, 10), (30, 10))
    now = shown(panel)
    assert (now[8:12, 10:30] == code).all() and (original(class_path) == before).all()
    assert panel.touch.undo.isEnabled() and panel.keep_button.isEnabled()
    drag(canvas, (15, 10), (25, 10), Qt.MouseButton.RightButton)
    assert (shown(panel)[8:12, 15:25] == 0).all()
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (shown(panel) == now).all()
    panel.touch.undo.click()
    assert (shown(panel) == before).all() and not panel.touch.undo.isEnabled()
    panel.touch.redo.click()
    panel.touch.redo.click()
    assert not panel.touch.redo.isEnabled()
    panel.touch.undo.click()
    assert (shown(panel) == now).all() and panel.touch.redo.isEnabled()


def test_an_accepted_prompt_is_one_step(panel):
    panel.start_button.click()
    shape = QgsGeometry.fromRect(QgsRectangle(LEFT + 100, TOP - 200, LEFT + 200, TOP - 100))
    propose(panel, shape)
    QTest.keyClick(panel._canvas, Qt.Key.Key_3)
    assert panel.accept()
    code = panel.classes.entry.code
    assert (shown(panel)[10:20, 10:20] == code).all() and (shown(panel) == code).sum() == 100
    (step,) = panel.pixels._painting.journal.live
    assert step.told["title"] == "prompt" and step.told["points"].startswith("EPSG:32632")
    assert panel.session.empty
    QTest.keyClick(panel._canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not (shown(panel) == code).any()
    name = panel.classes.entry.name  # it said "Undone: prompt."
    assert panel.status.text() == f"Undid the outline accepted as {name}."


def test_fill_gives_a_region_the_class(panel):
    panel.touch.buttons["fill"].click()
    canvas = panel._canvas
    QTest.keyClick(canvas, Qt.Key.Key_4)
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, place(canvas, 32, 32))
    assert (shown(panel) == panel.classes.entry.code).sum() == 24 * 24


def test_a_fill_that_reaches_far_goes_on_in_the_background(panel, qtbot, class_path, monkeypatch):
    from concord.plugin.engine.paint import painting as engine
    from concord.plugin.engine.paint import region

    monkeypatch.setattr(engine, "NEAR", 16)
    monkeypatch.setattr(region, "TILE", 10)
    before = original(class_path)
    panel.touch.buttons["fill"].click()
    canvas = panel._canvas
    QTest.keyClick(canvas, Qt.Key.Key_4)
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, place(canvas, 32, 32))
    drag(canvas, (10, 10), (30, 10))  # while it is being filled
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, place(canvas, 5, 5))
    assert "being filled" in panel.status.text()
    qtbot.waitUntil(lambda: panel.pixels.modified, timeout=20_000)
    code = panel.classes.entry.code
    assert (shown(panel) == code).sum() == 24 * 24 and "576 pixels" in panel.status.text()
    (step,) = panel.pixels._painting.journal.live
    assert len(step.parts) > 4 and step.told["name"] == panel.classes.entry.name
    panel.touch.undo.click()  # a part at each turn of the interface
    qtbot.waitUntil(lambda: not panel.pixels._busy, timeout=5000)
    assert (shown(panel) == before).all() and "Undid the region filled with" in panel.status.text()


def test_choosing_another_map_ends_a_fill(panel, qtbot, class_path, monkeypatch):
    from concord.plugin.engine.paint import painting as engine
    from concord.plugin.engine.paint import region

    monkeypatch.setattr(engine, "NEAR", 16)
    monkeypatch.setattr(region, "TILE", 2)
    panel.touch.buttons["fill"].click()
    canvas = panel._canvas
    QTest.keyClick(canvas, Qt.Key.Key_4)
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, NONE, place(canvas, 32, 32))
    assert panel.runner.busy
    panel.raster.setLayer(None)
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=20_000)
    assert not panel.pixels._busy
    qtbot.waitUntil(lambda: not list(qpath(class_path).glob("*concord-painting*")), timeout=5000)


def test_saving_makes_a_new_map_and_goes_on_with_it(panel, qtbot, class_path):
    before = original(class_path)
    panel.touch.wish("brush")
    canvas = panel._canvas
    QTest.keyClick(canvas, Qt.Key.Key_3)
    code = panel.classes.entry.code
    drag(canvas, (10, 10), (30, 10))
    expected = shown(panel)
    panel.keep_button.click()
    drag(canvas, (40, 50), (50, 50))  # while it is being saved
    assert "being saved" in panel.status.text()
    qtbot.waitUntil(lambda: panel.raster.currentLayer().name() == "map painted", timeout=20_000)
    layer = panel.raster.currentLayer()
    assert (original(layer.source()) == expected).all() and (original(class_path) == before).all()
    named = {entry.code: entry.name for entry in layers.class_entries(layer)}
    assert named[code] == panel.classes.entry.name
    qtbot.waitUntil(lambda: not list(qpath(class_path).glob("*concord-painting*")), timeout=5000)
    drag(canvas, (40, 50), (50, 50))
    assert (shown(panel)[49:51, 40:50] == code).all()


def qpath(path):
    from pathlib import Path

    return Path(path).parent


def test_painting_that_was_not_saved_comes_back(panel, class_path):
    panel.touch.wish("brush")
    QTest.keyClick(panel._canvas, Qt.Key.Key_3)
    drag(panel._canvas, (10, 10), (30, 10))
    state = shown(panel)
    panel._stop()
    panel.pixels._close()  # as a kill: nothing is saved
    QgsProject.instance().removeMapLayers(
        [x.id() for x in QgsProject.instance().mapLayers().values() if painting.is_painting(x)]
    )
    panel.touch.wish("brush")
    assert (shown(panel) == state).all() and "not saved are back" in panel.status.text()


def test_emptying_the_project_with_a_painting_open_crashed_qgis(panel, qtbot, class_path):
    panel.touch.wish("brush")
    QgsProject.instance().clear()
    qtbot.waitUntil(lambda: not list(qpath(class_path).glob("*concord-painting*")), timeout=5000)
    assert not QgsProject.instance().mapLayers() and not panel.touch.tool_on


def test_nothing_painted_leaves_no_layer_and_no_file(panel, class_path, qtbot):
    panel.touch.wish("brush")
    assert painting.is_painting(QgsProject.instance().mapLayer(panel.pixels._shown))
    panel._stop()
    panel.destination.kind.setCurrentIndex(0)
    panel.raster.setLayer(None)
    qtbot.waitUntil(lambda: not list(qpath(class_path).glob("*concord-painting*")), timeout=5000)
    assert not any(painting.is_painting(x) for x in QgsProject.instance().mapLayers().values())


def test_the_map_draws_the_last_step_each_time(panel, qtbot):
    """The threads that draw have files open of their own; they must not show the step before."""
    panel.touch.wish("brush")
    canvas = panel._canvas
    layer = QgsProject.instance().mapLayer(panel.pixels._shown)
    layer.setOpacity(1)
    settings = canvas.mapSettings()
    settings.setLayers([layer])
    colours = []
    for key in (Qt.Key.Key_3, Qt.Key.Key_4, Qt.Key.Key_5, Qt.Key.Key_3, Qt.Key.Key_4):
        QTest.keyClick(canvas, key)
        drag(canvas, (10, 10), (30, 10))
        job = QgsMapRendererParallelJob(settings)
        job.start()
        job.waitForFinished()
        spot = place(canvas, 20, 10)
        colours.append(job.renderedImage().pixelColor(spot).name())
        assert colours[-1] == panel.classes.entry.colour.name(), colours
    assert len(set(colours)) == 3


def test_the_image_shines_through_and_the_map_comes_back(panel, qtbot):
    own = panel.raster.currentLayer()
    node = QgsProject.instance().layerTreeRoot().findLayer(own.id())
    panel.touch.wish("brush")
    layer = QgsProject.instance().mapLayer(panel.pixels._shown)
    assert layer.opacity() < 1 and not node.isVisible()
    panel._stop()
    panel.destination.kind.setCurrentIndex(0)
    qtbot.waitUntil(node.isVisible, timeout=5000)


def test_the_painting_is_no_map_to_paint_on(panel):
    panel.touch.wish("brush")
    names = [panel.raster.itemText(i) for i in range(panel.raster.count())]
    assert "map" in names and "map (painted)" not in names


def test_cut_the_new_label_paints_only_where_nothing_is(panel):
    panel.finish.overlap.setCurrentIndex(panel.finish.overlap.findData("cut_new"))
    panel.touch.wish("brush")
    QTest.keyClick(panel._canvas, Qt.Key.Key_3)
    drag(panel._canvas, (10, 10), (30, 10))
    assert panel.status.text() == "No pixel changed."


def test_without_a_class_raster_the_panel_says_so(open_panel, image):
    panel = open_panel(AnnotatePanel)
    kind = panel.destination.kind
    kind.setCurrentIndex(kind.findData("pixels"))
    assert "class raster" in panel._need() and not panel.touch.buttons["fill"].isEnabled()
    kind.setCurrentIndex(kind.findData("polygons"))


def test_a_map_in_another_crs_than_the_canvas_is_painted_in_its_place(panel):
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform

    panel.touch.wish("brush")
    canvas = panel._canvas
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    move = QgsCoordinateTransform(panel.raster.currentLayer().crs(), degrees, QgsProject.instance())
    stroke = QgsGeometry.fromPointXY(QgsPointXY(LEFT + 205, TOP - 105)).buffer(20, 8)
    way = QgsGeometry.fromPointXY(QgsPointXY(LEFT + 205, TOP - 105))
    stroke.transform(move)
    way.transform(move)
    canvas.setDestinationCrs(degrees)
    before = shown(panel)
    panel.touch._stroked(way, stroke, True, False)
    now = shown(panel)
    rows, cols = np.nonzero(before != now)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (9, 11, 19, 21) and PIXEL == 10


def test_a_raster_that_is_written_by_qgis_is_read_anew_after_each_step(panel):
    panel.touch.wish("brush")
    canvas, seen = panel._canvas, []
    for key, row in ((Qt.Key.Key_1, 10), (Qt.Key.Key_2, 12), (Qt.Key.Key_3, 14)):
        QTest.keyClick(canvas, key)
        drag(canvas, (10, row), (30, row))
        seen.append(shown(panel)[row, 20])
        assert seen[-1] == panel.classes.entry.code
    assert isinstance(panel.raster.currentLayer(), QgsRasterLayer)


def answer(box_name: str, unsaved) -> None:
    """Press a button of the question as soon as it stands."""

    def press() -> None:
        box = unsaved.question
        if box is None or not box.isVisible():
            QTimer.singleShot(20, press)
            return
        next(b for b in box.buttons() if b.text().replace("&", "") == box_name).click()

    QTimer.singleShot(0, press)


@pytest.fixture
def painted(panel):
    panel.touch.wish("brush")
    QTest.keyClick(panel._canvas, Qt.Key.Key_3)
    drag(panel._canvas, (10, 10), (30, 10))
    return panel


def test_closing_qgis_asks_about_unsaved_painting(painted, class_path, qtbot):
    unsaved, state = painted.pixels.unsaved, shown(painted)
    answer("Cancel", unsaved)
    assert not unsaved.allowExit() and painted.pixels.modified
    answer("Keep for later", unsaved)
    assert unsaved.allowExit() and painted.pixels.modified and (shown(painted) == state).all()
    answer("Discard", unsaved)
    assert unsaved.allowExit() and not painted.pixels.modified
    assert not list(qpath(class_path).glob("*concord-painting*"))
    assert unsaved.allowExit()  # nothing is left to ask about


def test_saving_at_the_end_closes_qgis_when_the_map_is_written(painted, qtbot):
    asked = []
    painted.iface.actionExit().trigger = lambda: asked.append(painted.pixels.modified)
    answer("Save", painted.pixels.unsaved)
    assert not painted.pixels.unsaved.allowExit() and not asked
    qtbot.waitUntil(lambda: bool(asked), timeout=20_000)
    assert asked == [False] and painted.raster.currentLayer().name() == "map painted"


@pytest.mark.parametrize("wish", ["Restore", "Discard"])
def test_what_was_left_on_a_map_is_offered_when_the_map_is_chosen(painted, class_path, wish):
    panel, state = painted, shown(painted)
    layer = panel.raster.currentLayer()
    panel._stop()
    panel.raster.setLayer(None)
    QgsProject.instance().removeMapLayer(panel.pixels._shown)
    assert not panel.pixels.map
    panel.raster.setLayer(layer)
    offer = panel.pixels.unsaved.offer
    assert offer is not None
    buttons = {b.text(): b for b in offer.findChildren(QPushButton)}
    buttons[wish].click()
    assert panel.pixels.unsaved.offer is None
    assert panel.pixels.modified == (wish == "Restore")
    if wish == "Restore":
        assert (shown(panel) == state).all()
    else:
        assert not list(qpath(class_path).glob("*concord-painting*"))
