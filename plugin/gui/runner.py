"""Runs one Processing algorithm at a time in the background and answers on the main thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsMapLayer,
    QgsMessageLog,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..bridge.text import tr

# The worker uses these by bare pointer; they must outlive the panel that started the run.
_running: dict[int, tuple] = {}


@dataclass
class Outcome:
    """How a run ended; `message` is one sentence when it did not end well."""

    ok: bool
    results: dict = field(default_factory=dict)
    message: str = ""
    cancelled: bool = False
    seconds: float = 0.0
    context: QgsProcessingContext | None = None

    def layer(self, name: str) -> QgsMapLayer | None:
        """Take the layer of an output out of the run; None when it was not made."""
        content = self.results.get(name)
        if not content or self.context is None:
            return None
        found = QgsProcessingUtils.mapLayerFromString(str(content), self.context)
        if found is None:
            return None
        # A layer of the run's own store dies with the run unless it is taken out.
        return self.context.takeResultLayer(found.id()) or found


class Feedback(QgsProcessingFeedback):
    """Keeps what went wrong and passes the algorithm's texts on; lives in both threads."""

    text = pyqtSignal(str)

    def __init__(self):
        super().__init__(False)
        self.errors: list[str] = []

    def reportError(self, error, fatalError=False):  # noqa: N802, N803 (Qt's names)
        self.errors.append(str(error))
        super().reportError(error, fatalError)

    def setProgressText(self, text):  # noqa: N802
        self.text.emit(str(text))
        super().setProgressText(text)


def sentence(errors: list[str]) -> str:
    """The one line worth showing out of what a run reported: the last one that says something."""
    for error in reversed(errors):
        lines = [line.strip() for line in error.strip().splitlines() if line.strip()]
        if not lines:
            continue
        line = lines[-1]
        if error.lstrip().startswith("Traceback"):
            line = line.split(": ", 1)[-1]
        return line
    return tr("The run failed without saying why; see the Log Messages panel.")


def plain(value, context: QgsProcessingContext):
    """Layers replaced by their ids, also in lists and dictionaries.

    The task carries parameters into the worker as bare pointers; a layer that the user removes in
    between would crash QGIS. Layers outside the project move into the run's own store.
    """
    if isinstance(value, QgsMapLayer):
        if context.project().mapLayer(value.id()) is None:
            context.temporaryLayerStore().addMapLayer(value)
        return value.id()
    if isinstance(value, (list, tuple)):
        return [plain(item, context) for item in value]
    if isinstance(value, dict):
        return {key: plain(item, context) for key, item in value.items()}
    return value


def time_left(percent: float, seconds: float) -> str:
    """How long a run still takes at its present pace; empty while that is a guess."""
    if percent < 2 or percent >= 100 or seconds < 1:
        return ""
    left = seconds * (100 - percent) / percent
    if left < 90:
        return tr("about {n} s left").format(n=max(1, round(left)))
    return tr("about {n} min left").format(n=round(left / 60))


def unavailable(algorithm_id: str) -> str:
    """Why an algorithm cannot run here (missing package, plugin not loaded), or nothing."""
    algorithm = QgsApplication.processingRegistry().algorithmById(algorithm_id)
    if algorithm is None:
        return tr("{id} is not registered; turn the Concord plugin off and on again.").format(
            id=algorithm_id
        )
    able, reason = algorithm.canExecute()
    return "" if able else reason


class Runner(QObject):
    """One run at a time. `done` is called once for each start, on the main thread."""

    started = pyqtSignal()
    progressed = pyqtSignal(float, str)
    ended = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._task = None
        self._feedback = None
        self._context = None
        self._done = None
        self._began = 0.0
        self._note = ""

    @property
    def busy(self) -> bool:
        return self._task is not None

    def start(self, algorithm_id: str, parameters: dict, done) -> bool:
        """Start a run; False when one is under way or when the parameters are refused.

        Refusals reach `done` too, so that a caller has one place for bad news.
        """
        if self.busy:
            return False
        self._began = time.monotonic()
        reason = unavailable(algorithm_id)
        if reason:
            done(Outcome(False, message=reason))
            return False
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(algorithm_id)
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        feedback = Feedback()
        context.setFeedback(feedback)
        parameters = plain(parameters, context)
        fine, reason = algorithm.checkParameterValues(parameters, context)
        if not fine:
            done(Outcome(False, message=sentence([reason])))
            return False
        # The constructor runs the algorithm's prepare step here, on the main thread.
        task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
        if task.isCanceled():
            done(Outcome(False, message=sentence(feedback.errors)))
            return False
        self._task, self._done = task, done
        self._feedback, self._context, self._note = feedback, context, ""
        key = id(task)
        _running[key] = (task, algorithm, context, feedback)
        task.executed.connect(self._executed)
        task.executed.connect(lambda ok, results: _running.pop(key, None))
        feedback.progressChanged.connect(self._progressed)
        feedback.text.connect(self._texted)
        self.started.emit()
        QgsApplication.taskManager().addTask(task)
        return True

    def cancel(self) -> None:
        """Ask the run to stop; its end comes through `done` as always."""
        if self._task is not None:
            self._feedback.cancel()
            self._task.cancel()

    def release(self) -> None:
        """Cancel, and forget the caller: nothing is called back any more."""
        if self._task is None:
            return
        self._done = None
        self.cancel()

    def _texted(self, text: str) -> None:
        self._note = text
        if self._feedback is not None:
            self._progressed(self._feedback.progress())

    def _progressed(self, percent: float) -> None:
        if self._task is None:
            return  # a queued signal of a run that has ended
        left = time_left(percent, time.monotonic() - self._began)
        self.progressed.emit(percent, " · ".join(part for part in (self._note, left) if part))

    def _executed(self, ok: bool, results: dict) -> None:
        feedback, context, done = self._feedback, self._context, self._done
        cancelled = feedback.isCanceled()
        message = ""
        if cancelled:
            message = tr("Cancelled.")
        elif not ok:
            message = sentence(feedback.errors)
            QgsMessageLog.logMessage(
                "\n".join(feedback.errors) or message, "Concord", Qgis.MessageLevel.Critical
            )
        outcome = Outcome(
            bool(ok) and not cancelled,
            dict(results),
            message,
            cancelled,
            time.monotonic() - self._began,
            context,
        )
        feedback.progressChanged.disconnect(self._progressed)
        feedback.text.disconnect(self._texted)
        self._task.executed.disconnect(self._executed)
        self._task = self._feedback = self._context = self._done = None
        self.ended.emit(outcome)
        if done is not None:
            done(outcome)
