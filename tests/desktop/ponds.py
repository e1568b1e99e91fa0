"""What the Annotate tests of the real desktop share: real ponds, a panel that takes prompts, hands.

The image is in EPSG:26914, the canvas in EPSG:3857 and the labels in EPSG:32614. QGIS's own
topology checker judges what the planar rule promises.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAction,
    QApplication,
    QTableWidgetItem,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the desktop knows the plugin, not the tests

from tests.real import annotator  # noqa: E402

DATA = (ROOT / os.environ.get("CONCORD_DATA", "../shared/data")).resolve()
IMAGE = "m_4709963_se_14_1_20160816.tif"
NONE, LEFT, RIGHT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
)
LONG = 120_000
HOLE = 100  # rows at the top of the image that hold no data in the tests' copy

REAL = pytest.mark.skipif(
    not DATA.is_dir() and os.environ.get("CI") != "true", reason=f"no real data in {DATA}"
)


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> str:
    """naip-nd with a strip without data at the top."""
    path = str(tmp_path_factory.mktemp("ponds") / "ponds.tif")
    copy = gdal.GetDriverByName("GTiff").CreateCopy(path, gdal.Open(str(DATA / "naip-nd" / IMAGE)))
    for number in range(1, copy.RasterCount + 1):
        copy.GetRasterBand(number).SetNoDataValue(0)
        copy.GetRasterBand(number).SetDescription(("red", "green", "blue", "nir")[number - 1])
        copy.GetRasterBand(number).WriteArray(np.zeros((HOLE, copy.RasterXSize), np.uint8))
    copy = None  # closes the file
    return path


@pytest.fixture(scope="session")
def ponds(scene) -> list:
    """Round water bodies, the most compact first."""
    found = annotator.ponds(scene, 200, 3000)
    found = [p for p in found if p.row > HOLE + 20]

    def compact(pond) -> float:
        rows, cols = np.nonzero(pond.mask)
        return pond.mask.sum() / ((np.ptp(rows) + 1) * (np.ptp(cols) + 1))

    return sorted(found, key=compact, reverse=True)


@pytest.fixture
def prompting(plugin, iface, qtbot, scene, tmp_path, new_project):
    """The Annotate panel taking prompts; three CRSs."""
    image = QgsRasterLayer(scene, "ponds")
    QgsProject.instance().addMapLayer(image)
    canvas = iface.mapCanvas()
    plugin.show_panel("annotate")
    panel = plugin.panels["annotate"]
    panel.destination.kind.setCurrentIndex(0)
    panel.image.setLayer(image)
    panel.model.reload("regions")
    panel.classes.schemes.reload("concord-sample")
    index = panel.composite.findData("nir;red;green")
    panel.composite.setCurrentIndex(index)
    from concord.plugin.bridge import labels, layers

    crs = QgsCoordinateReferenceSystem("EPSG:32614")
    layer = labels.create_label_layer(tmp_path / "labels.gpkg", crs, "labels")
    layers.style_labels(layer, panel.classes.scheme())
    layers.add_layer(layer, QgsProject.instance())
    panel.labels.setLayer(layer)
    qtbot.wait(200)  # QGIS sets the project's CRS a moment after the first layer came
    QgsProject.instance().setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    qtbot.waitUntil(lambda: panel.start_button.isEnabled(), timeout=10_000)
    panel.start_button.click()
    assert canvas.mapTool() is panel.tool
    yield panel
    set_rule(panel, "allow", False)
    panel._stop()
    layer.rollBack()
    for other in plugin.panels.values():
        other.hide()
    plugin.action.setChecked(False)


def set_rule(panel, overlap: str, planar: bool, gap: float = 2.0) -> None:
    box = panel.finish
    box.overlap.setCurrentIndex(box.overlap.findData(overlap))
    box.planar.setChecked(planar)
    box.gap.setValue(gap if planar else 0)


def moved(geometry, source: str, target: str) -> QgsGeometry:
    crs = [QgsCoordinateReferenceSystem(text) for text in (source, target)]
    shape = QgsGeometry(geometry)
    shape.transform(QgsCoordinateTransform(*crs, QgsProject.instance()))
    return shape


def on_map(scene, col: float, row: float) -> QgsPointXY:
    """A pixel of the image on the canvas."""
    from concord.plugin.engine import rasters

    place = QgsGeometry.fromPointXY(QgsPointXY(*rasters.info(scene).grid.xy(col, row)))
    return moved(place, "EPSG:26914", "EPSG:3857").asPoint()


def middle(scene, pond) -> QgsPointXY:
    return on_map(scene, *pond.inside(*annotator.innermost(pond.mask)))


def spot(canvas, point) -> QPoint:
    place = canvas.getCoordinateTransform().transform(point)
    return QPoint(round(place.x()), round(place.y()))


def zoom_to(canvas, qtbot, point, width: float):
    canvas.setCenter(point)
    canvas.zoomScale(canvas.scale() * width / canvas.extent().width())
    qtbot.waitUntil(lambda: not canvas.isDrawing(), timeout=LONG)


def click(panel, qtbot, point, button=LEFT):
    QTest.mouseClick(panel._canvas.viewport(), button, NONE, spot(panel._canvas, point))
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=LONG)


def drag(canvas, start, end, button=LEFT):
    view, a, b = canvas.viewport(), spot(canvas, start), spot(canvas, end)
    QTest.mousePress(view, button, NONE, a)
    for step in range(1, 9):
        QTest.mouseMove(view, a + (b - a) * step / 8)
    QTest.mouseRelease(view, button, NONE, b)


def shifted(point, dx: float, dy: float) -> QgsPointXY:
    return QgsPointXY(point.x() + dx, point.y() + dy)


def picture(iface, qtbot, canvas, name: str) -> None:
    qtbot.waitUntil(lambda: not canvas.isDrawing(), timeout=LONG)
    folder = ROOT / "out" / "annotate"
    folder.mkdir(parents=True, exist_ok=True)
    qtbot.wait(1000)  # what was just written is drawn a moment later
    qtbot.waitUntil(lambda: not canvas.isDrawing(), timeout=LONG)
    assert iface.mainWindow().grab().save(str(folder / f"{name}.png"))


def overlap_with(scene, geometry, pond) -> float:
    """IoU of a label (EPSG:32614) with the true pond."""
    import json

    from concord.plugin.engine import rasters

    shape = moved(geometry, "EPSG:32614", "EPSG:26914")
    drawn = rasters.burn([(json.loads(shape.asJson(9)), 1)], rasters.info(scene).grid).astype(bool)
    truth = np.zeros(drawn.shape, bool)
    height, width = pond.mask.shape
    truth[pond.row : pond.row + height, pond.col : pond.col + width] = pond.mask
    return annotator.overlap(drawn, truth)


def widgets(name: str) -> list:
    return [widget for widget in QApplication.allWidgets() if widget.objectName() == name]


def errors_of_topology_checker(iface, layer, desktop, qtbot) -> list:
    """What QGIS's topology checker finds in a label layer: overlaps, gaps, invalid geometries."""
    window = iface.mainWindow()
    (action,) = [a for a in window.findChildren(QAction) if a.text() == "Topology Checker"]
    if not widgets("mRulesTable"):  # its dialog belongs to no window
        action.trigger()
        desktop.settle()
    (table,) = widgets("mRulesTable")
    tests = ("must not overlap", "must not have gaps", "must not have invalid geometries")
    tests += ("must not have duplicates",)
    table.setRowCount(0)
    for number, test in enumerate(tests):
        table.insertRow(number)
        # Names of test and layers are shown; the checker goes by the ids beside them.
        for column, text in enumerate((test, layer.name(), "No layer", layer.id(), "No layer")):
            table.setItem(number, column, QTableWidgetItem(text))
    (dock,) = widgets("checkDock")
    actions = dock.findChildren(QAction)
    next(a for a in actions if "Validate All" in (a.text(), a.toolTip())).trigger()
    desktop.settle()
    (view,) = widgets("mErrorTableView")
    model = view.model()
    dock.hide()
    return [
        " ".join(str(model.index(row, col).data()) for col in range(3))
        for row in range(model.rowCount())
    ]


def rings_of(polygon) -> list:
    return [QgsGeometry.fromPolygonXY([ring]) for ring in polygon.asPolygon()[1:]]


def box_of(grid) -> str:
    left, bottom, right, top = grid.bounds
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    return "Polygon ((" + ",".join(f"{x} {y}" for x, y in corners) + "))"


def press(panel, name: str) -> None:
    panel.touch.buttons[name].click()
    QApplication.processEvents()


def line(canvas, *points) -> None:
    """Left clicks along a line, ended by a right click."""
    for point in points:
        QTest.mouseMove(canvas.viewport(), spot(canvas, point))
        QTest.mouseClick(canvas.viewport(), LEFT, NONE, spot(canvas, point))
    QTest.mouseClick(canvas.viewport(), RIGHT, NONE, spot(canvas, points[-1]))
    QApplication.processEvents()
