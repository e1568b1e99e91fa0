"""The map tool that paints a disc along the mouse's way. It holds no data: strokes leave as
signals."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

from ..bridge.text import tr
from .keyed_tool import KeyedTool
from .keys import PromptKeys

BRUSH, ERASER, FILL = "brush", "eraser", "fill"
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
STEP = 1.25  # one key or one notch of the wheel
SEGMENTS = 8  # of a quarter of the disc
POLYGON = QgsWkbTypes.GeometryType.PolygonGeometry


class BrushTool(KeyedTool):
    """Left drag paints or erases, right drag erases; one drag is one stroke.

    `stroked` gives (the way as a point or line, the stroke as a polygon, erase, extend what lies
    there); all in the canvas CRS. `mode` is brush, eraser or fill.
    """

    stroked = pyqtSignal(QgsGeometry, QgsGeometry, bool, bool)
    filled = pyqtSignal(QgsPointXY)
    resized = pyqtSignal(float)  # factor
    ended = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, keys: PromptKeys | None = None):
        super().__init__(canvas, keys)
        self.setToolName(tr("Concord brush"))
        self.mode = BRUSH
        self.size, self.in_pixels = 24.0, True  # across the disc
        self.colour = QColor("#ff2fd6")
        self._way: list[QgsPointXY] | None = None
        self._button = None
        self._extend = self._erase = False
        self._ring: QgsRubberBand | None = None
        self._trace: QgsRubberBand | None = None
        self._does.update(
            {
                "drop": self._escape,
                "larger": lambda: self.resized.emit(STEP),
                "smaller": lambda: self.resized.emit(1 / STEP),
            }
        )
        self.left.connect(self._hide_ring)

    @property
    def radius(self) -> float:
        """Half of the disc's width, in map units of the canvas."""
        return self.size / 2 * (self.canvas().mapUnitsPerPixel() if self.in_pixels else 1.0)

    @property
    def erases(self) -> bool:
        return self.mode == ERASER

    def deactivate(self) -> None:
        super().deactivate()
        self._hide_ring()

    def show_size(self) -> None:
        """Draw the outline of the disc where the mouse is."""
        if self._here is None or self.mode == FILL:
            self._hide_ring()
            return
        if self._ring is None:
            self._ring = QgsRubberBand(self.canvas(), POLYGON)
            self._ring.setFillColor(QColor(0, 0, 0, 0))
            self._ring.setSecondaryStrokeColor(QColor(0, 0, 0, 150))
            self._ring.setWidth(1)
        erasing = self._erase if self._way is not None else self.erases
        self._ring.setStrokeColor(QColor("#ff5a47") if erasing else QColor("#ffffff"))
        disc = QgsGeometry.fromPointXY(self._here).buffer(self.radius, SEGMENTS)
        self._ring.setToGeometry(disc)
        self._ring.show()

    def _hide_ring(self) -> None:
        if self._ring is not None:
            self.canvas().scene().removeItem(self._ring)
            self._ring = None

    # mouse

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        left, right = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
        if self._way is not None or event.button() not in (left, right):
            return
        self._here = self.toMapCoordinates(event.pos())
        if self.mode == FILL:
            if event.button() == left:
                self.filled.emit(self._here)
            return
        self._button = event.button()
        self._erase = self.erases or event.button() == right or bool(event.modifiers() & CONTROL)
        self._extend = bool(event.modifiers() & ALT)
        self._way = [self._here]
        self._draw()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        self._here = self.toMapCoordinates(event.pos())
        if self._way is not None:
            self._go(self._here)
            self._draw()
        self.show_size()

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if self._way is None or event.button() != self._button:
            return
        end = self.toMapCoordinates(event.pos())
        if end != self._way[-1]:
            self._way.append(end)
        way, stroke = self._line(), self._stroke()
        erase, extend = self._erase, self._extend
        self._forget_drag()
        self.stroked.emit(way, stroke, erase, extend)

    def wheelEvent(self, event) -> None:  # noqa: N802
        if event.modifiers() & SHIFT:
            turn = event.angleDelta().y() or event.angleDelta().x()
            if turn:
                self.resized.emit(STEP if turn > 0 else 1 / STEP)
            event.accept()
        else:
            event.ignore()  # the canvas zooms

    def _go(self, spot: QgsPointXY) -> None:
        # Steps far smaller than the disc change nothing but cost time.
        if spot.distance(self._way[-1]) >= self.radius / 6:
            self._way.append(spot)

    def _line(self) -> QgsGeometry:
        if len(self._way) == 1:
            return QgsGeometry.fromPointXY(self._way[0])
        return QgsGeometry.fromPolylineXY(self._way)

    def _stroke(self) -> QgsGeometry:
        return self._line().simplify(self.radius / 50).buffer(self.radius, SEGMENTS)

    def _draw(self) -> None:
        if self._trace is None:
            self._trace = QgsRubberBand(self.canvas(), POLYGON)
            self._trace.setWidth(1)
        colour = QColor("#ff5a47") if self._erase else QColor(self.colour)
        self._trace.setStrokeColor(colour)
        fill = QColor(colour)
        fill.setAlpha(110)
        self._trace.setFillColor(fill)
        self._trace.setToGeometry(self._stroke())

    def _escape(self) -> None:
        if self._way is not None:
            self._forget_drag()
        else:
            self.ended.emit()

    def _forget_drag(self) -> None:
        self._way = None
        if self._trace is not None:
            self.canvas().scene().removeItem(self._trace)
            self._trace = None
