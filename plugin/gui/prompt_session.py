"""The prompts of one object and the proposals they bring, shown on the canvas."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QColor

from ..bridge import capture, prompt_jobs
from ..bridge.prompting import PromptWorker
from ..bridge.text import tr
from .prompt_list import PromptList
from .prompt_marks import PROPOSED, PromptMarks
from .prompt_question import asked, on_canvas, seen
from .prompt_tool import ADD

ALGORITHM = "concord:segmentprompts"
IDLE = 400  # ms without a question before the next tile of the view is prepared
ASKED = ("prompt", "outline", "similar")  # what the user waits for
BOTH = "|"  # between two composites that are tried together


@dataclass(frozen=True)
class Candidate:
    """One mask for the object, in the CRS the algorithm gave it in."""

    geometry: QgsGeometry
    crs: QgsCoordinateReferenceSystem
    score: float | None
    answer: object = None
    composite: str = ""
    model: str = ""


class PromptSession(QObject):
    """Collects prompts in the canvas CRS, asks for masks in the background, drops stale answers.

    `settings` is {IMAGE: layer, MODEL: text, BANDS: text}; empty while nothing can be asked.
    """

    changed = pyqtSignal()
    failed = pyqtSignal(str)
    answered = pyqtSignal(float)  # seconds from the question to the mask on the canvas
    found = pyqtSignal(list)

    def __init__(self, canvas: QgsMapCanvas, parent: QObject | None = None):
        super().__init__(parent)
        self.canvas = canvas
        self.runner = PromptWorker(self)
        self.marks = PromptMarks(canvas)
        self.object = 1
        self.settings: dict = {}
        self.refined = None  # id of the label whose outline is being refined
        self.prompts = PromptList()
        self._turn = self._hover_turn = 0  # answers to an earlier turn are stale
        self._pending = False
        self._asked = 0.0
        self.candidates: list[Candidate] = []
        self._chosen = 0
        self._grow = 0
        self.preview = True
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE)
        self._idle.timeout.connect(self._prepare)
        self.runner.done.connect(self._done)
        self.runner.failed.connect(self._failed)

    # prompts

    @property
    def points(self) -> list[tuple[QgsPointXY, int]]:
        """Points with label 1 (adds) or 0 (removes), in the order they were set."""
        return self.prompts.points

    @property
    def box(self) -> QgsRectangle | None:
        """The last box drawn; a new one takes the place of the old."""
        return self.prompts.box

    @property
    def empty(self) -> bool:
        return self.prompts.empty

    def add_point(self, point: QgsPointXY, label: int) -> None:
        self._add("point", (QgsPointXY(point), int(label)))

    def add_stroke(self, points: list) -> None:
        """Several points of the object at once; one undo takes them back."""
        self._add("stroke", [(QgsPointXY(point), ADD) for point in points])

    def set_box(self, box: QgsRectangle) -> None:
        self._add("box", QgsRectangle(box))

    def set_shape(self, shape: QgsGeometry, feature_id=None) -> None:
        """Refine an outline, given in the canvas CRS; `feature_id` is the label it comes from."""
        self.clear()
        self.refined = feature_id
        self._add("shape", QgsGeometry(shape))

    def _add(self, kind: str, content) -> None:
        self.prompts.add(kind, content)
        self._ask()

    def undo(self) -> None:
        """Take the last prompt back."""
        if not self.empty:
            if self.prompts.pop() == "shape":
                self.refined = None
            self._ask(undone=True)

    def clear(self) -> None:
        """Drop prompts and proposal; nothing was written yet."""
        self.prompts.clear()
        self.refined = None
        self._ask()

    def next_object(self) -> None:
        """Start afresh on the next object."""
        self.object += 1
        self.clear()

    def state(self) -> dict:
        """The prompts as plain values, for the journal."""
        crs = capture.crs_text(self.canvas.mapSettings().destinationCrs())
        return {"object": self.object, "crs": crs, **self.prompts.state()}

    def resume(self, state: dict) -> None:
        """Set prompts again from `state()`; asks once."""
        self.object = int(state.get("object") or self.object)
        self.prompts.resume(state)
        self._ask()

    @property
    def clicks(self) -> str:
        """The prompt as it is stored with the label, with the CRS it is in."""
        return f"{self.canvas.mapSettings().destinationCrs().authid()}: {self.prompts.text()}"

    # proposals

    @property
    def busy(self) -> bool:
        return self._pending

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that is shown."""
        return self.candidates[self._chosen] if self.candidates else None

    def describe(self) -> str:
        """Where the object stands, in one line."""
        if self.empty:
            return tr("Click an object on the map.")
        parts = [tr("Object {n}").format(n=self.object), *self.prompts.words()]
        if self.busy:
            parts.append(tr("looking…"))
        elif self.chosen is not None:
            if self.chosen.score is not None:
                parts.append(tr("score {s:.2f}").format(s=self.chosen.score))
            if len(self.candidates) > 1:
                place, count = self._chosen + 1, len(self.candidates)
                parts.append(tr("candidate {i} of {n}").format(i=place, n=count))
            if self._grow:
                parts.append(tr("{n:+d} pixels").format(n=self._grow))
        elif not self.prompts.usable:
            parts.append(tr("add a point inside the object"))
        return " · ".join(parts)

    def cycle(self, step: int) -> None:
        """Show the next candidate for the same object."""
        if len(self.candidates) > 1:
            self._chosen = (self._chosen + step) % len(self.candidates)
            self._draw()
            self.changed.emit()

    def grow(self, step: int) -> None:
        """Push the border of the candidates outwards, or pull it inwards, by pixels."""
        answers = [candidate.answer for candidate in self.candidates]
        if not answers or None in answers:
            return
        self._grow += step
        grow = self._grow
        self._post("outline", lambda desk: [desk.outlines(a, grow) for a in answers])
        self.changed.emit()

    # asking

    def _setups(self) -> list:
        """One (path, bands, model) for each composite that is tried."""
        path = capture.file_of_layer(self.settings["IMAGE"])
        bands = str(self.settings.get("BANDS") or "")
        return [(path, part, self.settings.get("MODEL", "regions")) for part in bands.split(BOTH)]

    def _post(self, kind: str, work, setup: tuple | None = None, turn: int | None = None) -> None:
        turn = self._turn if turn is None else turn
        self._pending = self._pending or kind in ASKED
        self.runner.post(kind, turn, setup or self._setups()[0], work)

    def question(self, points, previous=None):
        """The prompts in the image's CRS. Raises QgsCsException."""
        image = self.settings["IMAGE"]
        return asked(self.canvas, image.crs(), points, self.box, self.prompts.shape, previous)

    def _ask(self, undone: bool = False) -> None:
        self._turn += 1
        self._hover_turn += 1
        self.runner.drop("prompt", "outline", "hover", "encode")
        self.marks.hide_preview()
        self._pending = False
        usable = self.prompts.usable
        previous = self.chosen.answer if self.chosen is not None and not undone else None
        self._grow = 0
        if not usable or not self.settings:
            self.candidates, self._chosen = [], 0
            self._draw()
        else:
            try:
                self._asked = time.monotonic()
                ask = self.question(self.points, previous if len(self.prompts) > 1 else None)
                setups = self._setups()
                self._post(
                    "prompt",
                    prompt_jobs.answering(ask, self.object, setups, self.runner),
                    setups[0],
                )
            except QgsCsException:
                self._fail(tr("The prompt cannot be brought into the CRS of the image."))
            self._draw()
        self.changed.emit()

    def hover(self, point: QgsPointXY) -> None:
        """Show what a click at `point` would give, when its place is prepared."""
        if not self.preview or not self.settings or not self.empty:
            return
        self._hover_turn += 1
        try:
            ask = replace(self.question([(point, ADD)]), widen=False)
        except QgsCsException:
            return
        self._idle.start()
        self._post("hover", lambda desk: prompt_jobs.previewed(desk, ask), turn=self._hover_turn)

    def leave(self) -> None:
        """The mouse left the map."""
        self._hover_turn += 1
        self.marks.hide_preview()

    def prepare(self) -> None:
        """Encode what the map shows, one tile at a time, whenever nothing else is asked."""
        if self.settings:
            self._idle.start()

    def _prepare(self) -> None:
        if not self.settings or not self.runner.idle:
            return
        try:
            bounds, scale = seen(self.canvas, self.settings["IMAGE"].crs())
        except QgsCsException:
            return
        self._post("encode", lambda desk: prompt_jobs.encoded(desk, bounds, scale))

    # answers

    def _done(self, kind: str, turn: int, result) -> None:
        if kind == "hover":
            if turn == self._hover_turn and self.empty and self.settings:
                self.marks.show_preview(self._shown(result, self._image_crs()))
            return
        if kind == "encode":
            if result:
                self._idle.start()  # there may be another tile
            return
        if turn != self._turn or not self.settings:
            return
        self._pending = False
        if kind == "prompt":
            self._take(result)
        elif kind == "outline":
            self.candidates = [
                replace(candidate, geometry=capture.geometry_of(shapes))
                for candidate, shapes in zip(self.candidates, result)
            ]
        elif kind == "similar":
            self.found.emit(
                [
                    Candidate(
                        capture.geometry_of(shapes), self._image_crs(), a.score, a, text, model
                    )
                    for a, shapes, text, model in result
                ]
            )
        self._draw()
        self.changed.emit()
        if kind == "prompt":
            self.answered.emit(time.monotonic() - self._asked)
        self._idle.start()

    def _take(self, result) -> None:
        crs = self._image_crs()
        self.candidates, self._chosen = [
            Candidate(capture.geometry_of(shapes), crs, answer.score, answer, text, model)
            for answer, shapes, text, model in result
            if shapes
        ], 0  # fmt: skip
        if not self.candidates:
            self.failed.emit(tr("No object there; move the point or draw a box."))

    def _image_crs(self) -> QgsCoordinateReferenceSystem:
        return self.settings["IMAGE"].crs()

    def _failed(self, kind: str, turn: int, text: str) -> None:
        if kind in ("prompt", "similar") and turn == self._turn:
            self._fail(text)

    def _fail(self, text: str) -> None:
        self._pending = False
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
        self.marks.draw(self.points, self.box, self.prompts.shape, shown)

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
        self._pending = False
        self.runner.release()
        self.marks.clear()
