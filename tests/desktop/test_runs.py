"""Runs in the real desktop: bad news reaches the message bar."""

from __future__ import annotations

from qgis.core import Qgis, QgsApplication


def levels(iface) -> list:
    return [item.level() for item in iface.messageBar().items()]


def test_failing_run_shows_one_sentence(plugin, iface, qtbot, tmp_path, new_project):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0" + b"\0" * 60)
    iface.messageBar().clearWidgets()
    panel = plugin.panels["scene"]
    plugin.show_panel("scene")
    panel.files.setFilePath(str(broken))
    panel.load()
    qtbot.waitUntil(lambda: Qgis.MessageLevel.Critical in levels(iface), timeout=30000)
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=30000)
    item = next(i for i in iface.messageBar().items() if i.level() == Qgis.MessageLevel.Critical)
    assert "broken.tif" in item.text()
    assert "Traceback" not in item.text()
    assert new_project.mapLayers() == {}
    iface.messageBar().clearWidgets()


def test_unload_during_a_run(plugin, desktop, iface, qtbot, python_errors, new_project):
    panel = plugin.panels["scene"]
    panel.load_sample()
    qtbot.waitUntil(lambda: panel.runner.busy, timeout=10000)
    desktop.unload()
    manager = QgsApplication.taskManager()
    qtbot.waitUntil(lambda: manager.countActiveTasks() == 0, timeout=60000)
    desktop.settle()
    assert python_errors == []
