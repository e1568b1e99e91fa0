"""Running one algorithm after another, with a line for each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import processing
from qgis.core import QgsProcessingException, QgsProcessingFeedback


class Failed(Exception):
    """An algorithm stopped; the text is its sentence."""


class _Quiet(QgsProcessingFeedback):
    """Keeps the messages and prints none."""

    def __init__(self):
        super().__init__(False)
        self.errors: list = []

    def reportError(self, error, fatalError=False):
        self.errors.append(error)


@dataclass(frozen=True)
class Step:
    """One line of the run: what, algorithm, seconds, and one figure in words."""

    what: str
    algorithm: str
    seconds: float
    figure: str


@dataclass
class Steps:
    """The steps so far."""

    done: list = field(default_factory=list)

    def run(self, algorithm: str, **parameters) -> tuple:
        """(results, seconds) of an algorithm; raises ``Failed`` with its sentence."""
        started = time.monotonic()
        feedback = _Quiet()
        try:
            results = processing.run(f"concord:{algorithm}", parameters, feedback=feedback)
        except QgsProcessingException as error:
            raise Failed(str(error) or "; ".join(feedback.errors)) from error
        return results, time.monotonic() - started

    def tell(self, what: str, algorithm: str, seconds: float, figure: str) -> None:
        """Print and keep the line of a finished step."""
        step = Step(what, algorithm, seconds, figure)
        self.done.append(step)
        print(f"{len(self.done):2d}. {what:<44} {seconds:6.1f} s   {figure}", flush=True)
