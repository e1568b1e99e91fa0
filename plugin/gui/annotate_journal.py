"""Keeps the journal of the chosen label layer and offers what a crash left behind."""

from __future__ import annotations

from qgis.core import Qgis, QgsCoordinateReferenceSystem, QgsVectorLayer
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QPushButton

from ..bridge import capture, journal
from ..bridge.text import tr
from ..engine.errors import ConcordError


class JournalKeeper(QObject):
    """One journal at a time, for the panel's label layer."""

    def __init__(self, panel):
        super().__init__(panel)
        self._panel = panel
        self._journal: journal.Journal | None = None
        self._layer_id = ""
        self._kept: dict | None = None
        self.offer = None  # the message bar's item, while it stands
        panel.session.changed.connect(self._prompt_changed)

    def set_layer(self, layer: QgsVectorLayer | None) -> None:
        """Follow another label layer."""
        identifier = layer.id() if layer is not None else ""
        if identifier == self._layer_id:
            return
        self.release()
        self._layer_id = identifier
        if layer is None:
            return
        path = journal.path_of(layer)
        if path is not None and path.exists() and not layer.isModified():
            edits, prompt = journal.summary(path)
            if edits or prompt:
                self._offer(layer, edits, prompt)
                return  # the journal is not touched before the user has chosen
            path.unlink()
        self._follow(layer)

    def _follow(self, layer: QgsVectorLayer) -> None:
        self._journal = journal.Journal(layer, self)

    def _offer(self, layer: QgsVectorLayer, edits: int, prompt: dict | None) -> None:
        bar = self._panel.iface.messageBar()
        text = tr("{name} has {n} edits that were not saved when QGIS ended.")
        if not edits:
            text = tr("{name} has a prompt that was not finished when QGIS ended.")
        self.offer = bar.createMessage("Concord", text.format(name=layer.name(), n=edits))
        for title, action in (
            (tr("Restore"), lambda: self.restore(layer, prompt)),
            (tr("Discard"), lambda: self.discard(layer)),
        ):
            button = QPushButton(title)
            button.clicked.connect(lambda _on=False, act=action: act())
            if hasattr(self.offer, "layout"):
                self.offer.layout().addWidget(button)
        bar.pushWidget(self.offer, Qgis.MessageLevel.Warning)

    def restore(self, layer: QgsVectorLayer, prompt: dict | None) -> None:
        """Make the unsaved edits again, as one undo step, and set the prompt again."""
        path = journal.path_of(layer)
        aside = path.with_name(path.name + ".old")
        try:
            path.replace(aside)  # what is replayed goes into a new journal
            self._follow(layer)
            count = journal.replay(layer, aside)
            aside.unlink()
        except (ConcordError, OSError) as error:
            if aside.exists():
                aside.replace(path)
            self._panel.fail(str(error))
            return
        self._close_offer()
        crs = self._panel._canvas.mapSettings().destinationCrs()
        if prompt and capture.qgis_crs(prompt.get("crs", "")) == QgsCoordinateReferenceSystem(crs):
            if self._panel.start_button.isEnabled() and not self._panel.start_button.isChecked():
                self._panel.toggle()
            self._panel.session.resume(prompt)
        text = tr("Restored {n} edits.") if count else tr("The unfinished prompt is back.")
        self._panel.tell(text.format(n=count))

    def discard(self, layer: QgsVectorLayer) -> None:
        """Forget what the crash left."""
        path = journal.path_of(layer)
        if path is not None and path.exists():
            path.unlink()
        self._close_offer()
        self._follow(layer)

    def _close_offer(self) -> None:
        if self.offer is not None:
            self._panel.iface.messageBar().popWidget(self.offer)
            self.offer = None

    def _prompt_changed(self) -> None:
        if self._journal is None:
            return
        state = None if self._panel.session.empty else self._panel.session.state()
        if state != self._kept:
            self._kept = state
            self._journal.prompt(state)

    def release(self) -> None:
        """Stop listening. Edits that are unsaved stay in the journal until they are saved."""
        self._close_offer()  # its buttons speak of a layer that may be gone; it is made again
        if self._journal is not None:
            self._journal.release()
            self._journal.deleteLater()
            self._journal = None
        self._layer_id = ""
        self._kept = None
