"""How long work tells where it is and learns that it should stop."""

from __future__ import annotations

import time
from typing import Callable

from .errors import Cancelled


class Progress:
    """Reports a share of the work with a rate, and raises when the user has cancelled.

    Args:
        show: called with a percentage 0-100 and a short text; may be None.
        cancelled: asked at every report; True ends the work with ``Cancelled``.
        low, high: the part of the whole bar (percent) that this progress fills.
    """

    def __init__(
        self,
        show: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        low: float = 0.0,
        high: float = 100.0,
    ):
        self._show = show
        self._cancelled = cancelled
        self._low, self._high = low, high
        self._started = time.monotonic()

    def check(self) -> None:
        """Raise ``Cancelled`` when the user has asked to stop."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled

    def report(self, done: float, total: float, text: str = "", unit: str = "tiles") -> None:
        """Say that ``done`` of ``total`` units are finished; the rate is worked out here."""
        self.check()
        if self._show is None:
            return
        share = min(1.0, done / total) if total else 1.0
        elapsed = time.monotonic() - self._started
        rate = f"{done / elapsed:.1f} {unit}/s" if done > 1 and elapsed > 0.2 else ""
        words = ", ".join(part for part in (text, rate) if part)
        self._show(self._low + share * (self._high - self._low), words)

    def part(self, low: float, high: float) -> Progress:
        """A progress that fills only ``low``..``high`` percent of this one."""
        width = (self._high - self._low) / 100.0
        return Progress(
            self._show, self._cancelled, self._low + low * width, self._low + high * width
        )


SILENT = Progress()
