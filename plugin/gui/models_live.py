"""A run's result on the map while it grows, before there is a layer."""

from __future__ import annotations

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsProject, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem
from qgis.PyQt.QtCore import QRectF, QTimer
from qgis.PyQt.QtGui import QImage, QPainter

from ..bridge import capture

_LOOK = 400  # ms between looks at what was finished


class LiveMap(QgsMapCanvasItem):
    """Draws finished strips over the map; `end` takes them away.

    Args:
        output: the raster that the run writes.
    """

    def __init__(self, canvas: QgsMapCanvas, output: str):
        super().__init__(canvas)
        from ..engine.infer.glimpse import Glimpse

        self._canvas, self._glimpse = canvas, Glimpse(output)
        self._picture: QImage | None = None
        self._box = QgsRectangle()
        self._timer = QTimer()
        self._timer.timeout.connect(self.look)
        self._timer.start(_LOOK)
        canvas.extentsChanged.connect(self.updatePosition)

    @property
    def rows(self) -> int:
        """Rows of the picture that show something."""
        if self._picture is None:
            return 0
        alpha = [self._picture.pixelColor(self._picture.width() // 2, y).alpha()
                 for y in range(self._picture.height())]  # fmt: skip
        return sum(1 for value in alpha if value)

    def look(self) -> None:
        """Draw what was finished since the last look."""
        news = self._glimpse.news()
        if not news:
            return
        if self._picture is None and not self._begin():
            return
        painter = QPainter(self._picture)
        for row, values in news:
            rows, cols = values.shape[:2]
            kind = QImage.Format.Format_RGBA8888
            painter.drawImage(0, row, QImage(values.tobytes(), cols, rows, 4 * cols, kind))
        painter.end()
        self.update()

    def _begin(self) -> bool:
        rows, cols = self._glimpse.size
        self._picture = QImage(cols, rows, QImage.Format.Format_RGBA8888)
        self._picture.fill(0)
        left, bottom, right, top = self._glimpse.grid.bounds
        self._box = QgsRectangle(left, bottom, right, top)
        self.updatePosition()
        return True

    def updatePosition(self) -> None:  # noqa: N802 (QGIS's name)
        """Where the result lies on the canvas now."""
        if self._picture is None:
            return
        crs = capture.qgis_crs(self._glimpse.grid.crs)
        target = self._canvas.mapSettings().destinationCrs()
        turn = QgsCoordinateTransform(crs, target, QgsProject.instance())
        try:
            self.setRect(turn.transformBoundingBox(self._box))
        except QgsCsException:
            self.hide()  # a place that the map's projection does not have

    def paint(self, painter, option=None, widget=None) -> None:
        """Draw the picture into the item's rectangle."""
        if self._picture is not None:
            size = self.boundingRect()
            painter.drawImage(QRectF(0, 0, size.width(), size.height()), self._picture)

    def end(self) -> None:
        """Take the picture off the map."""
        self._timer.stop()
        scene = self._canvas.scene()
        if scene is not None and self.scene() is scene:
            scene.removeItem(self)
