"""A list of composites with a small picture of each: what a model, or a person, gets to see."""

from __future__ import annotations

import numpy as np
from qgis.core import Qgis, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QSize, QTimer
from qgis.PyQt.QtGui import QIcon, QImage, QPixmap
from qgis.PyQt.QtWidgets import QComboBox

from ..bridge import styles
from .widgets import choice

SIDE = 48  # pixels of a picture
_REACH = 384  # pixels of the layer that it shows at most: a look at all of a scene would read all
_NUMPY = {
    Qgis.DataType.Byte: np.uint8,
    Qgis.DataType.UInt16: np.uint16,
    Qgis.DataType.Int16: np.int16,
    Qgis.DataType.UInt32: np.uint32,
    Qgis.DataType.Int32: np.int32,
    Qgis.DataType.Float32: np.float32,
    Qgis.DataType.Float64: np.float64,
}


class Thumbnails:
    """Draws pictures into the entries of a combo box, one each time the event loop is idle.

    Args:
        combo: its entries hold bands as tuple or as text with ';' between, or have ``bands``.
        layer_of: gives the layer that the entries belong to, or None.
    """

    def __init__(self, combo: QComboBox, layer_of):
        self.combo, self._layer_of = combo, layer_of
        self._timer = QTimer(combo)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._next)
        self._waiting: list = []
        self._made: dict = {}

    def draw(self) -> None:
        """Begin anew: the entries have changed."""
        self._waiting = list(range(self.combo.count()))
        side = SIDE if self._waiting else 16  # an empty box need not be high
        self.combo.setIconSize(QSize(side, side))
        self._timer.start()

    def _next(self) -> None:
        layer = self._layer_of()
        if not self._waiting or layer is None or not layer.isValid():
            return
        number = self._waiting.pop(0)
        bands = bands_of(self.combo.itemData(number))
        if number < self.combo.count() and bands:
            key = (layer.id(), bands)
            if key not in self._made:
                if len(self._made) > 60:
                    self._made.clear()
                self._made[key] = picture(layer, bands)
            if self._made[key] is not None:
                self.combo.setItemIcon(number, self._made[key])
        if self._waiting:
            self._timer.start()


def bands_of(data) -> tuple:
    """The bands of an entry: its own, or those of the first of several composites."""
    if isinstance(data, str):
        return tuple(data.split("|")[0].split(";")) if data else ()
    return tuple(getattr(data, "bands", ()))


def picture(layer: QgsRasterLayer, bands: tuple) -> QIcon | None:
    """The middle of a layer in some of its bands, stretched from 2 to 98 % of what it shows."""
    names = styles.band_names(layer)
    if not set(bands) <= set(names):
        return None
    box = _middle(layer)
    planes = [_plane(layer, names.index(name) + 1, box) for name in bands]
    if any(plane is None for plane in planes):
        return None
    stacked = np.stack((planes * 3)[:3] if len(planes) == 1 else planes[:3], axis=2)
    pixels = np.ascontiguousarray(stacked)
    image = QImage(pixels.data, SIDE, SIDE, 3 * SIDE, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.copy()))


def _middle(layer: QgsRasterLayer) -> QgsRectangle:
    centre = layer.extent().center()
    width = min(_REACH, layer.width()) * layer.rasterUnitsPerPixelX()
    height = min(_REACH, layer.height()) * layer.rasterUnitsPerPixelY()
    return QgsRectangle(
        centre.x() - width / 2, centre.y() - height / 2,
        centre.x() + width / 2, centre.y() + height / 2,
    )  # fmt: skip


def _plane(layer: QgsRasterLayer, band: int, box: QgsRectangle) -> np.ndarray | None:
    """(SIDE, SIDE) uint8 of a band, 0 where there is no data; None when it cannot be read."""
    block = layer.dataProvider().block(band, box, SIDE, SIDE)
    if not block.isValid() or block.dataType() not in _NUMPY:
        return None
    values = np.frombuffer(bytes(block.data()), _NUMPY[block.dataType()])
    values = values.reshape(SIDE, SIDE).astype(float)
    lacking = ~np.isfinite(values)
    if block.hasNoDataValue():
        lacking |= values == block.noDataValue()
    known = values[~lacking]
    if not known.size:
        return np.zeros((SIDE, SIDE), np.uint8)
    low, high = np.percentile(known, (2, 98))
    shown = np.clip((np.where(lacking, low, values) - low) / max(high - low, 1e-9), 0, 1) * 255
    shown[lacking] = 0
    return shown.astype(np.uint8)


def pictured_choice(layer_of) -> tuple:
    """(a combo box, the ``Thumbnails`` of its entries)."""
    combo = choice()
    return combo, Thumbnails(combo, layer_of)
