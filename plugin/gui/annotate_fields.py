"""Which field of a polygon layer takes which part of a label."""

from __future__ import annotations

from qgis.core import QgsVectorLayer
from qgis.gui import QgsFieldComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QVBoxLayout, QWidget

from ..bridge import labels
from ..bridge.text import tr
from .widgets import form, row


class FieldsBox(QWidget):
    """One combo box for each label field; the choice is kept in the project with the layer."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._layer: QgsVectorLayer | None = None
        layout = form()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(layout)
        self.combos: dict[str, QgsFieldComboBox] = {}
        for name in labels.NAMES:
            combo = QgsFieldComboBox()
            combo.setAllowEmptyFieldName(True)
            combo.fieldChanged.connect(self._keep)
            row(layout, name, combo, tr("The layer's field for this part of a label"))
            self.combos[name] = combo

    def set_layer(self, layer: QgsVectorLayer | None) -> None:
        """Show a layer's fields and what was chosen for it."""
        self._layer = None  # what follows is no choice of the user's
        chosen = labels.mapping(layer) if layer is not None else {}
        for name, combo in self.combos.items():
            combo.setLayer(layer)
            combo.setField(chosen.get(name, name) if layer is not None else "")
        self._layer = layer

    def _keep(self, *_) -> None:
        if self._layer is None:
            return
        chosen = {name: combo.currentField() for name, combo in self.combos.items()}
        labels.set_mapping(self._layer, {k: v for k, v in chosen.items() if v != k})
        self.changed.emit()
