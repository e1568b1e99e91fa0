"""Fixtures of the tests that run inside the real QGIS desktop (see scripts/drive_tests.py)."""

from __future__ import annotations

import pytest
import qgis.utils
from ponds import ponds, prompting, scene  # noqa: F401 (fixtures)
from qgis.core import Qgis, QgsApplication, QgsProject
from qgis.PyQt.QtCore import QCoreApplication, QEvent
from qgis.PyQt.QtWidgets import QApplication

NAME = "concord"
SOURCES = ("Python", "Python error", "Python warning", "Plugins", "Concord")


class Desktop:
    """What the plugin manager does with the plugin."""

    @staticmethod
    def settle() -> None:
        """Let queued events and deleteLater() take effect."""
        for _ in range(3):
            QApplication.sendPostedEvents()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QApplication.processEvents()

    @property
    def plugin(self):
        """The loaded plugin, None when it is not."""
        return qgis.utils.plugins.get(NAME)

    def load(self):
        """Load and start the plugin; QGIS's own log says why it could not."""
        assert qgis.utils.loadPlugin(NAME), "QGIS could not load the plugin"
        assert qgis.utils.startPlugin(NAME), "QGIS could not start the plugin"
        self.settle()
        return self.plugin

    def unload(self) -> None:
        """Unload the plugin."""
        assert qgis.utils.unloadPlugin(NAME), "QGIS could not unload the plugin"
        self.settle()


@pytest.fixture
def desktop() -> Desktop:
    """The plugin manager's part; the plugin is loaded again after the test."""
    yield Desktop()
    if Desktop().plugin is None:
        Desktop().load()


@pytest.fixture
def iface():
    """The real interface of the running desktop."""
    return qgis.utils.iface


@pytest.fixture
def plugin(desktop):
    """The plugin, loaded and started."""
    return desktop.plugin or desktop.load()


@pytest.fixture
def new_project(iface):
    """An empty project; emptied again afterwards."""
    iface.newProject(False)
    Desktop.settle()
    yield QgsProject.instance()
    iface.newProject(False)
    Desktop.settle()


@pytest.fixture
def python_errors():
    """Warnings and errors that Python code writes to QGIS's message log during the test."""
    found: list[str] = []

    def collect(message: str, tag: str, level) -> None:
        bad = level in (Qgis.MessageLevel.Warning, Qgis.MessageLevel.Critical)
        if bad and tag in SOURCES and "DeprecationWarning" not in message:
            found.append(f"{tag}: {message}")

    log = QgsApplication.messageLog()
    log.messageReceived.connect(collect)
    yield found
    log.messageReceived.disconnect(collect)
