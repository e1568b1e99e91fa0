"""Given to `qgis --code` by desktop.py: once the main window stands, run a driver, report, quit.

CONCORD_DRIVE names a module of this folder with a function `drive() -> int` (0 is good).
Whatever goes wrong in it is reported; QGIS itself would open a dialog and wait for a click.
"""

import importlib
import json
import os
import traceback

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QTimer
from qgis.utils import iface


def when_ready(tries=100):
    """Wait, at most 20 s, until the window is shown; its plugins are loaded by then."""
    if tries and not iface.mainWindow().isVisible():
        QTimer.singleShot(200, lambda: when_ready(tries - 1))
    else:
        QTimer.singleShot(300, run)


def run():
    """Run the driver in an empty project in a window as large as the screen."""
    report = {"status": 1}
    try:
        iface.mainWindow().setGeometry(QgsApplication.primaryScreen().geometry())
        iface.newProject(False)
        report["status"] = importlib.import_module(os.environ["CONCORD_DRIVE"]).drive()
    except Exception:
        report["error"] = traceback.format_exc()
    with open(os.environ["CONCORD_STATUS"], "w", encoding="utf-8") as file:
        json.dump(report, file)
    iface.newProject(False)
    QTimer.singleShot(200, QgsApplication.instance().quit)


QTimer.singleShot(0, when_ready)
