"""Accepting what is shown and taking it back, each with a word on what came of it."""

from __future__ import annotations

import contextlib

from ..bridge.text import tr
from ..engine.errors import ConcordError


class Acceptance:
    """What Enter and Ctrl+Z on the map do."""

    def __init__(self, panel):
        self._panel = panel
        self._refused = 0  # prompts of the object that could not be accepted; 0 for none
        self._stack = None  # of the label layer
        self._last: tuple | None = None  # place on the stack and number of the last label

    # accepting

    def accept(self) -> bool:
        """Write the proposal that is shown as one feature in one undo step; True when it is."""
        panel, session = self._panel, self._panel.session
        candidate = session.chosen
        if candidate is None:
            panel.tell(tr("Nothing to accept yet; click an object on the map."), warn=True)
            return False
        try:
            missing = self._missing()
            if missing:  # the proposal stays
                self._refused = len(session.prompts)
                panel.tell(missing, warn=True)
                return False
            panel.target_of_labels.accept(candidate)
        except ConcordError as error:
            self._refused = len(session.prompts)
            panel.fail(str(error))
            return False
        if self._stack is not None and not panel.target_of_labels.RASTER:
            self._last = (self._stack.index(), session.object)
        session.taken()
        panel.tell(tr("Accepted as {name}.").format(name=panel.classes.entry.name))
        return True

    def _missing(self) -> str:
        """Why a proposal cannot be written; asks for a label layer where there is none."""
        panel, target = self._panel, self._panel.target_of_labels
        if panel.classes.entry is None:
            return tr("Not accepted: choose a class scheme, so that there is a class to give.")
        if target.layer is None and not target.RASTER:
            panel.polygons.ask_for_layer()
            if target.layer is None:
                return tr("Not accepted: the label layer needs a file; Enter asks for it again.")
        return target.problem()

    def accept_all(self) -> None:
        """Accept every similar object, one undo step each; one that does not fit stays shown."""
        session, count = self._panel.session, 0
        while session.alike and session.chosen is not None and self.accept():
            count += 1
        if count:
            self._panel.tell(tr("Accepted {n} objects.").format(n=count))

    def prompts_changed(self) -> None:
        """Say it where a click goes to an object that was to be accepted and was not."""
        session = self._panel.session
        joined = 0 < self._refused < len(session.prompts)
        if joined or session.empty:
            self._refused = 0
        if joined:
            text = tr("This went to object {n}, which is not accepted yet; {key} takes it back.")
            text = text.format(n=session.object, key=self._panel.keys.text("undo"))
            self._panel.tell(text, warn=True)

    # taking back

    def take_back(self) -> None:
        """The last prompt of an open object; without one the last label."""
        session = self._panel.session
        if self._panel.prompting and not session.empty:
            session.undo()
        else:
            self.step_back(1)

    def step_back(self, steps: int) -> None:
        """Undo (1) or redo (-1) one step of the label layer or of the class raster."""
        panel = self._panel
        panel._guarded(lambda: panel.tell(panel.target_of_labels.step_back(steps)))
        panel._show_state()

    def follow(self, layer) -> None:
        """Watch another label layer: QGIS's own undo takes labels back too."""
        self.release()
        if layer is not None:
            self._stack = layer.undoStack()
            self._stack.indexChanged.connect(self._moved)

    def _moved(self, place: int) -> None:
        # Saving empties the stack too, but leaves nothing to make again.
        if self._last is not None and place < self._last[0]:
            number, self._last = self._last[1], None
            if self._stack.canRedo():
                self._panel.tell(tr("Undid label {n}.").format(n=number))

    def release(self) -> None:
        """Stop watching."""
        if self._stack is not None:
            with contextlib.suppress(TypeError, RuntimeError):  # the layer may be gone already
                self._stack.indexChanged.disconnect(self._moved)
        self._stack = self._last = None
