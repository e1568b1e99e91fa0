"""The foot of a panel, always in sight: how far the run is, a way to stop it, one line of words."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..bridge.text import tr
from .runner import Runner
from .widgets import note


class Foot(QWidget):
    """Follows a runner; ``column`` takes what a panel wants in sight besides."""

    def __init__(self, runner: Runner, margins, parent: QWidget | None = None):
        super().__init__(parent)
        self._runner, self._stop = runner, None
        self.bar = QProgressBar()
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.setToolTip(tr("Stop the run; nothing half-made is left behind"))
        self.cancel_button.clicked.connect(self._cancel)
        self._progress = QWidget()
        line = QHBoxLayout(self._progress)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.bar, 1)
        line.addWidget(self.cancel_button)
        self._progress.hide()
        self.status = note()
        self.status.setObjectName("ConcordStatus")
        self.status.hide()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(margins.left(), 0, margins.right(), margins.bottom())
        self.column.addWidget(self._progress)
        self.column.addWidget(self.status)
        runner.started.connect(self._started)
        runner.progressed.connect(self._progressed)
        runner.ended.connect(self._progress.hide)

    def say(self, text: str) -> None:
        """One line of words; '' for none."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def follow(self, share: float | None, stop) -> None:
        """Show work that is no run: its percent, None when it has ended; `stop()` cancels it."""
        if share is None:
            if self._stop is not None:
                self._stop = None
                self._progress.hide()
            return
        if self._runner.busy:
            return
        self._stop = stop
        self.bar.setRange(0, 100)
        self.bar.setFormat("%p %")
        self.bar.setValue(int(share))
        self.cancel_button.setEnabled(True)
        self._progress.show()

    def _cancel(self) -> None:
        if self._stop is not None:
            self._stop()
            return
        self.cancel_button.setEnabled(False)
        self.bar.setFormat(tr("Cancelling…"))
        self._runner.cancel()

    def _started(self) -> None:
        self._stop = None
        self.bar.setRange(0, 0)  # moves until the first figure arrives
        self.bar.setFormat("")
        self.cancel_button.setEnabled(True)
        self._progress.show()
        self.say("")

    def _progressed(self, percent: float, text: str) -> None:
        if percent > 0:
            self.bar.setRange(0, 100)
            self.bar.setValue(int(percent))
        if self.cancel_button.isEnabled():
            self.bar.setFormat("%p %")
            self.say(text)
