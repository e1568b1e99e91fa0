"""The map tool that collects prompts. It holds no data: everything leaves as a signal."""

from __future__ import annotations

from qgis.core import QgsPointXY, QgsRectangle, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QEvent, QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QApplication

from ..bridge.text import tr

ADD, REMOVE = 1, 0
ACCEPT_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
DIGITS = {getattr(Qt.Key, f"Key_{n}"): n for n in range(1, 10)}


class PromptTool(QgsMapTool):
    """Left click adds, right click removes, left drag makes a box; keys steer the proposal.

    All coordinates are in the canvas CRS.
    """

    clicked = pyqtSignal(QgsPointXY, int)
    boxed = pyqtSignal(QgsRectangle)
    accepted = pyqtSignal()
    dropped = pyqtSignal()
    undone = pyqtSignal()
    cycled = pyqtSignal(int)
    class_picked = pyqtSignal(int)

    def __init__(self, canvas: QgsMapCanvas):
        super().__init__(canvas)
        self.setToolName(tr("Concord prompts"))
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._pressed: QPoint | None = None
        self._band: QgsRubberBand | None = None

    def flags(self):
        return QgsMapTool.Flag.EditTool

    def activate(self) -> None:
        super().activate()
        # Tab would move the focus, and shortcuts of the window would take Esc and the digits.
        self.canvas().installEventFilter(self)
        self.canvas().setFocus()

    def deactivate(self) -> None:
        self.canvas().removeEventFilter(self)
        self._forget_drag()
        super().deactivate()

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == QEvent.Type.ShortcutOverride and self._action(event) is not None:
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress:
            action = self._action(event)
            if action is not None:
                action()
                return True
        return False

    def _action(self, event):
        """What a key stands for, or None."""
        free = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier
        key = event.key()
        if key == Qt.Key.Key_Backtab:
            return lambda: self.cycled.emit(-1)
        if event.modifiers() not in free:
            return None
        if key in ACCEPT_KEYS:
            return self.accepted.emit
        if key == Qt.Key.Key_Escape:
            return self._escape
        if key == Qt.Key.Key_Backspace:
            return self.undone.emit
        if key == Qt.Key.Key_Tab:
            return lambda: self.cycled.emit(1)
        if key in DIGITS:
            return lambda: self.class_picked.emit(DIGITS[key])
        return None

    def _escape(self) -> None:
        if self._pressed is not None:
            self._forget_drag()
        else:
            self.dropped.emit()

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.pos()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if self._pressed is None or not self._is_drag(event.pos()):
            return
        if self._band is None:
            self._band = QgsRubberBand(self.canvas(), QgsWkbTypes.GeometryType.PolygonGeometry)
            self._band.setStrokeColor(QColor("#ffffff"))
            self._band.setFillColor(QColor(255, 255, 255, 40))
            self._band.setLineStyle(Qt.PenStyle.DashLine)
            self._band.setWidth(2)
        box = self._box(event.pos())
        self._band.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        for x, y in (
            (box.xMinimum(), box.yMinimum()),
            (box.xMinimum(), box.yMaximum()),
            (box.xMaximum(), box.yMaximum()),
            (box.xMaximum(), box.yMinimum()),
        ):
            self._band.addPoint(QgsPointXY(x, y))

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.RightButton:
            self.clicked.emit(self.toMapCoordinates(event.pos()), REMOVE)
            return
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        if self._is_drag(event.pos()):
            box = self._box(event.pos())
            self._forget_drag()
            if box.width() > 0 and box.height() > 0:
                self.boxed.emit(box)
            return
        point = self.toMapCoordinates(self._pressed)
        self._forget_drag()
        self.clicked.emit(point, ADD)

    def _is_drag(self, position: QPoint) -> bool:
        moved = (position - self._pressed).manhattanLength()
        return moved >= QApplication.startDragDistance()

    def _box(self, position: QPoint) -> QgsRectangle:
        first = self.toMapCoordinates(self._pressed)
        return QgsRectangle(first, self.toMapCoordinates(position))

    def _forget_drag(self) -> None:
        self._pressed = None
        if self._band is not None:
            self.canvas().scene().removeItem(self._band)
            self._band = None
