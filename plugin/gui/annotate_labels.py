"""The choice of the label layer: nothing is written into a layer that nobody meant."""

from __future__ import annotations

from qgis.core import QgsProject

from ..bridge import label_layers
from ..bridge.proposals import is_proposals
from ..bridge.text import tr
from .widgets import LayerCombo


class LabelCombo(LayerCombo):
    """Polygon layers, and above them none: its file is asked for when a label is accepted.

    Unasked only a label layer is chosen, when it comes and there is no other choice yet.
    """

    _by_hand = False  # "New layer" is a choice too

    def __init__(self):
        super().__init__("polygon", lambda layer: not is_proposals(layer), empty=True)
        self.setAllowEmptyLayer(True, tr("New layer at the first accept"))
        self.setLayer(None)
        self.activated.connect(self._picked)
        # Qt would go on to the neighbour of a row that goes.
        self.model().rowsAboutToBeRemoved.connect(self._going)
        project = QgsProject.instance()
        project.layersAdded.connect(self._come)
        project.cleared.connect(self._cleared)
        self._come(project.mapLayers().values())

    def setLayer(self, layer) -> None:  # noqa: N802 (QGIS's name)
        """Choose a layer, or none; QGIS 3.22 would leave the box without any entry."""
        if layer is not None:
            super().setLayer(layer)
        elif self.currentIndex() != 0:
            self.setCurrentIndex(0)
            self.layerChanged.emit(None)

    def _picked(self, _index: int) -> None:
        self._by_hand = True
        if self.currentLayer() is not None:
            label_layers.remember(self.currentLayer(), QgsProject.instance())

    def _come(self, layers) -> None:
        if self.currentLayer() is None and not self._by_hand:
            self.setLayer(label_layers.choice_among(layers, QgsProject.instance()))

    def _going(self, _parent, first: int, last: int) -> None:
        if first <= self.currentIndex() <= last:
            self._by_hand = False
            self.setLayer(None)

    def _cleared(self) -> None:
        self._by_hand = False

    def release(self) -> None:
        """Stop listening to the project."""
        project = QgsProject.instance()
        project.layersAdded.disconnect(self._come)
        project.cleared.disconnect(self._cleared)
        self.model().rowsAboutToBeRemoved.disconnect(self._going)
        super().release()
