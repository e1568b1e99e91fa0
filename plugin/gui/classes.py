"""Choosing the class that the next label gets."""

from __future__ import annotations

from qgis.core import QgsMapLayer, QgsRasterLayer
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap

from ..bridge import layers, settings
from ..bridge.text import tr
from ..engine import taxonomy as taxonomies
from ..engine.errors import ConcordError
from .widgets import choice, taxonomy_combo

REMEMBERED = "label_taxonomy"


def swatch(colour: QColor) -> QIcon:
    """A small square of a class's colour."""
    pixmap = QPixmap(32, 32)
    pixmap.fill(colour)
    return QIcon(pixmap)


def one_class() -> taxonomies.Taxonomy:
    """For whoever outlines one kind of thing and has no scheme."""
    thing = taxonomies.ClassDef(1, tr("object"), "#ffb000")  # seen on water and on green
    return taxonomies.Taxonomy("object", tr("One class: object"), (thing,))


class ClassChooser(QObject):
    """A class scheme and one of its classes.

    Without a scheme the label layer's own classes serve, and where it has none a single one.
    """

    changed = pyqtSignal()
    failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.schemes = taxonomy_combo()
        self.combo = choice()
        self._layer: QgsMapLayer | None = None
        self.schemes.reload(str(settings.value(REMEMBERED, "")))
        self.schemes.changed.connect(self._scheme_changed)
        self.combo.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.reload()

    @property
    def entry(self) -> layers.ClassEntry | None:
        """The chosen class."""
        return self.combo.currentData()

    @property
    def entries(self) -> list:
        """All classes on offer."""
        return [self.combo.itemData(index) for index in range(self.combo.count())]

    def scheme(self):
        """The chosen Taxonomy, None for the layer's own classes. Raises ConcordError."""
        name = self.schemes.value()
        if name:
            return taxonomies.load(name)
        return one_class() if self._layer is None or layers.is_plain(self._layer) else None

    def set_layer(self, layer: QgsMapLayer | None) -> None:
        """The label layer whose classes serve when no scheme is chosen."""
        self._layer = layer
        if not self.schemes.value():
            self.reload()

    def pick(self, number: int) -> None:
        """Choose the class with this number in the list, from 1."""
        if number <= self.combo.count():
            self.combo.setCurrentIndex(number - 1)

    def reload(self) -> None:
        """List the classes again."""
        entries, chosen = [], self.entry
        try:
            scheme = self.scheme()
            if not self.schemes.value():
                own = scheme.title if scheme is not None else tr("From the layer")
                self.schemes.combo.setItemText(0, own)
            if scheme is not None:
                entries = layers.class_entries(None, scheme)
            elif isinstance(self._layer, QgsRasterLayer):
                entries = layers.class_entries(self._layer)
            elif self._layer is not None:
                entries = layers.entries_of_labels(self._layer)
        except ConcordError as error:
            self.failed.emit(str(error))
        self.combo.blockSignals(True)
        self.combo.clear()
        for number, entry in enumerate(entries, start=1):
            text = f"{number}  {entry.name}" if number <= 9 else entry.name
            self.combo.addItem(swatch(entry.colour), text, entry)
            if chosen is not None and (entry.code, entry.name) == (chosen.code, chosen.name):
                self.combo.setCurrentIndex(number - 1)
        self.combo.blockSignals(False)
        self.changed.emit()

    def _scheme_changed(self) -> None:
        settings.set_value(REMEMBERED, self.schemes.value())
        self.reload()
