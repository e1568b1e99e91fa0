"""Unloading leaves nothing behind: no dock, action, menu, provider or handler that still fires."""

from __future__ import annotations

from collections import Counter

import qgis.utils
from qgis.core import QgsApplication, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QAction, QApplication, QDockWidget, QMenu, QToolBar, QWidget


def inventory(iface) -> Counter:
    """What hangs on the main window and in the registries, as (kind, name) with counts."""
    window = iface.mainWindow()
    found: Counter = Counter()
    for kind in (QDockWidget, QToolBar):
        found.update((kind.__name__, child.objectName()) for child in window.findChildren(kind))
    # QGIS itself keeps a plugin's emptied submenu in memory; what counts is what can be reached.
    actions = [action for action in window.findChildren(QAction) if action.associatedWidgets()]
    found.update(("QAction", action.objectName() or action.text()) for action in actions)
    entries = [entry.text() for entry in iface.pluginMenu().actions()]
    found.update(("plugin menu", text) for text in entries)
    providers = QgsApplication.processingRegistry().providers()
    found.update(("provider", provider.id()) for provider in providers)
    found.update(("map tool", type(tool).__name__) for tool in [iface.mapCanvas().mapTool()])
    return found


def ours(iface) -> list[str]:
    """Widgets, docks, tools and actions that Concord's code made or that carry its name."""
    objects = [
        *iface.mainWindow().findChildren(QObject),
        *iface.mapCanvas().scene().items(),
        *QApplication.topLevelWidgets(),
    ]
    found = [type(o).__name__ for o in objects if type(o).__module__.startswith("concord")]
    for child in objects:
        # QGIS itself keeps a plugin's emptied submenu in memory.
        if isinstance(child, QObject) and not isinstance(child, QMenu):
            if "concord" in child.objectName().lower():
                found.append(child.objectName())
    return found


def receivers(iface) -> dict[str, int]:
    """How many handlers hang on the signals of the project, the interface, canvas and log."""
    project, canvas = QgsProject.instance(), iface.mapCanvas()
    signals = {
        project: ["layersAdded", "layersRemoved", "layersWillBeRemoved", "layerWillBeRemoved",
                  "readProject", "writeProject", "cleared", "crsChanged", "projectSaved"],
        iface: ["currentLayerChanged", "projectRead", "newProjectCreated"],
        canvas: ["extentsChanged", "mapToolSet", "layersChanged", "destinationCrsChanged",
                 "keyPressed", "mapCanvasRefreshed"],
        project.layerTreeRoot(): ["visibilityChanged", "addedChildren", "removedChildren"],
        QgsApplication.processingRegistry(): ["providerAdded", "providerRemoved"],
        QgsApplication.taskManager(): ["taskAdded", "statusChanged", "allTasksFinished"],
    }  # fmt: skip
    counts = {}
    for source, names in signals.items():
        for name in names:
            try:
                counts[name] = source.receivers(getattr(source, name))
            except (RuntimeError, AttributeError):
                continue  # PyQt tells only of some objects that C++ made
    return counts


def exercise(desktop, iface) -> None:
    """Do what would reach handlers that were left connected."""
    project = QgsProject.instance()
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "probe", "memory")
    project.addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.mapCanvas().zoomByFactor(2)
    iface.actionPan().trigger()
    desktop.settle()
    project.removeMapLayer(layer.id())
    iface.newProject(False)
    desktop.settle()


def use(plugin, desktop, iface) -> None:
    """Show every panel and add a layer, so that handlers get connected."""
    if not plugin.action.isChecked():
        plugin.action.trigger()
    for key in plugin.panels:
        plugin.show_panel(key)
        desktop.settle()
    exercise(desktop, iface)


def test_unload_leaves_nothing(desktop, iface, plugin, python_errors, new_project):
    desktop.unload()
    exercise(desktop, iface)  # QGIS makes some of its own actions only when a layer comes
    before, heard = inventory(iface), receivers(iface)
    assert heard, "no signal could be counted; the test would prove nothing"
    assert ours(iface) == []
    use(desktop.load(), desktop, iface)
    assert inventory(iface) != before
    assert ours(iface)
    assert any(count > heard[name] for name, count in receivers(iface).items())
    desktop.unload()
    assert inventory(iface) - before == Counter()
    assert before - inventory(iface) == Counter()
    assert ours(iface) == []
    grown = {name: count for name, count in receivers(iface).items() if count > heard[name]}
    assert grown == {}
    assert python_errors == []


def test_no_handler_fires_after_unload(desktop, iface, plugin, python_errors, new_project):
    use(plugin, desktop, iface)
    desktop.unload()
    exercise(desktop, iface)
    assert python_errors == []


def test_reload_twice(desktop, iface, plugin, python_errors, new_project):
    found = []
    for _ in range(2):
        qgis.utils.reloadPlugin("concord")
        desktop.settle()
        assert desktop.plugin is not None, "the plugin is gone after a reload"
        use(desktop.plugin, desktop, iface)
        found.append(inventory(iface))
    assert found[0] == found[1]
    docks = iface.mainWindow().findChildren(QDockWidget)
    assert len([dock for dock in docks if dock.objectName().startswith("Concord")]) == 5
    assert python_errors == []


def test_unload_while_hidden_widgets_have_focus(desktop, iface, plugin, python_errors):
    plugin.show_panel("scene")
    plugin.panels["scene"].findChildren(QWidget)[0].setFocus()
    desktop.unload()
    exercise(desktop, iface)
    assert python_errors == []
