"""What the map shows during a review: the place, its outline, and before, after or the image."""

from __future__ import annotations

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsGeometry, QgsProject
from qgis.gui import QgsHighlight, QgsMapCanvas
from qgis.PyQt.QtGui import QColor

from .swipe import Swipe

_ROOM = 2.5  # how much wider than the proposal the map is shown
_PIXELS = 12  # of the map, that a proposal is taken to be wide at least
VIEWS = ("before", "after", "image")


class ReviewMap:
    """The canvas and the three layers that are shown in turn."""

    def __init__(self, canvas: QgsMapCanvas):
        self._canvas = canvas
        self._highlight = None
        self._swipe: Swipe | None = None
        self.view = ""
        self.maps: dict = {}  # view -> layer id

    def choose(self, before=None, after=None, image=None) -> None:
        """Which layers `flip` shows in turn; None for those that there are not."""
        given = zip(VIEWS, (before, after, image))
        self.recall({view: layer.id() for view, layer in given if layer is not None})

    def recall(self, maps: dict) -> None:
        """The layers of an earlier review, {view: layer id}."""
        self.maps, self.view = dict(maps), ""

    def layer(self, view: str):
        """The layer of a view; None when it is gone."""
        return QgsProject.instance().mapLayer(self.maps.get(view, ""))

    def views(self) -> list:
        """The views whose layer is still in the project."""
        return [view for view in VIEWS if self.layer(view) is not None]

    def flip(self) -> str:
        """Show the next view; its name, empty when there is none."""
        views = self.views()
        if not views:
            return ""
        at = views.index(self.view) + 1 if self.view in views else 0
        return self.turn_to(views[at % len(views)])

    def turn_to(self, view: str) -> str:
        """Show one of the views; its name."""
        self.view = view
        root = QgsProject.instance().layerTreeRoot()
        for each in self.views():
            node = root.findLayer(self.maps[each])
            # The image lies under the maps, so it is seen when both are hidden.
            if node is not None:
                node.setItemVisibilityChecked(each in (view, "image"))
        return self.view

    def swipe(self, share: float) -> None:
        """Cover the left ``share`` of the canvas with the map as it was before."""
        layers = [self.maps[view] for view in ("before", "image") if view in self.views()]
        if self._swipe is None:
            if not share or not layers:
                return
            self._swipe = Swipe(self._canvas)
        if share and self.view == "before" and "after" in self.views():
            self.turn_to("after")  # the same map on both sides would compare nothing
        self._swipe.cover(layers, share)

    def release(self) -> None:
        """Take everything off the canvas."""
        self.unmark()
        if self._swipe is not None:
            self._swipe.release()
            self._swipe = None

    def sees(self, layer, geometry: QgsGeometry) -> bool:
        """True when any of a geometry of a layer is on the map."""
        view = self._canvas.mapSettings()
        box = view.mapToLayerCoordinates(layer, view.visibleExtent())
        return geometry.boundingBox().intersects(box)

    def zoom(self, layer, geometry: QgsGeometry) -> None:
        """Bring a geometry of a layer into the middle of the map."""
        box = geometry.boundingBox()
        if box.isEmpty():
            return
        box.grow(max(0.0, (self._least_side() - max(box.width(), box.height())) / 2))
        target = self._canvas.mapSettings().destinationCrs()
        turn = QgsCoordinateTransform(layer.crs(), target, QgsProject.instance())
        try:
            box = turn.transformBoundingBox(box)
        except QgsCsException:
            return  # a place that the map's projection does not have
        box.scale(_ROOM)
        self._canvas.setExtent(box)
        self._canvas.refresh()

    def _least_side(self) -> float:
        """Map units of a view in which a single pixel still has neighbours to be judged by."""
        shown = self.layer("before") or self.layer("after")
        return _PIXELS * shown.rasterUnitsPerPixelX() if shown is not None else 0.0

    def mark(self, layer, geometry: QgsGeometry) -> None:
        """Outline a geometry."""
        self.unmark()
        self._highlight = QgsHighlight(self._canvas, geometry, layer)
        self._highlight.setColor(QColor(255, 0, 200))
        self._highlight.setFillColor(QColor(0, 0, 0, 0))
        self._highlight.setWidth(3)
        self._highlight.setZValue(1)  # above the swipe, so that it is seen on both sides
        self._highlight.show()

    def unmark(self) -> None:
        """Take the outline away."""
        if self._highlight is not None:
            self._canvas.scene().removeItem(self._highlight)
            self._highlight = None
