"""Encodings kept in memory, so that a second prompt at a place answers at once."""

from __future__ import annotations

import threading
from collections import OrderedDict


class EncodingStore:
    """A least-recently-used store with a limit on the number of encodings."""

    def __init__(self, limit: int = 32):
        self._limit = limit
        self._kept: OrderedDict = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key, make):
        """The encoding under ``key``, made by ``make()`` when it is not there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return made

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


SHARED = EncodingStore()
