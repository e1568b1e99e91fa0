"""A map that lies a few pixels off is moved back to where its edges meet the image's."""

from __future__ import annotations

import numpy as np

from ..grid import Window
from ..progress import SILENT, Progress
from .noise import find_shift
from .opinion import Opinion, Patch


def in_words(offset: tuple) -> str:
    """(rows, cols) to move by, as a direction: "3 pixels up and 1 pixel right"."""
    ways = zip(offset, (("up", "down"), ("left", "right")))
    parts = [
        f"{abs(n)} pixel{'s' if abs(n) > 1 else ''} {back if n < 0 else on}"
        for n, (back, on) in ways
        if n
    ]
    return " and ".join(parts) or "by nothing"


class ShiftEngine:
    """Moves the whole map by whole pixels; changes nothing when no offset stands out.

    Args:
        offset: (rows, cols) to move by; None to estimate it.
    """

    id = "shift"

    def __init__(self, offset: tuple | None = None):
        self.offset = offset
        self.halo = 0
        self.settings = "edges of the map matched with edges of the image"
        self._source = None

    def prepare(self, source, progress: Progress = SILENT) -> None:
        self._source = source
        if self.offset is None:
            found = find_shift(source)
            self.offset = found.offset if found.is_clear else (0, 0)
        self.halo = max(abs(self.offset[0]), abs(self.offset[1]))
        self.settings += f"; moved {in_words(self.offset)}"

    def propose(self, patch: Patch) -> Opinion:
        down, right = self.offset
        window, source = patch.window, self._source
        rows = np.clip(np.arange(window.row, window.row + window.height) - down,
                       0, source.height - 1)  # fmt: skip
        cols = np.clip(np.arange(window.col, window.col + window.width) - right,
                       0, source.width - 1)  # fmt: skip
        top, left = int(rows.min()), int(cols.min())
        wide = Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1)
        moved = source.patch(wide).labels[np.ix_(rows - top, cols - left)]
        changes = np.isin(moved, patch.codes) & (moved != patch.labels) & patch.valid
        proposed = np.where(changes, moved, patch.labels)
        sure = np.where(changes, 0.9, 1.0).astype(np.float32)
        return Opinion(proposed, sure, np.where(changes, 0.9, 0.0).astype(np.float32))
