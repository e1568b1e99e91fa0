"""A hundred prompts in the real desktop on real aerial imagery, with the clock running.

A 10 ms timer of the main thread tells how long it was ever held.
"""

from __future__ import annotations

import gc
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
        self.worked: list[float] = []  # CPU time of the main thread between two ticks
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._last, self._cpu = time.perf_counter(), time.thread_time()
        self.swept: list[float] = []  # passes of Python's collector over all objects of QGIS
        self._sweep = 0.0
        gc.callbacks.append(self._collector)
        self._timer.start(10)

    def _collector(self, phase, info):
        if info["generation"] == 2 and phase == "start":
            self._sweep = time.perf_counter()
        elif info["generation"] == 2:
            self.swept.append((time.perf_counter() - self._sweep) * 1000)

    def _tick(self):
        now = time.perf_counter()
        self.late.append((now - self._last) * 1000 - 10)
        cpu = time.thread_time()
        self.worked.append((cpu - self._cpu) * 1000)
        self._last, self._cpu = now, cpu

    def stop(self) -> float:
        self._timer.stop()
        gc.callbacks.remove(self._collector)
        return max(self.late)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    return annotator.mosaic(DATA / "fair-uganda", tmp_path_factory.mktemp("u") / "uganda.tif")


@pytest.fixture(scope="module")
def targets(mosaic):
    """Places on buildings."""
    return things(mosaic)


@pytest.fixture
def opening():
    """Takes a pulse that starts before image and model are opened."""
    return []


@pytest.fixture
def prompting(plugin, iface, qtbot, mosaic, tmp_path, new_project, opening):
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
    opening.append(Pulse())
    panel.start_button.click()
    assert canvas.mapTool() is panel.tool
    yield panel
    if canvas.mapTool() is panel.tool:
        panel._stop()
    layer.rollBack()
    for other in plugin.panels.values():
        other.hide()
    plugin.action.setChecked(False)


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


def picture(iface, qtbot, canvas, name: str) -> None:
    """One picture of the window into out/annotate."""
    qtbot.waitUntil(lambda: not canvas.isDrawing(), timeout=LONG)
    folder = ROOT / "out" / "annotate"
    folder.mkdir(parents=True, exist_ok=True)
    iface.messageBar().clearWidgets()
    qtbot.wait(300)
    assert iface.mainWindow().grab().save(str(folder / f"{name}.png"))


def test_a_sequence_in_pictures(prompting, qtbot, iface, mosaic):
    """Prepared, previewed, proposed, corrected, accepted, similar ones found and accepted."""
    panel, canvas = prompting, prompting._canvas
    session, spots = panel.session, things(mosaic)
    zoom_to(canvas, qtbot, spots[8], 60)
    session.prepare()
    qtbot.waitUntil(lambda: session.runner.idle and not session._idle.isActive(), timeout=LONG)
    session.hover(spots[8])
    qtbot.waitUntil(lambda: session.marks.previewed, timeout=LONG)
    picture(iface, qtbot, canvas, "1-preview")
    QTest.mouseClick(canvas.viewport(), LEFT, NONE, spot(canvas, spots[8]))
    answered(panel, qtbot)
    picture(iface, qtbot, canvas, "2-proposal")
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    QTest.keyClick(canvas, Qt.Key.Key_Minus)
    answered(panel, qtbot)
    picture(iface, qtbot, canvas, "3-candidate-smaller")
    panel.finish.right_angles.setChecked(True)
    QTest.keyClick(canvas, Qt.Key.Key_5)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    panel.finish.right_angles.setChecked(False)
    assert panel.labels.currentLayer().featureCount() == 1
    picture(iface, qtbot, canvas, "4-accepted")
    QTest.keyClick(canvas, Qt.Key.Key_F)
    answered(panel, qtbot)
    picture(iface, qtbot, canvas, "5-similar")


def test_closing_the_panel_ends_prompting(prompting, iface, desktop):
    canvas = prompting._canvas
    prompting.setVisible(False)
    desktop.settle()
    assert canvas.mapTool() is not prompting.tool
    prompting.setVisible(True)
    prompting.start_button.click()
    assert canvas.mapTool() is prompting.tool
    prompting.close()
    desktop.settle()
    assert canvas.mapTool() is not prompting.tool and not prompting.start_button.isChecked()
    prompting.setVisible(True)


def test_another_tab_in_front_does_not_end_prompting(prompting, plugin, desktop):
    for panel in plugin.panels.values():  # one behind the other
        panel.show()
    plugin.show_panel("annotate")
    desktop.settle()
    if prompting._canvas.mapTool() is not prompting.tool:
        prompting.start_button.click()
    plugin.show_panel("models")
    desktop.settle()
    assert prompting._canvas.mapTool() is prompting.tool
    plugin.show_panel("annotate")


@pytest.mark.parametrize("model", ["regions", "concord-prompt", "standin-click"])
def test_a_hundred_prompts(prompting, qtbot, iface, targets, opening, model):
    panel, canvas = prompting, prompting._canvas
    if model == "standin-click":
        panel.model.add(str(DATA / "models" / model))
    else:
        panel.model.reload(model)
    spots = targets
    panel.session.prepare(at_once=True)
    zoom_to(canvas, qtbot, spots[0])
    qtbot.waitUntil(lambda: panel.session.runner.idle, timeout=LONG)
    opened = opening[0].stop()  # with all that Python imports for image and model, once
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
        "opening_held_ms": round(opened, 1),
        "main_thread_cpu_ms": round(max(pulse.worked), 1),
        "opening_collector_ms": [round(took, 1) for took in opening[0].swept],
        "collector_ms": [round(took, 1) for took in pulse.swept],
        "load": round(os.getloadavg()[0], 1),
        "late_p99_ms": round(float(np.percentile(pulse.late, 99)), 1),
        "click_to_mask_median_ms": round(1000 * float(np.median(first)), 1),
    }
    out = ROOT / ".build" / f"annotate-{model}.json"
    out.write_text(json.dumps(figures) + "\n")
    iface.mainWindow().grab().save(str(ROOT / ".build" / f"annotate-{model}.png"))
    # The clock of a machine shared with other runs is no measure; what the main thread itself did
    # in one go is, and the clock where the machine has cores to spare. Something that QGIS or
    # Python does once may take longer (72 ms in one of five runs); a second time is a fault.
    assert sorted(pulse.worked)[-2] < 50 and max(pulse.worked) < 150, figures
    if os.getloadavg()[0] < os.cpu_count():
        assert held < 150, figures
