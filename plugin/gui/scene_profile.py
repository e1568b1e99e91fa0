"""Spectrum of the pixel under the cursor: a map tool and the line that it draws."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateTransform,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
)
from qgis.gui import QgsMapCanvas, QgsMapToolEmitPoint
from qgis.PyQt.QtCore import QPointF, QRectF, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QPainter, QPen, QPolygonF
from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..bridge import layers
from ..bridge.text import tr
from .widgets import side_by_side

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
KEPT = 4  # pixels shown at once


def values_at(layer: QgsRasterLayer, point: QgsPointXY) -> list[tuple[str, float, float | None]]:
    """(band, value, wavelength in µm or None) of the pixel at a point in the layer's CRS.

    Bands without data are left out; those with a wavelength come first, in its order.
    """
    found = layer.dataProvider().identify(point, QgsRaster.IdentifyFormat.IdentifyFormatValue)
    if not found.isValid():
        return []
    waves = str(layer.customProperty("concord/wavelengths") or "").split(";")
    names = layers.band_names(layer)
    rows = []
    for number, name in enumerate(names, 1):
        value = found.results().get(number)
        if isinstance(value, (int, float)) and value == value:
            text = waves[number - 1] if len(waves) == len(names) else ""
            rows.append((name, float(value), float(text) if text else None))
    return sorted(rows, key=lambda row: (row[2] is None, row[2] or 0.0))


class Profile(QWidget):
    """The last pixels that were clicked, a line each; no band without a wavelength."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setMinimumHeight(int(self.fontMetrics().height() * 9))
        self.setToolTip(tr("Reflectance over wavelength of the last pixels clicked"))
        self.lines: list[list[tuple[str, float, float | None]]] = []

    def add(self, rows: list) -> None:
        """Show one more pixel, or forget all of them when ``rows`` is empty."""
        with_wave = [row for row in rows if row[2] is not None]
        self.lines = [*self.lines, with_wave][-KEPT:] if len(with_wave) > 1 else []
        self.update()

    def paintEvent(self, _event) -> None:  # noqa: N802 (Qt's name)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().base())
        if not self.lines:
            text = tr("Click a pixel of a scene with wavelengths")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
            return
        every = [row for line in self.lines for row in line]
        low, high = min(0.0, *(row[1] for row in every)), max(row[1] for row in every)
        first, last = min(row[2] for row in every), max(row[2] for row in every)
        left = painter.fontMetrics().horizontalAdvance("00.00") + 6
        foot = painter.fontMetrics().height() + 4
        box = QRectF(left, 6, self.width() - left - 8, self.height() - foot - 8)

        def place(row) -> QPointF:
            x = (row[2] - first) / max(last - first, 1e-9)
            y = (row[1] - low) / max(high - low, 1e-9)
            return QPointF(box.left() + x * box.width(), box.bottom() - y * box.height())

        painter.setPen(self.palette().mid().color())
        painter.drawRect(box)
        painter.setPen(self.palette().text().color())
        painter.drawText(QPointF(2, box.top() + foot / 2), f"{high:.3g}")
        painter.drawText(QPointF(2, box.bottom()), f"{low:.3g}")
        painter.drawText(QPointF(box.left(), self.height() - 4), f"{first:.2f} µm")
        end = f"{last:.2f} µm"
        width = painter.fontMetrics().horizontalAdvance(end)
        painter.drawText(QPointF(box.right() - width, self.height() - 4), end)
        for number, line in enumerate(self.lines):
            colour = QColor(COLOURS[number % len(COLOURS)])
            painter.setPen(QPen(colour, 2))
            painter.drawPolyline(QPolygonF([place(row) for row in line]))
            painter.setBrush(colour)
            for row in line:
                painter.drawEllipse(place(row), 2.0, 2.0)


class ProfileTool(QgsMapToolEmitPoint):
    """Clicks on the canvas become points in the CRS of the layer that is asked for."""

    picked = pyqtSignal(list)

    def __init__(self, canvas: QgsMapCanvas, layer_of):
        """``layer_of()`` gives the layer to read, or None."""
        super().__init__(canvas)
        self._layer_of = layer_of
        self.canvasClicked.connect(self._clicked)

    def _clicked(self, point: QgsPointXY, _button) -> None:
        layer = self._layer_of()
        if layer is None:
            return
        view = self.canvas().mapSettings().destinationCrs()
        transform = QgsCoordinateTransform(view, layer.crs(), QgsProject.instance())
        self.picked.emit(values_at(layer, transform.transform(point)))


class Looks(QWidget):
    """Buttons that add all views of a scene and show the spectrum of clicked pixels."""

    def __init__(self, canvas: QgsMapCanvas, layer_of, add_views, parent=None):
        super().__init__(parent)
        self._canvas = canvas
        self.add_views = QPushButton(tr("Add &all views"))
        self.add_views.setToolTip(
            tr("A group of layers: natural colour, infrared, radar, heights and indices")
        )
        self.add_views.clicked.connect(lambda _checked=False: add_views())
        self.spectrum = QPushButton(tr("Pixel spectr&um"))
        self.spectrum.setToolTip(tr("Click the map to see the values of a pixel over wavelength"))
        self.spectrum.setCheckable(True)
        self.spectrum.toggled.connect(self._watch)
        self.profile = Profile()
        self.profile.hide()
        self.tool = ProfileTool(canvas, layer_of)
        self.tool.picked.connect(self.profile.add)
        self.tool.deactivated.connect(self._left)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(side_by_side(self.add_views, self.spectrum))
        column.addWidget(self.profile)

    def _watch(self, on: bool) -> None:
        self.profile.setVisible(on)
        if on:
            self._canvas.setMapTool(self.tool)
        elif self._canvas.mapTool() is self.tool:
            self._canvas.unsetMapTool(self.tool)

    def _left(self) -> None:
        self.spectrum.setChecked(False)

    def release(self) -> None:
        """Take the tool off the canvas."""
        self.tool.deactivated.disconnect(self._left)
        self._watch(False)
