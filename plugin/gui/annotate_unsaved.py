"""Painting on a class raster that was not saved: asked about when QGIS closes, offered later.

QGIS itself asks about the edits of vector layers; about painting it knows nothing.
"""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis
from qgis.gui import QgsApplicationExitBlockerInterface
from qgis.PyQt.QtWidgets import QMessageBox, QPushButton

from ..bridge import painting
from ..bridge.text import tr


class UnsavedPainting(QgsApplicationExitBlockerInterface):
    """Watches the panel's painting; QGIS calls `allowExit` before it closes."""

    def __init__(self, panel):
        super().__init__()
        self._panel = panel
        self._bar = panel.iface.messageBar()
        self.question: QMessageBox | None = None  # while it stands
        self.offer = None  # the message bar's item, while it stands
        self._offered = ""
        panel.iface.registerApplicationExitBlocker(self)

    # closing QGIS

    def allowExit(self) -> bool:  # noqa: N802 (QGIS's name)
        """True when QGIS may close; asks where painting is not saved."""
        pixels = self._panel.pixels
        if not pixels.modified:
            return True
        kinds = QMessageBox.StandardButton
        box = self.question = QMessageBox(self._panel.iface.mainWindow())
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Unsaved painting"))
        name = Path(pixels.map).name
        box.setText(tr("What was painted on {name} is not saved as a map.").format(name=name))
        box.setInformativeText(
            tr("Keep it, and it is there again when you next paint on this map.")
        )
        box.setStandardButtons(kinds.Save | kinds.Discard | kinds.Cancel)
        keep = box.addButton(tr("Keep for later"), QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(keep)
        box.exec()
        answer, pressed = box.standardButton(box.clickedButton()), box.clickedButton()
        self.question = None
        box.deleteLater()
        if answer == kinds.Save:
            # It is written in the background; QGIS closes when that is done.
            self._panel._guarded(lambda: pixels.save(self._panel.iface.actionExit().trigger))
            return False
        if answer == kinds.Discard:
            pixels.discard()
        return pressed is keep or answer == kinds.Discard

    # another map, another project

    def left(self, path: str) -> None:
        """The panel let go of a map with painting on it that is not saved."""
        text = tr("What was painted on {name} is not saved; it is kept beside that map.")
        self._bar.pushMessage("Concord", text.format(name=Path(path).name), Qgis.MessageLevel.Info)

    def look(self, layer) -> None:
        """Offer what an earlier session left on a map; once for each choice of it."""
        path = painting.path_of(layer) if layer is not None and layer.isValid() else ""
        if path == self._offered:
            return
        self.close_offer()
        self._offered = path
        if not path or not painting.is_kept(path, self._panel.project):
            return
        text = tr("{name} has painting that was not saved.").format(name=layer.name())
        self.offer = self._bar.createMessage("Concord", text)
        for title, action in ((tr("Restore"), self._restore), (tr("Discard"), self._discard)):
            button = QPushButton(title)
            button.clicked.connect(lambda _on=False, act=action: self._panel._guarded(act))
            if hasattr(self.offer, "layout"):
                self.offer.layout().addWidget(button)
        self._bar.pushWidget(self.offer, Qgis.MessageLevel.Warning)

    def _restore(self) -> None:
        self.close_offer()
        self._panel.pixels.begin()
        self._panel._show_state()

    def _discard(self) -> None:
        self.close_offer()
        self._panel.pixels.begin()
        self._panel.pixels.discard()
        self._panel._show_state()

    def close_offer(self) -> None:
        """It was taken up in another way."""
        if self.offer is not None:
            self._bar.popWidget(self.offer)
            self.offer = None

    def release(self) -> None:
        """QGIS must not call a plugin that has gone."""
        self.close_offer()
        self._panel.iface.unregisterApplicationExitBlocker(self)
