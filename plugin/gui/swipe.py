"""One map drawn over a part of the canvas, so that a slider uncovers what lies below."""

from __future__ import annotations

from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsProject
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem
from qgis.PyQt.QtCore import QPointF, QRectF
from qgis.PyQt.QtGui import QColor, QImage, QPen


class Swipe(QgsMapCanvasItem):
    """Layers drawn over the left ``share`` of the canvas; nothing is drawn at 0."""

    def __init__(self, canvas: QgsMapCanvas):
        super().__init__(canvas)
        self._canvas = canvas
        self._layers: list = []
        self._job = None
        self._picture: QImage | None = None
        self._drawn = None  # the extent that the picture shows
        self.share = 0.0
        canvas.extentsChanged.connect(self._moved)

    def cover(self, layers: list, share: float) -> None:
        """Draw the layers of these ids, the uppermost first, over the left part."""
        self.share = min(max(share, 0.0), 1.0)
        if layers != self._layers:
            self._layers, self._picture, self._drawn = list(layers), None, None
        if self.share and self._layers and self._drawn != self._canvas.extent():
            self._render()
        self.update()

    def _moved(self) -> None:
        self._picture, self._drawn = None, None
        if self.share and self._layers:
            self._render()
        self.update()

    def _render(self) -> None:
        self._stop()
        settings = QgsMapSettings(self._canvas.mapSettings())
        found = [QgsProject.instance().mapLayer(one) for one in self._layers]
        settings.setLayers([layer for layer in found if layer is not None])
        self._drawn = self._canvas.extent()
        self._job = QgsMapRendererParallelJob(settings)
        self._job.finished.connect(self._rendered)
        self._job.start()

    def _rendered(self) -> None:
        self._picture, self._job = self._job.renderedImage(), None
        self.setRect(self._canvas.extent())
        self.update()

    def _stop(self) -> None:
        if self._job is not None:
            self._job.finished.disconnect(self._rendered)
            self._job.cancelWithoutBlocking()
            self._job = None

    def paint(self, painter, option=None, widget=None) -> None:
        """The picture on the left, and a line where it ends."""
        if self._picture is None or not self.share:
            return
        size = self._canvas.size()
        whole = QRectF(0, 0, size.width(), size.height())
        edge = whole.width() * self.share
        painter.save()
        painter.setClipRect(QRectF(0, 0, edge, whole.height()))
        painter.drawImage(whole, self._picture)
        painter.setClipping(False)
        for width, colour in ((3, "#000000"), (1, "#ffffff")):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawLine(QPointF(edge, 0), QPointF(edge, whole.height()))
        painter.restore()

    def release(self) -> None:
        """Take it off the canvas; no signal reaches it any more."""
        self._stop()
        self._canvas.extentsChanged.disconnect(self._moved)
        scene = self._canvas.scene()
        if scene is not None and self.scene() is scene:
            scene.removeItem(self)
