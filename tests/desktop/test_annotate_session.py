"""A hundred prompts in the real desktop on real aerial imagery, with the clock running.

A 10 ms timer of the main thread tells how long it was ever held.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsPointXY, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QPoint, Qt, QTimer
from qgis.PyQt.QtTest import QTest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the desktop knows the plugin, not the tests

from tests.real import annotator  # noqa: E402

DATA = (ROOT / os.environ.get("CONCORD_DATA", "../shared/data")).resolve()
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
PROMPTS = 100
LONG = 120_000

pytestmark = pytest.mark.skipif(
    not DATA.is_dir() and os.environ.get("CI") != "true", reason=f"no real data in {DATA}"
)


class Pulse:
    """How late a 10 ms timer of the main thread ever came, in milliseconds."""

    def __init__(self):
        self.late: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._last = time.perf_counter()
        self._timer.start(10)

    def _tick(self):
        now = time.perf_counter()
        self.late.append((now - self._last) * 1000 - 10)
        self._last = now

    def stop(self) -> float:
        self._timer.stop()
        return max(self.late)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    return annotator.mosaic(DATA / "fair-uganda", tmp_path_factory.mktemp("u") / "uganda.tif")


@pytest.fixture
def prompting(plugin, iface, qtbot, mosaic, tmp_path, new_project):
    """The Annotate panel taking prompts on the mosaic, with an empty label layer in UTM."""
    image = QgsRasterLayer(mosaic, "uganda")
    QgsProject.instance().addMapLayer(image)
    canvas = iface.mapCanvas()
    plugin.show_panel("annotate")
    panel = plugin.panels["annotate"]
    panel.image.setLayer(image)
    panel.model.reload("regions")
    panel.classes.schemes.reload("concord-sample")
    from concord.plugin.bridge import labels, layers

    crs = QgsCoordinateReferenceSystem("EPSG:32636")  # not the canvas's and not the image's
    layer = labels.create_label_layer(tmp_path / "labels.gpkg", crs, "labels")
    layers.add_layer(layer, QgsProject.instance())
    panel.labels.setLayer(layer)
    qtbot.wait(200)  # QGIS sets the project's CRS a moment after the first layer came
    QgsProject.instance().setCrs(image.crs())
    canvas.setExtent(image.extent())
    qtbot.waitUntil(lambda: panel.start_button.isEnabled(), timeout=10_000)
    panel.start_button.click()
    assert canvas.mapTool() is panel.tool
    yield panel
    panel._stop()
    layer.rollBack()


def spot(canvas, point) -> QPoint:
    place = canvas.getCoordinateTransform().transform(point)
    return QPoint(round(place.x()), round(place.y()))


def things(mosaic) -> list:
    from concord.plugin.engine import rasters

    grid = rasters.info(mosaic).grid
    found = annotator.buildings(DATA / "fair-uganda", grid)
    return [
        QgsPointXY(*grid.xy(*thing.inside(*annotator.innermost(thing.mask)))) for thing in found
    ]


def answered(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=LONG)


def zoom_to(canvas, qtbot, point, width=250):
    """A view of `width` map units around a point, drawn to its end."""
    canvas.setCenter(point)
    canvas.zoomScale(canvas.scale() * width / canvas.extent().width())
    qtbot.waitUntil(lambda: not canvas.isDrawing(), timeout=LONG)


@pytest.mark.parametrize("model", ["regions", "standin-click"])
def test_a_hundred_prompts(prompting, qtbot, iface, mosaic, model):
    panel, canvas = prompting, prompting._canvas
    if model != "regions":
        path = str(DATA / "models" / model)
        panel.model.add(path)
    spots = things(mosaic)
    zoom_to(canvas, qtbot, spots[0])
    warm, first, layer = [], [], panel.labels.currentLayer()
    panel.session.answered.connect(lambda seconds: warm.append(seconds))
    said = []
    panel.session.failed.connect(said.append)
    pulse, done, accepted = Pulse(), 0, 0
    while done < PROMPTS:
        point = spots[done % len(spots)]
        if not canvas.extent().contains(point):
            zoom_to(canvas, qtbot, point)
        warm.clear()
        QTest.mouseClick(canvas.viewport(), LEFT, NONE, spot(canvas, point))
        answered(panel, qtbot)
        first += warm
        if done % 2:
            QTest.mouseClick(canvas.viewport(), LEFT, NONE, spot(canvas, point) + QPoint(4, 3))
            answered(panel, qtbot)
        if panel.session.chosen is not None:
            QTest.keyClick(canvas, Qt.Key.Key_Return)
            accepted += 1
        else:
            QTest.keyClick(canvas, Qt.Key.Key_Escape)
        done += 1
    held = pulse.stop()
    assert layer.featureCount() == accepted and accepted > 80, said[:3]
    assert layer.undoStack().count() == accepted
    for _ in range(accepted):
        layer.undoStack().undo()
    assert layer.featureCount() == 0
    layer.undoStack().redo()
    assert layer.featureCount() == 1
    figures = {
        "model": model,
        "prompts": done,
        "accepted": accepted,
        "held_ms": round(held, 1),
        "late_p99_ms": round(float(np.percentile(pulse.late, 99)), 1),
        "click_to_mask_median_ms": round(1000 * float(np.median(first)), 1),
    }
    out = ROOT / ".build" / f"annotate-{model}.json"
    out.write_text(json.dumps(figures) + "\n")
    iface.mainWindow().grab().save(str(ROOT / ".build" / f"annotate-{model}.png"))
    assert held < 250, figures
