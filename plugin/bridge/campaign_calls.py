"""Calls to a campaign's store off the interface thread: one at a time, answers on the main thread.

A server that is far away and a GeoPackage that somebody else is writing to make every call a wait.
What runs in the thread sees the store and plain values only, never a QGIS layer.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any, Callable

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ..engine.errors import ConcordError
from .text import tr

PATIENCE = 20.0  # seconds that the database itself may take for one statement
GIVEN_UP = 45_000  # ms after which a call that the database did not end is left alone
NOTICED = 150  # ms from which a wait is worth showing: most calls end before it


@dataclass
class _Call:
    work: Callable
    done: Callable
    failed: Callable | None
    closing: Callable | None = None  # what to do in the thread when nobody waits any more
    answer: Any = None
    good: bool = False
    ended: bool = False


class StoreCalls(QObject):
    """`waiting` is emitted when a call takes long enough to be shown, and when it has ended."""

    waiting = pyqtSignal(bool)
    failed = pyqtSignal(str)
    lost = pyqtSignal()  # the store does not answer; it must be opened again
    _came = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._call: _Call | None = None
        self._lock = threading.Lock()
        self._came.connect(self._answered)
        self._notice, self._limit = QTimer(self), QTimer(self)
        for timer, wait, act in (
            (self._notice, NOTICED, lambda: self.waiting.emit(True)),
            (self._limit, GIVEN_UP, self._give_up),
        ):
            timer.setSingleShot(True)
            timer.setInterval(wait)
            timer.timeout.connect(act)

    @property
    def busy(self) -> bool:
        """True while a call is under way."""
        return self._call is not None

    def start(self, work: Callable, done: Callable, failed: Callable | None = None) -> bool:
        """Do `work()` in a thread, then `done(its answer)` here; False while another is under way.

        A ConcordError of `work` goes to the signal `failed`, after `failed()` if that is given.
        """
        if self.busy:
            return False
        call = self._call = _Call(work, done, failed)
        self._notice.start()
        self._limit.start()
        threading.Thread(
            target=self._serve, args=(call,), name="concord-store", daemon=True
        ).start()
        return True

    def drop(self, closing: Callable) -> None:
        """Forget the call under way and do `closing()`, after its end when it has none yet."""
        with self._lock:
            call = self._call
            waits = call is not None and not call.ended
            if waits:
                call.closing = closing
        if call is not None:
            self._rest()
        if not waits:
            closing()

    def _serve(self, call: _Call) -> None:
        try:
            call.answer, call.good = call.work(), True
        except Exception as error:  # told on the main thread, where somebody reads it
            call.answer = error
        with self._lock:
            call.ended = True
            closing = call.closing
        with contextlib.suppress(RuntimeError):  # QGIS is quitting: nobody is there any more
            if closing is not None:
                closing()
            else:
                self._came.emit(call)

    def _rest(self) -> None:
        self._call = None
        self._notice.stop()
        self._limit.stop()
        self.waiting.emit(False)

    def _answered(self, call: _Call) -> None:
        if call is not self._call:
            return  # dropped in the meantime
        self._rest()
        if call.good:
            call.done(call.answer)
            return
        if call.failed is not None:
            call.failed()
        if not isinstance(call.answer, ConcordError):
            raise call.answer
        self.failed.emit(str(call.answer))

    def _give_up(self) -> None:
        """The statement's own time-out did not come: the server is gone, not slow."""
        self.lost.emit()
        self.failed.emit(
            tr("The campaign store does not answer; what you did last may or may not have arrived, "
               "so open the campaign again and look.")
        )  # fmt: skip
