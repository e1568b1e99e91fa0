"""The dock every Concord panel is built on: scrolling form, run buttons, progress, status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from qgis.core import Qgis, QgsApplication, QgsProject
from qgis.gui import QgsCollapsibleGroupBox, QgsDockWidget, QgsFileWidget
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import (
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..bridge import settings
from ..bridge.text import tr
from ..engine import packages
from ..engine.errors import ConcordError
from .foot import Foot
from .runner import Outcome, Runner, unavailable
from .widgets import Column, LayerCombo, form, note, row


@dataclass
class Step:
    """A run button, what it needs before it can run, and the line that says so."""

    button: QPushButton
    algorithm: str
    need: Callable[[], str]
    says: QLabel
    tip: str


def box_of(column: QVBoxLayout) -> QgsCollapsibleGroupBox:
    """The group that a section's column stands in."""
    return column.parentWidget().parentWidget()


class Panel(QgsDockWidget):
    """Subclasses set the four names and fill `build`; they never touch a worker thread."""

    KEY = ""
    OBJECT_NAME = ""
    TITLE = ""
    HINT = ""
    SAVED = "Left empty, results go beside the saved project, else into a temporary folder"

    def __init__(self, iface, parent: QWidget | None = None):
        super().__init__(tr(self.TITLE), parent)
        self.setObjectName(self.OBJECT_NAME)
        # Tabs are short of room; the View menu, where other panels stand too, gets the full name.
        self.toggleViewAction().setText(tr("Concord: {name}").format(name=tr(self.TITLE)))
        self.iface = iface
        self.project = QgsProject.instance()
        self.runner = Runner(self)
        self._steps: list[Step] = []
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        self._released = False
        self._built = False
        self._frame()
        self.build()
        self._add_output()
        self.body.addStretch(1)
        self._built = True
        self.runner.started.connect(self._run_started)
        self.runner.ended.connect(self._run_ended)
        self._project_signals = (
            self.project.layersAdded,
            self.project.layersRemoved,
            self.project.readProject,
            self.project.cleared,
        )
        for signal in self._project_signals:
            signal.connect(self._project_changed)
        registry = QgsApplication.processingRegistry()
        registry.providerAdded.connect(self._project_changed)
        registry.providerRemoved.connect(self._project_changed)
        self.refresh()

    # what subclasses fill in

    def build(self) -> None:
        """Put the panel's widgets into `self.body`."""

    def updated(self) -> None:
        """Called when layers, settings or the state of the run changed."""

    # building blocks

    def _frame(self) -> None:
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.body.addWidget(note(tr(self.HINT)))
        scroll = Column(inner)
        foot = Foot(self.runner, self.body.contentsMargins())
        self.bar, self.cancel_button, self.status = foot.bar, foot.cancel_button, foot.status
        self.foot, self.say, self.follow = foot.column, foot.say, foot.follow
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, 1)
        column.addWidget(foot)
        self.setWidget(whole)

    def section(self, title: str, collapsed: bool = False) -> QVBoxLayout:
        """A titled group that can be folded; returns its column."""
        box = QgsCollapsibleGroupBox(title)
        box.setSaveCollapsedState(False)
        # Unfolding shows all children of the group itself, those too that the panel had hidden.
        holder = QWidget(box)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        QVBoxLayout(box).addWidget(holder)
        self.body.addWidget(box)
        box.setCollapsed(collapsed)
        return column

    def step(
        self,
        column: QVBoxLayout,
        text: str,
        algorithm: str,
        need: Callable[[], str],
        run: Callable[[], None],
        tip: str,
    ) -> QPushButton:
        """A run button that is off, and says why, while something is missing."""
        says = note()
        says.setObjectName("ConcordNeed")
        button = QPushButton(text)
        button.clicked.connect(lambda _checked=False: self._guarded(run))
        column.addWidget(says)
        column.addWidget(button)
        self._steps.append(Step(button, algorithm, need, says, tip))
        return button

    def _add_output(self) -> None:
        column = self.section(tr("Output"), collapsed=True)
        layout = form()
        self.folder = QgsFileWidget()
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.fileChanged.connect(self._folder_changed)
        row(layout, tr("Sa&ve in"), self.folder, tr(self.SAVED), self.folder.lineEdit())
        column.addLayout(layout)

    # state

    def refresh(self, *_) -> None:
        """Bring buttons, reasons and the output folder up to date."""
        if self._released or not self._built:
            return
        said = set()  # two buttons with the same need say it once
        for step in self._steps:
            reason = unavailable(step.algorithm) or step.need()
            step.button.setEnabled(not reason and not self.runner.busy)
            step.button.setToolTip(reason or step.tip)
            step.says.setText(reason)
            step.says.setVisible(bool(reason) and reason not in said)
            if step.says.isVisibleTo(self):  # in a folded section nobody reads it
                said.add(reason)
        chosen = settings.chosen_folder(self.project)
        if self.folder.filePath() != chosen:
            self.folder.setFilePath(chosen)
        self.folder.lineEdit().setPlaceholderText(str(self.default_folder()))
        self.updated()

    def _project_changed(self, *_) -> None:
        # Ten layers added at once are one change; a hidden panel looks when it is shown.
        if self.isVisible():
            self._later.start()

    def _folder_changed(self, folder: str) -> None:
        settings.choose_folder(self.project, folder)

    def showEvent(self, event) -> None:  # noqa: N802 (Qt's name)
        super().showEvent(event)
        self.refresh()

    # running

    def launch(
        self,
        algorithm: str,
        parameters: dict,
        done: Callable[[Outcome], None],
        failed: Callable[[], None] | None = None,
    ) -> None:
        """Run an algorithm; `done` is called with a good outcome only, bad news is shown.

        `failed` comes before the bad news, for what the run left to be looked at.
        """

        def ended(outcome: Outcome) -> None:
            if self._released:
                return
            if outcome.ok:
                self._guarded(lambda: done(outcome))
            elif outcome.cancelled:
                self.say(tr("Cancelled; nothing was written."))
            else:
                if failed is not None:
                    self._guarded(failed)
                self.fail(outcome.message)

        self.runner.start(algorithm, parameters, ended)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ConcordError as error:
            self.fail(str(error))
        except ModuleNotFoundError as error:  # of a button that no algorithm stands behind
            text = packages.lacking(error)
            if not text:
                raise
            self.fail(text)

    def _run_started(self) -> None:
        self.refresh()

    def _run_ended(self, _outcome: Outcome) -> None:
        self.refresh()

    def spread(self, steps: Iterator) -> None:
        """Go through steps one at a time, giving the user interface a turn after each."""
        if self._released:
            return

        def turn() -> None:
            if next(steps, self) is not self:
                QTimer.singleShot(0, lambda: self.spread(steps))

        self._guarded(turn)

    def look_at(self, widget: QWidget) -> None:
        """Scroll to a widget."""
        if not self._released:
            self.widget().findChild(Column).ensureWidgetVisible(widget)

    # words

    def fail(self, text: str) -> None:
        """The same sentence in the panel and in QGIS's message bar."""
        self.say(text)
        self.iface.messageBar().pushMessage("Concord", text, Qgis.MessageLevel.Critical, 0)

    # helpers for results

    def target(self, stem: str) -> str:
        """A new path without suffix in the output folder."""
        return settings.next_stem(self.project, stem, self.default_folder())

    def default_folder(self) -> Path:
        """Where results go while the user has not chosen a folder."""
        return settings.default_folder(self.project)

    # the end

    def release(self) -> None:
        """Stop the run and every signal from outside; the dock can be deleted afterwards."""
        if self._released:
            return
        self._released = True
        self.runner.release()
        self._later.stop()
        for signal in self._project_signals:
            signal.disconnect(self._project_changed)
        registry = QgsApplication.processingRegistry()
        registry.providerAdded.disconnect(self._project_changed)
        registry.providerRemoved.disconnect(self._project_changed)
        for combo in self.findChildren(LayerCombo):
            combo.release()
