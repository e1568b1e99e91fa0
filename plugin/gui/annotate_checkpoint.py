"""The button that adds a SAM checkpoint as a promptable model."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QFileDialog, QToolButton

from ..bridge.checkpoints import CheckpointExport
from ..bridge.text import tr


class CheckpointButton(QToolButton):
    """Asks for a .pth file, exports it in the background, puts the pair into the model list."""

    def __init__(self, panel):
        super().__init__()
        self._panel = panel
        self.export = CheckpointExport(self)
        self.export.progressed.connect(panel.say)
        self.export.ended.connect(self._ended)
        self.clicked.connect(self._clicked)
        self._show()

    def _show(self) -> None:
        busy = self.export.busy
        self.setText(tr("Stop") if busy else tr("SAM…"))
        self.setToolTip(
            tr("Stop the export; nothing half-made is left behind")
            if busy
            else tr(
                "Add a SAM checkpoint (.pth of segment-anything): it is turned into ONNX by a "
                "process of its own, checked against torch, and kept in your profile"
            )
        )

    def _clicked(self) -> None:
        if self.export.busy:
            self.export.cancel()
            return
        path, _ = QFileDialog.getOpenFileName(
            self, tr("Add a SAM checkpoint"), "", tr("SAM checkpoints (*.pth)")
        )
        if path:
            self.start(path)

    def start(self, path: str) -> None:
        """Export a checkpoint."""
        self.export.start(path)
        self._show()

    def _ended(self, folder: str, problem: str) -> None:
        self._show()
        if problem:
            self._panel.fail(problem)
            return
        self._panel.model.add(folder)
        self._panel.say(tr("Added the model {name}.").format(name=folder))

    def release(self) -> None:
        """Stop without a word."""
        self.export.ended.disconnect(self._ended)
        self.export.cancel()
