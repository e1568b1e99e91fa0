"""What comes back for the prompts of one object, and how it is shown on the canvas."""

from __future__ import annotations

import time
from dataclasses import replace

from qgis.core import QgsCoordinateReferenceSystem, QgsCsException, QgsGeometry
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QColor

from ..bridge import capture
from ..bridge.prompting import PromptWorker
from ..bridge.text import tr
from ..engine.errors import NoData
from .prompt_list import Candidate, PromptList
from .prompt_marks import PROPOSED, PromptMarks
from .prompt_question import on_canvas

IDLE = 400  # ms without a question before the next tile of the view is prepared


def nothing_here() -> str:
    """What a click beside the image, or where it has no data, is told."""
    return tr("There is no image here; click on the image.")


class PromptAnswers(QObject):
    """Takes the worker's answers, drops stale ones, keeps and draws the candidates.

    `settings` is {IMAGE: layer, MODEL: text, BANDS: text}; empty while nothing can be asked.
    """

    changed = pyqtSignal()
    progressed = pyqtSignal()
    failed = pyqtSignal(str)
    answered = pyqtSignal(float)  # seconds from the question to the mask on the canvas

    def __init__(self, canvas: QgsMapCanvas, parent: QObject | None = None):
        super().__init__(parent)
        self.canvas = canvas
        self.runner = PromptWorker(self)
        self.marks = PromptMarks(canvas)
        self.settings: dict = {}
        self.prompts = PromptList()
        self.refined = None  # id of the label whose outline is being refined
        self._turn = self._hover_turn = 0  # answers to an earlier turn are stale
        self._afresh = False  # what was asked before was taken back, or asked of another model
        self._pending = False
        self.share: float | None = None  # percent of a search for similar objects under way
        self._asked = 0.0
        self.candidates: list[Candidate] = []
        self._chosen = 0
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE)
        self.runner.done.connect(self._done)
        self.runner.failed.connect(self._failed)
        self.runner.progressed.connect(self._progressed)

    @property
    def busy(self) -> bool:
        return self._pending

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that is shown."""
        return self.candidates[self._chosen] if self.candidates else None

    @property
    def alike(self) -> bool:
        """True while the candidates are similar objects, one each, and not views of one."""
        return self.prompts.alike

    def cycle(self, step: int) -> None:
        """Show the next candidate for the same object."""
        if len(self.candidates) > 1:
            self._chosen = (self._chosen + step) % len(self.candidates)
            self._draw()
            self.changed.emit()

    # answers

    def _done(self, kind: str, turn: int, result) -> None:
        if kind == "hover":
            if turn == self._hover_turn and self.prompts.empty and self.settings:
                self.marks.show_preview(self._shown(result, self._image_crs()))
            return
        if kind == "encode":
            if result:
                self._idle.start()  # there may be another tile
            return
        if turn != self._turn or not self.settings:
            return
        self._pending, self.share = False, None
        if kind == "prompt":
            self._take(result)
        elif kind == "outline":
            self.candidates = [
                replace(candidate, geometry=capture.geometry_of(shapes))
                for candidate, shapes in zip(self.candidates, result)
            ]
        elif kind == "similar":
            self._liken(result)
        self._draw()
        self.changed.emit()
        if kind == "prompt":
            self.answered.emit(time.monotonic() - self._asked)
        self._idle.start()

    def _progressed(self, turn: int, percent: float) -> None:
        if turn == self._turn and self.share is not None:
            self.share = percent
            self.progressed.emit()

    def _take(self, result) -> None:
        if isinstance(result, NoData):  # such a prompt would spoil every next click
            if not self._afresh:
                self._take_back()
            if self._afresh or self.empty:  # what is shown was answered by another image
                self.candidates, self._chosen = [], 0
            self.failed.emit(nothing_here())
            return
        self._put(result)
        if not self.candidates:
            self.failed.emit(tr("No object there; move the point or draw a box."))

    def _take_back(self) -> None:
        if self.prompts.pop() == "shape":
            self.refined = None

    def _liken(self, result) -> None:
        self._put(result)
        if self.candidates:
            self.prompts.add("similar", len(self.candidates))
        else:
            self.failed.emit(tr("Nothing similar in the view; accept more examples."))

    def _put(self, result) -> None:
        crs = self._image_crs()
        self._chosen, self.candidates = 0, []
        for answer, shapes, text, model in result:
            if shapes:
                shape = capture.geometry_of(shapes)
                self.candidates.append(Candidate(shape, crs, answer.score, answer, text, model))

    def _image_crs(self) -> QgsCoordinateReferenceSystem:
        return self.settings["IMAGE"].crs()

    def _failed(self, kind: str, turn: int, text: str) -> None:
        if kind in ("prompt", "similar") and turn == self._turn:
            self._fail(text)

    def _fail(self, text: str) -> None:
        self._pending, self.share = False, None
        self.candidates, self._chosen = [], 0
        self.failed.emit(text)
        self._draw()
        self.changed.emit()

    # drawing

    def _shown(self, shapes, crs) -> QgsGeometry | None:
        if not shapes:
            return None
        return self._on_canvas(capture.geometry_of(shapes), crs)

    def _on_canvas(self, geometry: QgsGeometry, crs) -> QgsGeometry | None:
        try:
            return on_canvas(self.canvas, geometry, crs)
        except QgsCsException:
            self.failed.emit(tr("The proposal cannot be shown in the CRS of the map."))
            return None

    def _draw(self) -> None:
        shown = self.chosen and self._on_canvas(self.chosen.geometry, self.chosen.crs)
        others = [c for c in self.candidates if c is not self.chosen] if self.alike else []
        others = [self._on_canvas(other.geometry, other.crs) for other in others]
        self.marks.draw(self.prompts.points, self.prompts.box, self.prompts.shape, shown, others)

    def recolour(self, colour: QColor) -> None:
        """Show the proposal in the colour of its class."""
        self.marks.colour = QColor(colour or PROPOSED)
        self._draw()

    def release(self) -> None:
        """Take everything off the canvas and stop."""
        self._idle.stop()
        self.settings = {}
        self.prompts.clear()
        self.candidates = []
        self._turn += 1
        self._hover_turn += 1
        self._pending, self.share = False, None
        self.runner.release()
        self.marks.clear()
