"""The pause that keeps a benchmark's own set-up out of its time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

_paused = [0.0]


@contextlib.contextmanager
def pause() -> Iterator[None]:
    """What runs inside is not counted as the benchmark's time."""
    start = time.perf_counter()
    try:
        yield
    finally:
        _paused[0] += time.perf_counter() - start


def paused() -> float:
    """Seconds spent in pauses so far in this process."""
    return _paused[0]
