"""Wires Concord into QGIS: the provider, five panels, one button, one menu."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .bridge import settings
from .bridge.text import tr

ICON = Path(__file__).resolve().parents[1] / "resources" / "icons" / "concord.svg"
MENU = "Concord"


class ConcordPlugin:
    """What QGIS loads; `unload` leaves nothing behind."""

    def __init__(self, iface):
        self.iface = iface
        self.provider = None
        self.action = None
        self.panels = {}
        self._menu_actions = []
        self._arrange = True

    def initProcessing(self) -> None:  # noqa: N802 (QGIS's name)
        """Register the provider; `qgis_process` calls this and nothing else."""
        if self.provider is None:
            from .algorithms.provider import ConcordProvider

            self.provider = ConcordProvider()
            QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802
        """Add the provider, the hidden panels, the button and the menu."""
        self.initProcessing()
        icon = QIcon(str(ICON))
        self._add_panels()
        self.action = QAction(icon, "Concord", self.iface.mainWindow())
        self.action.setObjectName("ConcordAction")
        self.action.setCheckable(True)
        self.action.setToolTip(tr("Show or hide the Concord panels"))
        self.action.triggered.connect(self._show_panels)
        self.iface.addToolBarIcon(self.action)
        for panel in self.panels.values():
            entry = QAction(icon, panel.windowTitle(), self.iface.mainWindow())
            entry.triggered.connect(lambda _on=False, key=panel.KEY: self.show_panel(key))
            self.iface.addPluginToMenu(MENU, entry)
            self._menu_actions.append(entry)

    def unload(self) -> None:
        """Take everything out again; loading afterwards starts afresh."""
        for entry in self._menu_actions:
            entry.triggered.disconnect()
            self.iface.removePluginMenu(MENU, entry)
            entry.deleteLater()
        self._menu_actions = []
        if self.action is not None:
            self.action.triggered.disconnect(self._show_panels)
            self.iface.removeToolBarIcon(self.action)
            self.action.deleteLater()
            self.action = None
        for panel in self.panels.values():
            panel.closed.disconnect(self._panel_toggled)
            panel.opened.disconnect(self._panel_toggled)
            panel.release()
            self.iface.removeDockWidget(panel)
            panel.setObjectName("")  # it lives until the event loop turns; a reload is quicker
            panel.deleteLater()
        self.panels = {}
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None

    def _add_panels(self) -> None:
        from .gui.annotate import AnnotatePanel
        from .gui.campaign import CampaignPanel
        from .gui.models import ModelsPanel
        from .gui.refine import RefinePanel
        from .gui.scene import ScenePanel

        area = Qt.DockWidgetArea.RightDockWidgetArea
        window = self.iface.mainWindow()
        # QGIS restores the user's own arrangement when it starts, but not after a reload.
        self._arrange = window.isVisible() or not settings.value("arranged")
        for kind in (ScenePanel, AnnotatePanel, RefinePanel, ModelsPanel, CampaignPanel):
            panel = kind(self.iface, window)
            self.panels[kind.KEY] = panel
            self.iface.addDockWidget(area, panel)
            panel.hide()  # adding a dock shows it
            panel.closed.connect(self._panel_toggled)
            panel.opened.connect(self._panel_toggled)

    def show_panel(self, key: str) -> None:
        """Open one panel and bring its tab to the front."""
        self._tabify()
        self.panels[key].setUserVisible(True)

    def _show_panels(self, on: bool) -> None:
        if not on:
            for panel in self.panels.values():
                panel.hide()
            return
        self._tabify()
        for panel in self.panels.values():
            panel.show()
        self.show_panel("scene")

    def _tabify(self) -> None:
        """Put the panels behind one another, once; Qt forgets this for hidden docks."""
        if not self._arrange:
            return
        self._arrange = False
        window = self.iface.mainWindow()
        hidden = [panel for panel in self.panels.values() if panel.isHidden()]
        panels = list(self.panels.values())
        for panel in panels:
            panel.show()
        for panel in panels[1:]:
            window.tabifyDockWidget(panels[0], panel)
        # Wide enough for five tabs to show their names.
        width = panels[0].fontMetrics().averageCharWidth() * 68
        window.resizeDocks(panels[:1], [width], Qt.Orientation.Horizontal)
        for panel in hidden:
            panel.hide()
        settings.set_value("arranged", True)

    def _panel_toggled(self, *_) -> None:
        if self.action is not None:
            self.action.setChecked(any(not panel.isHidden() for panel in self.panels.values()))
