"""Votes side by side: one map a vote in a dock, all showing the same place as the main map.

QGIS's own additional map views (`iface.createNewMapCanvas`) are not used: each floats in a window
of its own, follows the layer tree, and is saved into the project with the names it must not tell.
"""

from __future__ import annotations

from qgis.core import QgsProject
from qgis.gui import QgsDockWidget, QgsMapCanvas, QgsMapToolPan, QgsOpacityWidget, QgsVertexMarker
from qgis.PyQt import sip
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from ..bridge.text import tr
from .widgets import side_by_side

OBJECT_NAME = "ConcordVotes"
ACROSS = 3  # maps in one row


class _View(QWidget):
    """One vote over the imagery, under its letter or name."""

    def __init__(self, main: QgsMapCanvas, title: str, layers: list):
        super().__init__()
        self.title = QLabel(title)
        self.title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.canvas = QgsMapCanvas()
        self.canvas.setAccessibleName(title)
        self.canvas.setCanvasColor(main.canvasColor())
        self.canvas.setDestinationCrs(main.mapSettings().destinationCrs())
        self.canvas.setLayers(layers)
        self.canvas.setMinimumSize(140, 110)
        self._pan = QgsMapToolPan(self.canvas)
        self.canvas.setMapTool(self._pan)
        self.mark = QgsVertexMarker(self.canvas)
        self.mark.setColor(QColor("#ff2d95"))
        self.mark.setIconType(QgsVertexMarker.IconType.ICON_CROSS)
        self.mark.setPenWidth(2)
        self.mark.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.canvas, 1)


class VoteViews:
    """Opens and closes the dock; it leaves nothing behind."""

    def __init__(self, iface):
        self._iface = iface
        self._main = iface.mapCanvas()
        self.dock: QgsDockWidget | None = None
        self.views: list = []
        self._votes: list = []
        self._moving = False

    def show(self, title: str, votes: list, below: list) -> None:
        """Show vote layers, each in a map of its own, over the layers `below`."""
        self.close()
        self._votes = list(votes)
        self.views = [_View(self._main, layer.name(), [layer, *below]) for layer in votes]
        if not self.views:
            return
        self.dock = QgsDockWidget(title, self._iface.mainWindow())
        self.dock.setObjectName(OBJECT_NAME)
        self.dock.setWidget(self._laid_out())
        self.dock.closed.connect(self.close)
        QgsProject.instance().layersWillBeRemoved.connect(self._leaving)
        self._main.extentsChanged.connect(self._follow)
        for view in self.views:
            view.canvas.extentsChanged.connect(self._lead)
            view.canvas.xyCoordinates.connect(self._point)
        self._iface.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.dock.show()
        self._follow()

    def _laid_out(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        grid = QGridLayout()
        for place, view in enumerate(self.views):
            grid.addWidget(view, place // ACROSS, place % ACROSS)
        column.addLayout(grid, 1)
        opacity = QgsOpacityWidget()
        opacity.setToolTip(tr("How strongly the votes cover the image; 0 shows the image alone"))
        opacity.opacityChanged.connect(self._cover)
        column.addWidget(side_by_side(QLabel(tr("Votes over the image")), opacity, stretch=1))
        return whole

    def _cover(self, share: float) -> None:
        for layer in self._votes:
            if not sip.isdeleted(layer):
                layer.setOpacity(share)
                layer.triggerRepaint()

    def _lead(self) -> None:
        """A view was moved by hand: the main map and the other views go along."""
        # A view also changes its extent when it is resized; nobody wants the map to move then.
        moved = next((v.canvas for v in self.views if v.canvas.underMouse()), None)
        if self._moving or moved is None:
            return
        self._moving = True
        self._main.setExtent(moved.extent())
        self._main.refresh()
        self._go(moved.extent(), moved)
        self._moving = False

    def _follow(self) -> None:
        """The main map was moved."""
        if not self._moving:
            self._moving = True
            self._go(self._main.extent())
            self._moving = False

    def _go(self, extent, apart=None) -> None:
        for view in self.views:
            if view.canvas is not apart:
                view.canvas.setDestinationCrs(self._main.mapSettings().destinationCrs())
                view.canvas.setExtent(extent)
                view.canvas.refresh()

    def _point(self, place) -> None:
        """The mouse is marked at the same place in every view."""
        for view in self.views:
            view.mark.setCenter(place)
            view.mark.show()

    def _leaving(self, ids: list) -> None:
        """A vote is taken out of the project, or the project is closed."""
        if any(layer.id() in ids for layer in self._votes if not sip.isdeleted(layer)):
            self.close()

    def _rest(self) -> None:
        """The views stop drawing and listening."""
        if self.views:
            self._main.extentsChanged.disconnect(self._follow)
            QgsProject.instance().layersWillBeRemoved.disconnect(self._leaving)
        for view in self.views:
            view.canvas.stopRendering()
            view.canvas.extentsChanged.disconnect(self._lead)
            view.canvas.xyCoordinates.disconnect(self._point)
            view.canvas.setLayers([])
        self.views, self._votes = [], []

    def close(self) -> None:
        """Take the dock away; also when the user closes it."""
        self._rest()
        dock, self.dock = self.dock, None
        if dock is not None and not sip.isdeleted(dock):
            self._iface.removeDockWidget(dock)
            dock.deleteLater()
