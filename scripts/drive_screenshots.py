"""Driver for in_desktop.py: loads the sample scene as a user would and pictures every panel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import qgis.utils
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.utils import iface

PATIENCE = 120  # seconds for making and loading the sample scene


def wait(seconds: float) -> None:
    """Let the desktop work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Let the desktop work until a condition holds; TimeoutError names what did not come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"Not within {PATIENCE} s: {what}")
        wait(0.1)


def quiet(plugin) -> bool:
    """True when no run is under way and the map is drawn."""
    busy = any(panel.runner.busy for panel in plugin.panels.values())
    return not (
        busy or QgsApplication.taskManager().countActiveTasks() or iface.mapCanvas().isDrawing()
    )


def drive() -> int:
    """Grab the main window once for every panel; the status, 0 is good."""
    folder, suffix = Path(os.environ["CONCORD_SHOTS"]), os.environ["CONCORD_SHOTS_SUFFIX"]
    plugin = qgis.utils.plugins["concord"]
    plugin.action.trigger()
    plugin.show_panel("scene")
    wait(0.5)
    plugin.panels["scene"].load_sample()
    wait_until(lambda: len(QgsProject.instance().mapLayers()) > 1, "the layers of the sample scene")
    wait_until(lambda: quiet(plugin), "the end of loading")
    for key in plugin.panels:
        plugin.show_panel(key)
        wait(0.7)
        wait_until(lambda: quiet(plugin), f"the map beside the panel {key}")
        iface.messageBar().clearWidgets()  # QGIS's own "Task complete" hides part of the map
        wait(0.2)
        path = folder / f"{key}{suffix}.png"
        if not iface.mainWindow().grab().save(str(path)):
            raise OSError(f"{path} could not be written; check the folder's rights and space.")
    return 0
