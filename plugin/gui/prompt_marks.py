"""What the prompt session draws on the canvas: points, box, old outline, proposal, preview."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsRubberBand, QgsVertexMarker
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

PROPOSED = QColor("#ff2fd6")  # no map has it: a proposal never looks like a label
POLYGON = QgsWkbTypes.GeometryType.PolygonGeometry


class PromptMarks:
    """Items of the canvas's scene; `colour` fills the proposal. Geometries in the canvas CRS."""

    def __init__(self, canvas: QgsMapCanvas):
        self._canvas = canvas
        self.colour = QColor(PROPOSED)
        self._items: list = []
        self._preview: QgsRubberBand | None = None

    def draw(self, points, box, shape, proposal) -> None:
        """Show these prompts and this proposal in place of the earlier ones."""
        scene = self._canvas.scene()
        for item in self._items:
            scene.removeItem(item)
        self._items = []
        for outline in (shape, None if box is None else QgsGeometry.fromRect(box)):
            if outline is not None:
                band = self._band(outline, QColor("#ffffff"), QColor(0, 0, 0, 0), 2)
                band.setLineStyle(Qt.PenStyle.DashLine)
        if proposal:
            fill = QColor(self.colour)
            fill.setAlpha(110)
            band = self._band(proposal, PROPOSED, fill, 3)
            band.setSecondaryStrokeColor(QColor(0, 0, 0, 160))
        for point, label in points:
            for colour, width in (("#000000", 5), ("#41e06f" if label else "#ff5a47", 3)):
                marker = QgsVertexMarker(self._canvas)
                kinds = QgsVertexMarker.IconType
                marker.setIconType(kinds.ICON_CROSS if label else kinds.ICON_X)
                marker.setColor(QColor(colour))
                marker.setPenWidth(width)
                marker.setIconSize(14)
                marker.setCenter(point)
                self._items.append(marker)

    def _band(self, shape, stroke: QColor, fill: QColor, width: int) -> QgsRubberBand:
        band = QgsRubberBand(self._canvas, POLYGON)
        band.setToGeometry(shape)
        band.setStrokeColor(stroke)
        band.setFillColor(fill)
        band.setWidth(width)
        self._items.append(band)
        return band

    def show_preview(self, shape: QgsGeometry | None) -> None:
        """What a click would give, thinner than a proposal; None hides it."""
        if shape is None:
            self.hide_preview()
            return
        if self._preview is None:
            self._preview = QgsRubberBand(self._canvas, POLYGON)
            self._preview.setStrokeColor(PROPOSED)
            self._preview.setFillColor(QColor(255, 47, 214, 40))
            self._preview.setWidth(1)
        self._preview.setToGeometry(shape)
        self._preview.show()

    def hide_preview(self) -> None:
        if self._preview is not None:
            self._preview.hide()

    @property
    def previewed(self) -> bool:
        """True while a preview is seen."""
        return self._preview is not None and self._preview.isVisible()

    def clear(self) -> None:
        """Take everything off the canvas."""
        self.draw((), None, None, None)
        if self._preview is not None:
            self._canvas.scene().removeItem(self._preview)
            self._preview = None
