"""A lock that everybody gets, also beside a thread that takes it again at once."""

from __future__ import annotations

import threading


class Turns:
    """Like `threading.Lock`, in turns: who waits goes before who has just released it.

    Python's own lock goes to whoever asks first after a release, which is the thread that released
    it: beside two that read in a loop, closing a raster took seconds.
    """

    def __init__(self):
        self._turn, self._lock = threading.Lock(), threading.Lock()

    def __enter__(self):
        with self._turn:
            self._lock.acquire()
        return self

    def __exit__(self, *_):
        self._lock.release()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it, or is about to have it."""
        return self._turn.locked()
