"""The plugin in the real desktop: its button, its menu and its five docks."""

from __future__ import annotations

import pytest
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDialog, QDockWidget, QToolBar

KEYS = ("scene", "annotate", "refine", "models", "campaign")


@pytest.fixture
def shown(plugin, iface, qtbot):
    """The plugin with its panels shown by the toolbar action."""
    if not plugin.action.isChecked():
        plugin.action.trigger()
    qtbot.waitUntil(lambda: any(panel.isVisible() for panel in plugin.panels.values()))
    yield plugin
    if plugin.action is not None and plugin.action.isChecked():
        plugin.action.trigger()


def test_interface_is_the_real_one(iface):
    assert type(iface).__module__ == "qgis._gui"


def test_provider_is_registered(plugin):
    provider = QgsApplication.processingRegistry().providerById("concord")
    assert provider is not None
    assert len(provider.algorithms()) >= 8
    assert not provider.icon().isNull()


def test_toolbar_shows_the_action(plugin, iface, qtbot):
    bars = [
        bar for bar in iface.mainWindow().findChildren(QToolBar) if plugin.action in bar.actions()
    ]
    assert bars
    qtbot.waitUntil(bars[0].isVisible)
    assert not plugin.action.icon().isNull()
    assert plugin.action.toolTip()


def test_menu_lists_every_panel(plugin, iface):
    menus = [a.menu() for a in iface.pluginMenu().actions() if a.menu() and "Concord" in a.text()]
    assert len(menus) == 1
    assert len(menus[0].actions()) >= len(KEYS)


def test_action_shows_five_docks_tabbed_on_the_right(shown, iface):
    window = iface.mainWindow()
    assert tuple(shown.panels) == KEYS
    for key, panel in shown.panels.items():
        assert isinstance(panel, QDockWidget)
        assert panel.objectName() == f"Concord{key.capitalize()}Panel"
        assert window.findChild(QDockWidget, panel.objectName()) is panel
        assert window.dockWidgetArea(panel) == Qt.DockWidgetArea.RightDockWidgetArea
        assert not panel.isHidden()
    first = shown.panels["scene"]
    tabbed = {dock.objectName() for dock in window.tabifiedDockWidgets(first)}
    assert {panel.objectName() for panel in shown.panels.values()} - {first.objectName()} <= tabbed


@pytest.mark.parametrize("key", KEYS)
def test_each_panel_can_be_raised_and_fits(shown, key, qtbot, iface):
    panel = shown.panels[key]
    shown.show_panel(key)
    qtbot.waitUntil(lambda: panel.isVisible() and not panel.visibleRegion().isEmpty())
    assert panel.width() < iface.mainWindow().width() / 2
    assert iface.mapCanvas().width() > 400
    assert panel.windowTitle()


def test_action_hides_the_docks_again(plugin, shown, desktop):
    shown.action.trigger()
    desktop.settle()
    assert all(panel.isHidden() for panel in shown.panels.values())
    assert not shown.action.isChecked()


@pytest.mark.parametrize("name", ["importchips", "pointchips", "parceltable"])
def test_algorithms_without_a_form_open_in_their_own_dialog(shown, qtbot, name):
    from concord.plugin.gui import tools

    dialog = tools.open_dialog(f"concord:{name}")
    qtbot.waitUntil(dialog.isVisible)
    assert dialog.windowTitle()
    dialog.close()


def test_stac_is_searched_with_the_client_of_a_qgis_that_has_one(shown, iface, qtbot):
    import qgis.core

    inputs = shown.panels["scene"].inputs
    inputs.fill_menu()
    found = [action for action in inputs.menu.actions() if "STAC with QGIS" in action.text()]
    assert bool(found) == hasattr(qgis.core, "QgsStacConnection")
    if not found:
        return
    found[0].trigger()

    def dialogs():
        every = iface.mainWindow().findChildren(QDialog)
        return [d for d in every if "DataSourceManager" in d.metaObject().className()]

    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in dialogs()))
    for dialog in dialogs():
        dialog.close()
