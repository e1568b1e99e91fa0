"""The prompts of one object, and asking for what they mean."""

from __future__ import annotations

import time
from dataclasses import replace

from qgis.core import (
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject

from ..bridge import capture, prompt_jobs, prompt_models
from ..bridge.text import tr
from .prompt_answers import PromptAnswers, nothing_here
from .prompt_question import asked, seen
from .prompt_tool import ADD

ALGORITHM = "concord:segmentprompts"
ASKED = ("prompt", "outline", "similar")  # what the user waits for
EXAMPLES = 5  # the last ones accepted count
DOUBTFUL = 0.5  # of the model's own score; below it the outline is seldom what was meant
BOTH = "|"  # between two composites that are tried together


class PromptSession(PromptAnswers):
    """Collects prompts in the canvas CRS and asks for masks in the background."""

    def __init__(self, canvas: QgsMapCanvas, parent: QObject | None = None):
        super().__init__(canvas, parent)
        self.object = 1
        self.examples: list = []  # answers that were accepted, to find similar objects
        self.labelled = lambda crs: []  # what is labelled in the view, as GeoJSON in a CRS
        self._grow = 0
        self.preview = True
        self._idle.timeout.connect(self._prepare)

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

    @property
    def turn(self) -> int:
        """Grows with every question; what was said of an earlier one is no longer true."""
        return self._turn

    def add_point(self, point: QgsPointXY, label: int) -> None:
        if self._beyond(point):
            self.failed.emit(nothing_here())
        else:
            self._add("point", (QgsPointXY(point), int(label)))

    def _beyond(self, point: QgsPointXY) -> bool:
        """True off the image: such a point would spoil the object for every next click."""
        if not self.settings:
            return False
        image = self.settings["IMAGE"]
        map_settings = self.canvas.mapSettings()
        try:
            there = map_settings.mapToLayerCoordinates(image, point)
        except QgsCsException:
            return False  # told when it is asked
        return not image.extent().buffered(image.rasterUnitsPerPixelX()).contains(there)

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
            self._take_back()
            self._ask(afresh=True)

    def ask_again(self) -> None:
        """Ask the same of another model or composite; similar objects were the old one's."""
        if self.alike:
            self.clear()
        else:
            self._ask(afresh=True)

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

    def describe(self) -> str:
        """Where the object stands, in one line."""
        if self.share is not None:
            return tr("Looking for objects like those you accepted…")
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
            if self.chosen.score is not None and self.chosen.score < DOUBTFUL:
                parts.append(tr("in doubt: draw a box or add a click"))
        elif not self.prompts.usable and not self.alike:
            parts.append(tr("add a point inside the object"))
        return " · ".join(parts)

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

    def problem(self) -> str:
        """Why no prompt can be answered with these settings, in one sentence, or ''."""
        if not self.settings:
            return ""
        lacking = prompt_models.problem(self.settings["MODEL"])
        return lacking or capture.crs_problem(self.settings["IMAGE"])

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

    def _ask(self, afresh: bool = False) -> None:
        self._turn += 1
        self._hover_turn += 1
        self._afresh = afresh
        self.runner.drop()
        self.marks.hide_preview()
        self._pending, self.share = False, None
        usable = self.prompts.usable
        previous = self.chosen.answer if self.chosen is not None and not afresh else None
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

    def find_similar(self) -> None:
        """Look for objects like the accepted ones in the view."""
        if not self.settings:
            return
        if not self.examples:
            self.failed.emit(tr("There is no example yet; accept one object first."))
            return
        self.clear()
        examples, crs = list(self.examples), self.settings["IMAGE"].crs()
        try:
            bounds, scale = seen(self.canvas, crs)
            known = self.labelled(crs)
        except QgsCsException:
            self.failed.emit(tr("The view cannot be brought into the CRS of the image."))
            return
        self.share, worker = 0.0, self.runner
        self._post(
            "similar",
            lambda d: prompt_jobs.likened(d, examples, bounds, scale, known, worker.progress()),
        )
        self.changed.emit()

    def taken(self) -> None:
        """The chosen candidate became a label: an example from now on; on to the next object."""
        if self.chosen is not None and self.chosen.answer is not None:
            self.examples = [*self.examples, self.chosen.answer][-EXAMPLES:]
        if self.alike and len(self.candidates) > 1:
            self.object += 1
            del self.candidates[self._chosen]
            self._chosen %= len(self.candidates)
            self._draw()
            self.changed.emit()
        else:
            self.next_object()

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

    def prepare(self, at_once: bool = False) -> None:
        """Encode what the map shows, one tile at a time, whenever nothing else is asked.

        At once where prompting begins: opening image and model must not wait for the first click.
        """
        if at_once:
            self._prepare()
        elif self.settings:
            self._idle.start()

    def _prepare(self) -> None:
        if not self.settings or not self.runner.idle:
            return
        try:
            bounds, scale = seen(self.canvas, self.settings["IMAGE"].crs())
        except QgsCsException:
            return
        self._post("encode", lambda desk: prompt_jobs.encoded(desk, bounds, scale))
