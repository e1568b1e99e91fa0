"""Where labels go: a polygon layer, or a class raster that is painted over."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QFormLayout, QStackedWidget, QToolButton

from ..bridge import painting, settings
from ..bridge.text import tr
from .annotate_labels import LabelCombo
from .widgets import LayerCombo, choice, row, side_by_side

POLYGONS, PIXELS = "polygons", "pixels"


class Destination(QObject):
    """Two rows of the panel; the choice is remembered."""

    changed = pyqtSignal()

    def __init__(self, panel):
        super().__init__(panel)
        self.kind = choice()
        self.kind.addItem(tr("Polygons"), POLYGONS)
        self.kind.addItem(tr("Class raster"), PIXELS)
        self.labels = LabelCombo()
        self.new_button = QToolButton()
        self.new_button.setText(tr("New…"))
        self.new_button.setToolTip(tr("Make a GeoPackage with the fields a label layer needs"))
        self.new_button.clicked.connect(lambda: panel._guarded(panel.polygons.ask_for_layer))
        self.raster = LayerCombo("raster", painting.can_be_painted)
        self._pages = QStackedWidget()
        self._pages.addWidget(side_by_side(self.labels, self.new_button))
        self._pages.addWidget(side_by_side(self.raster))
        kept = settings.value("destination", POLYGONS)
        self.kind.setCurrentIndex(max(0, self.kind.findData(kept)))
        self._pages.setCurrentIndex(self.kind.currentIndex())
        self.kind.currentIndexChanged.connect(self._chosen)

    def add_to(self, layout: QFormLayout) -> None:
        """Put the rows into a form."""
        tip = tr("Polygons with attributes, or the pixels of a wall-to-wall map")
        row(layout, tr("Write into"), self.kind, tip)
        tip = tr(
            "Accepted proposals and strokes are written here: one feature each, or painted over "
            "the class raster, which is not changed; saving makes a new one. Without a label "
            "layer, you are asked for its file when you accept"
        )
        row(layout, tr("&Label layer"), self._pages, tip, self.labels)

    @property
    def is_raster(self) -> bool:
        return self.kind.currentData() == PIXELS

    def _chosen(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        settings.set_value("destination", self.kind.currentData())
        self.changed.emit()
