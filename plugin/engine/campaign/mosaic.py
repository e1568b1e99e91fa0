"""Votes of many tasks as one class raster per person, on the part of the grid that has tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..progress import SILENT, Progress


def area_of(grid: Grid, windows) -> tuple:
    """(grid of the smallest rectangle around the windows, its window)."""
    windows = list(windows)
    if not windows:
        raise ConcordError("Nobody has submitted any task yet; label and submit some first.")
    col, row = min(w.col for w in windows), min(w.row for w in windows)
    right = max(w.col + w.width for w in windows)
    below = max(w.row + w.height for w in windows)
    window = Window(col, row, right - col, below - row)
    return grid.sub(window), window


def write(path: str | Path, pieces, grid: Grid, corner: Window, scheme,
          progress: Progress = SILENT) -> str:  # fmt: skip
    """One class raster from (window, mask) pieces; 0 between them.

    Args:
        grid: of the output; ``corner`` is its window in the grid that the pieces count in.
    """
    pieces = list(pieces)
    with rasters.Writer(
        path, grid, 1, "uint8", names=["class"], nodata=0, categories=scheme.names,
        colours=scheme.colours,
    ) as writer:  # fmt: skip
        for done, (window, mask) in enumerate(pieces):
            progress.report(done, len(pieces), "Laying out votes", "tasks")
            place = Window(
                window.col - corner.col, window.row - corner.row, window.width, window.height
            )
            writer.write(np.ascontiguousarray(mask), place)
    return str(path)


class Settled:
    """Adjudicated masks laid over the consensus: a person decided, so the posterior is 100."""

    def __init__(self, pieces, corner: Window):
        self._pieces = [
            (Window(w.col - corner.col, w.row - corner.row, w.width, w.height), mask)
            for w, mask in pieces
        ]

    def __len__(self) -> int:
        return len(self._pieces)

    def lay(self, window: Window, classes: np.ndarray, posterior: np.ndarray) -> None:
        """Change the arrays of a window in place where something was decided."""
        for place, mask in self._pieces:
            left, top = max(place.col, window.col), max(place.row, window.row)
            right = min(place.col + place.width, window.col + window.width)
            below = min(place.row + place.height, window.row + window.height)
            if right <= left or below <= top:
                continue
            part = mask[top - place.row : below - place.row, left - place.col : right - place.col]
            here = (slice(top - window.row, below - window.row),
                    slice(left - window.col, right - window.col))  # fmt: skip
            decided = part > 0
            classes[here][decided] = part[decided]
            posterior[here][decided] = np.where(part[decided] == 255, 0, 100)
