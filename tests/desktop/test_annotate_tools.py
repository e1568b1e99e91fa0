"""The touch-up tools and the class raster in the real desktop, with real clicks."""

from __future__ import annotations

import numpy as np
import pytest
from ponds import (
    LEFT,
    LONG,
    NONE,
    REAL,
    ROOT,
    click,
    drag,
    errors_of_topology_checker,
    line,
    middle,
    moved,
    on_map,
    picture,
    press,
    set_rule,
    shifted,
    spot,
    zoom_to,
)
from qgis.core import (
    QgsGeometry,
    QgsProject,
)
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QApplication,
    QDialogButtonBox,
    QPushButton,
    QScrollArea,
)

pytestmark = REAL


@pytest.fixture
def two_fields(prompting, qtbot, scene):
    """Two square labels side by side in the view, sharing an edge; (panel, layer, middle)."""
    from concord.plugin.bridge import labels

    panel, project = prompting, QgsProject.instance()
    layer, centre = panel.labels.currentLayer(), on_map(scene, 450, 400)
    for number, side in enumerate((-1, 0), 1):
        x = centre.x() + side * 200
        corners = [(x, -100), (x + 200, -100), (x + 200, 100), (x, 100), (x, -100)]
        ring = ",".join(f"{a} {centre.y() + b}" for a, b in corners)
        shape = moved(QgsGeometry.fromWkt(f"Polygon (({ring}))"), "EPSG:3857", "EPSG:32614")
        values = {"class": number, "source": "prompt", "object": number}
        labels.accept(layer, shape, layer.crs(), values, project.transformContext())
    labels.save(layer)
    zoom_to(panel._canvas, qtbot, centre, 900)
    return panel, layer, centre


def test_split_from_the_panel_keeps_neighbours_in_step(two_fields, iface, qtbot, desktop):
    panel, layer, centre = two_fields
    set_rule(panel, "cut_new", True)
    press(panel, "split")
    assert QgsProject.instance().topologicalEditing()
    line(
        panel._canvas, shifted(centre, -250, 20), shifted(centre, -100, 30), shifted(centre, 60, 35)
    )
    line(
        panel._canvas,
        shifted(centre, -250, -40),
        shifted(centre, 0, -40),
        shifted(centre, 250, -40),
    )
    assert layer.featureCount() >= 4
    assert {f["source"] for f in layer.getFeatures()} == {"prompt"}
    picture(iface, qtbot, panel._canvas, "8-split")
    press(panel, "brush")
    assert not QgsProject.instance().topologicalEditing(), "the project's own setting comes back"
    panel.save()
    found = errors_of_topology_checker(iface, layer, desktop, qtbot)
    assert not found


def test_reshape_from_the_panel_respects_the_rule(two_fields, iface, qtbot, desktop):
    panel, layer, centre = two_fields
    set_rule(panel, "cut_new", True)
    area = sum(f.geometry().area() for f in layer.getFeatures())
    press(panel, "reshape")
    # Over the outer edge of the left field.
    line(
        panel._canvas,
        shifted(centre, -150, 90),
        shifted(centre, -150, 140),
        shifted(centre, -60, 140),
        shifted(centre, -60, 90),
    )
    grown = sum(f.geometry().area() for f in layer.getFeatures())
    assert grown > area + 1000 and layer.featureCount() == 2
    panel.save()
    assert not errors_of_topology_checker(iface, layer, desktop, qtbot)


def test_merge_asks_for_labels_first_and_then_merges(two_fields, iface, qtbot):
    panel, layer, _centre = two_fields
    layer.removeSelection()
    press(panel, "merge")
    assert "Select two or more" in panel.status.text()
    layer.selectAll()

    def agree() -> None:
        dialog = QApplication.activeModalWidget()
        buttons = dialog.findChild(QDialogButtonBox)
        buttons.button(QDialogButtonBox.StandardButton.Ok).click()

    QTimer.singleShot(500, agree)
    press(panel, "merge")
    qtbot.waitUntil(lambda: layer.featureCount() == 1, timeout=10_000)
    layer.undoStack().undo()
    assert layer.featureCount() == 2


def cancelled(unsaved, asked: list, tries: int = 100) -> None:
    """Cancel the question about unsaved painting once it stands, with a picture of it.

    QGIS's own questions, about temporary layers and the project, are answered so that it goes on.
    """
    box = unsaved.question
    if box is not None and box.isVisible():
        folder = ROOT / "out" / "annotate"
        folder.mkdir(parents=True, exist_ok=True)
        box.grab().save(str(folder / "10-closing.png"))
        buttons = {b.text().replace("&", ""): b for b in box.buttons()}
        asked += sorted(buttons)
        buttons["Cancel"].click()
        return
    if tries:
        QTimer.singleShot(50, lambda: cancelled(unsaved, asked, tries - 1))
    own = QApplication.activeModalWidget()
    for button in own.findChildren(QPushButton) if own is not None else []:
        if button.text().replace("&", "") in ("Yes", "Discard"):
            button.click()
            return


@pytest.fixture
def class_map(scene, ponds, tmp_path) -> str:
    """Water where the ponds are, grass elsewhere."""
    from concord.plugin.engine import rasters

    grid = rasters.info(scene).grid
    codes = np.full((grid.height, grid.width), 4, np.uint8)
    for pond in ponds:
        height, width = pond.mask.shape
        codes[pond.row : pond.row + height, pond.col : pond.col + width][pond.mask] = 1
    rasters.write(tmp_path / "map.tif", codes, grid, nodata=0)
    return str(tmp_path / "map.tif")


def test_a_class_raster_is_painted_with_real_clicks(
    prompting, iface, qtbot, scene, ponds, class_map
):
    from concord.plugin.bridge import layers
    from concord.plugin.engine import rasters

    panel, canvas = prompting, prompting._canvas
    panel._stop()
    before = rasters.read(class_map)[0]
    layer = layers.add_raster(class_map, "map", "classes", QgsProject.instance())
    kind = panel.destination.kind
    kind.setCurrentIndex(kind.findData("pixels"))
    panel.raster.setLayer(layer)
    panel.touch.unit.setCurrentIndex(panel.touch.unit.findData("pixels"))
    panel.touch.size.setValue(30)
    point = middle(scene, ponds[0])
    zoom_to(canvas, qtbot, point, 1200)
    press(panel, "brush")
    painting = panel.pixels._painting
    QTest.keyClick(canvas, Qt.Key.Key_3)
    code = panel.classes.entry.code
    drag(canvas, shifted(point, -200, 0), shifted(point, 100, 60))
    stroke = painting.read(painting.grid.window)
    assert (stroke == code).sum() > 200 and painting.journal.place == 1
    press(panel, "fill")
    QTest.keyClick(canvas, Qt.Key.Key_2)
    QTest.mouseClick(canvas.viewport(), LEFT, NONE, spot(canvas, shifted(point, -200, 0)))
    now = painting.read(painting.grid.window)
    assert (now[stroke == code] == panel.classes.entry.code).all() and painting.journal.place == 2
    panel.widget().findChild(QScrollArea).ensureWidgetVisible(panel.touch)
    picture(iface, qtbot, canvas, "9-class-raster")
    shown = QgsProject.instance().mapLayer(panel.pixels._shown)
    shown.setOpacity(1)
    shown.triggerRepaint()

    def drawn() -> int:
        """Pixels of the canvas in the colour of the class that filled the stroke."""
        picture = canvas.grab().toImage()
        wanted = panel.classes.entry.colour.rgb()
        rows, cols = range(0, picture.height(), 2), range(0, picture.width(), 2)
        return sum(picture.pixel(col, row) == wanted for row in rows for col in cols)

    # The threads that draw had files open from the step before and went on showing it.
    qtbot.waitUntil(lambda: drawn() > 300, timeout=10_000)
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (painting.read(painting.grid.window) == stroke).all()
    QTest.keyClick(canvas, Qt.Key.Key_P)
    other = middle(scene, ponds[1])
    zoom_to(canvas, qtbot, other, 1200)
    click(panel, qtbot, other)
    QTest.keyClick(canvas, Qt.Key.Key_3)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert painting.journal.place == 2 and painting.journal.live[-1].told["title"] == "prompt"
    expected = painting.read(painting.grid.window)
    asked = []
    QTimer.singleShot(300, lambda: cancelled(panel.pixels.unsaved, asked))
    iface.actionExit().trigger()  # QGIS asks, and stays
    assert asked == ["Cancel", "Discard", "Keep for later", "Save"]
    assert iface.mainWindow().isVisible() and panel.pixels.modified
    panel.keep_button.click()
    qtbot.waitUntil(lambda: panel.raster.currentLayer().name() == "map painted", timeout=LONG)
    assert (rasters.read(panel.raster.currentLayer().source())[0] == expected).all()
    assert (rasters.read(class_map)[0] == before).all()
    kind.setCurrentIndex(kind.findData("polygons"))
