"""Which image is prompted, what of it the model sees, and which model answers."""

from __future__ import annotations

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QVBoxLayout

from ..bridge import layers, settings
from ..bridge.text import tr
from .annotate_checkpoint import CheckpointButton
from .prompt_model import about, prompt_model_combo
from .prompt_session import BOTH
from .thumbnails import pictured_choice
from .widgets import LayerCombo, form, row, side_by_side


class ImageBox(QObject):
    """Image, composite and model; `changed` when proposals would be other ones."""

    changed = pyqtSignal()
    _known = None  # the layer whose composites are listed

    def __init__(self, panel):
        super().__init__(panel)
        self.image = LayerCombo("raster", layers.is_imagery, likely=layers.likely_image)
        self.composite, self._thumbnails = pictured_choice(self.image.currentLayer)
        self.model = prompt_model_combo()
        self.checkpoint = CheckpointButton(panel)
        self.preview = QCheckBox(tr("Show what a click would give"))
        self.preview.setToolTip(tr("Works where the map was prepared, a moment after it stands"))
        self.preview.setChecked(str(settings.value("preview", "true")).lower() == "true")

    def add_to(self, column: QVBoxLayout) -> None:
        """Put the rows into a section."""
        layout = form()
        row(layout, tr("&Image"), self.image, tr("The scene in which outlines are looked for"))
        tip = tr("The bands the model sees; kept with every label")
        row(layout, tr("C&omposite"), self.composite, tip)
        line = side_by_side(self.model, self.checkpoint)
        row(layout, tr("&Model"), line, tr("What answers your clicks"), self.model)
        column.addLayout(layout)
        column.addWidget(about(self.model))  # in the form a wrapped line takes too much room
        column.addWidget(self.preview)

    def connect(self) -> None:
        """Follow the user from now on."""
        self.image.layerChanged.connect(self._image_changed)
        QgsProject.instance().layersRemoved.connect(self._look_again)
        self.composite.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.model.changed.connect(lambda *_: self.changed.emit())
        self._image_changed(self.image.currentLayer())

    def _look_again(self, *_) -> None:
        """The box goes on to a neighbour of a layer that is removed, and does not say so."""
        if self.image.currentLayer() is not self._known:
            self._image_changed(self.image.currentLayer())

    def release(self) -> None:
        """Stop listening to the project."""
        QgsProject.instance().layersRemoved.disconnect(self._look_again)

    def _image_changed(self, layer) -> None:
        if layer is not None and layer is self._known:
            return  # the box says so whenever its list changes
        self._known = layer
        self.composite.blockSignals(True)
        self.composite.clear()
        if layer is not None and layer.isValid() and layer.bandCount():
            found = layers.composites(layer)
            for item in found:
                self.composite.addItem(item.title, ";".join(item.bands))
            if len(found) > 1:
                both = [";".join(item.bands) for item in found[:2]]
                title = tr("Try both: {one}, {other}")
                title = title.format(one=found[0].title, other=found[1].title)
                self.composite.addItem(title, BOTH.join(both))
        self.composite.blockSignals(False)
        self._thumbnails.draw()
        self.changed.emit()

    def wish(self) -> dict:
        """Parameters of `concord:segmentprompts`; empty while there is no image."""
        image = self.image.currentLayer()
        if image is None:
            return {}
        bands = self.composite.currentData() or ""
        return {"IMAGE": image, "MODEL": self.model.value(), "BANDS": bands}
