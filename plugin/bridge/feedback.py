"""Between QGIS's feedback objects and the engine's progress."""

from __future__ import annotations

import time

from ..engine.progress import Progress


def progress_of(feedback) -> Progress:
    """A ``Progress`` that shows in a ``QgsProcessingFeedback`` and ends when it is cancelled.

    Texts are passed on at most twice a second, because every one becomes a line in the log.
    """
    last = {"text": "", "time": 0.0}

    def show(percent: float, text: str) -> None:
        feedback.setProgress(percent)
        now = time.monotonic()
        if text and text != last["text"] and now - last["time"] > 0.5:
            last.update(text=text, time=now)
            feedback.setProgressText(text)

    return Progress(show, feedback.isCanceled)
