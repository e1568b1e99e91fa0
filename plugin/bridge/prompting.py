"""Prompts answered in a thread of their own: the newest question wins, stale ones are dropped.

A click must not wait for the set-up of a Processing run; the engine's functions called here are
those of `concord:segmentprompts`, with the same store of encodings.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import Callable

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..engine.errors import ConcordError
from ..engine.progress import Progress
from . import settings
from .text import tr

# In the order in which they are served; a later kind waits until the earlier ones are done.
KINDS = ("prompt", "outline", "similar", "hover", "encode")


def embeddings_folder() -> str:
    """Where encodings are kept: in the user's profile."""
    return f"{QgsApplication.qgisSettingsDirPath()}concord/embeddings"


def use_store() -> None:
    """Keep encodings on disk, up to the size that the user chose (MB, 2048 by default)."""
    from ..engine.segment.store import SHARED

    try:
        megabytes = float(settings.value("embeddings_mb", 2048) or 2048)
    except (TypeError, ValueError):
        megabytes = 2048.0
    SHARED.keep_in(embeddings_folder(), int(max(16.0, megabytes) * 1024**2))


@dataclass
class Job:
    """Something to do with a desk; `turn` tells the asker which question an answer is for."""

    kind: str
    turn: int
    setup: tuple  # (path, bands, model): which desk
    work: Callable
    stopped: threading.Event = field(default_factory=threading.Event)


class PromptWorker(QObject):
    """Runs jobs one after the other; its signals arrive on the main thread."""

    done = pyqtSignal(str, int, object)
    progressed = pyqtSignal(int, float)  # the turn of a long job, percent
    failed = pyqtSignal(str, int, str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._waiting: dict[str, Job] = {}
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._desks: dict = {}

    @property
    def busy(self) -> bool:
        """True while a prompt is being answered; previews and preparations do not count."""
        with self._changed:
            kinds = list(self._waiting) + ([self._running.kind] if self._running else [])
            return any(kind in ("prompt", "outline", "similar") for kind in kinds)

    @property
    def idle(self) -> bool:
        """True when nothing is done or waits."""
        with self._changed:
            return not self._waiting and self._running is None

    def post(self, kind: str, turn: int, setup: tuple, work: Callable) -> None:
        """Do `work(desk)` soon; a waiting job of the same kind is replaced.

        A preparation or a search under way is stopped when a prompt comes: that is not to wait.
        """
        use_store()
        with self._changed:
            if self._ended:
                return
            self._waiting[kind] = Job(kind, turn, setup, work)
            if kind == "prompt" and self._runs("encode", "similar"):
                self._stop_running()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="concord-prompts")
                self._thread.daemon = True
                self._thread.start()
            self._changed.notify()

    def drop(self, *kinds: str) -> None:
        """Forget waiting jobs, and stop a search that is under way."""
        with self._changed:
            for kind in kinds or KINDS:
                self._waiting.pop(kind, None)
            if "similar" in (kinds or KINDS) and self._runs("similar"):
                self._stop_running()

    def cancel(self) -> None:
        """Forget what waits and stop what is being prepared."""
        self.drop()
        with self._changed:
            self._stop_running()

    def release(self) -> None:
        """End the thread; nothing is reported any more."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._stop_running()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(10)

    def progress(self) -> Progress:
        """How far the job under way tells that it is, and learns that it should stop."""
        job = self._running
        return Progress(
            lambda percent, _text: self.progressed.emit(job.turn, percent), job.stopped.is_set
        )

    def _runs(self, *kinds: str) -> bool:
        return self._running is not None and self._running.kind in kinds

    def _stop_running(self) -> None:
        job = self._running
        if job is not None:
            job.stopped.set()
        desk = self._desks.get(job.setup) if job is not None else None
        stop = getattr(desk.provider, "stop", None) if desk is not None else None
        if stop is not None:
            stop()

    # in the thread

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if self._ended:
                    break
                kind = next(kind for kind in KINDS if kind in self._waiting)
                job = self._running = self._waiting.pop(kind)
            self._do(job)
        for desk in self._desks.values():
            desk.close()
        self._desks = {}

    def _do(self, job: Job) -> None:
        result, problem = None, ""
        try:
            result = job.work(self.desk(job.setup))
        except ConcordError as error:
            problem = str(error)
        except MemoryError:
            problem = tr("There is not enough memory for this model; choose a smaller one.")
        except Exception as error:  # a thread that dies would leave the panel waiting for ever
            problem = tr("The prompt failed ({why}).").format(why=error)
        with self._changed:
            self._running = None
            if self._ended:
                return
        with contextlib.suppress(RuntimeError):  # the panel went in this moment
            if problem:
                self.failed.emit(job.kind, job.turn, problem)
            else:
                self.done.emit(job.kind, job.turn, result)

    def desk(self, setup: tuple):
        """The open desk for (path, bands, model); only for use in the thread."""
        from ..engine.segment.desk import Desk

        if setup not in self._desks:
            while len(self._desks) >= 2:  # two composites of one image may be tried together
                self._desks.pop(next(iter(self._desks))).close()
            path, bands, model = setup
            self._desks[setup] = Desk(path, [b for b in bands.split(";") if b], model)
        return self._desks[setup]
