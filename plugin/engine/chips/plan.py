"""Which chips a label raster gives, what they are called and what they hold."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..taxonomy import IGNORE, NO_DATA

MOST_CHIPS = 200_000


@dataclass(frozen=True)
class Chip:
    """A place to cut: id, window on the label grid, bounds in map units."""

    id: str
    window: Window
    bounds: tuple

    @property
    def centre(self) -> tuple:
        left, bottom, right, top = self.bounds
        return ((left + right) / 2, (bottom + top) / 2)


@dataclass(frozen=True)
class Content:
    """What a chip's labels hold: pixels by class code, labelled share, mean score 0-1."""

    counts: np.ndarray
    labelled: float
    score: float | None


@dataclass(frozen=True)
class Gate:
    """What a chip must hold to leave; rejected ones are listed with the reason.

    Args:
        min_score: mean consensus posterior of the labelled pixels, 0-1.
        min_labelled: share of pixels that carry a class, 0-1.
    """

    min_score: float = 0.0
    min_labelled: float = 0.0

    def problem(self, content: Content) -> str:
        """Why a chip is rejected, or ''."""
        if content.labelled <= 0:
            return "no labelled pixel"
        if content.labelled < self.min_labelled:
            return f"labelled share {content.labelled:.2f} below {self.min_labelled:.2f}"
        if content.score is not None and content.score < self.min_score:
            return f"mean posterior {content.score:.2f} below {self.min_score:.2f}"
        return ""


@dataclass(frozen=True)
class Planned:
    """A chip that passed the gate."""

    chip: Chip
    content: Content
    block: tuple = field(default=(0, 0))
    split: str = ""


def _prefix(crs: str) -> str:
    code = rasters.epsg(crs)
    return str(code) if code else "x" + hashlib.sha256(crs.encode()).hexdigest()[:8]


def chip_grid(grid: Grid, size: int, stride: int) -> list:
    """Whole chips over a grid, from its corner.

    An id is EPSG code, column and row of the chip's corner counted in pixels from the origin of
    the CRS, so that a re-export of the same grid has the same ids.
    """
    if size < 8 or stride < 1:
        raise ConcordError(
            f"Chips of {size} pixels at a stride of {stride} cannot be cut; use a size of at "
            "least 8 and a stride of at least 1."
        )
    if size > min(grid.width, grid.height):
        raise ConcordError(
            f"The labels are {grid.width} x {grid.height} pixels, smaller than a chip of {size}; "
            "choose a smaller CHIP_SIZE."
        )
    count = ((grid.width - size) // stride + 1) * ((grid.height - size) // stride + 1)
    if count > MOST_CHIPS:
        raise ConcordError(
            f"That would be {count:,} chips; choose a larger stride (at most {MOST_CHIPS:,})."
        )
    prefix, (left, top) = _prefix(grid.crs), _corner(grid)
    chips = []
    for row in range(0, grid.height - size + 1, stride):
        for col in range(0, grid.width - size + 1, stride):
            window = Window(col, row, size, size)
            name = f"{prefix}_{left + col}_{top - row}"
            chips.append(Chip(name, window, grid.sub(window).bounds))
    return chips


def _corner(grid: Grid) -> tuple:
    """Whole pixels from the origin of the CRS to the grid's corner, (right, up).

    Rounded at 0.377, because grids are shifted by halves, thirds or quarters of a pixel and must
    not fall to either side by rounding noise.
    """
    col, row = grid.colrow(0.0, 0.0)
    return math.floor(-col + 0.377), math.floor(row + 0.377)


def content_of(labels: np.ndarray, score: np.ndarray | None) -> Content:
    """Count a chip's labels (rows, cols) and average its posterior 0-100 (rows, cols)."""
    counts = np.bincount(labels.ravel(), minlength=256)
    usable = (labels != NO_DATA) & (labels != IGNORE)
    share = float(usable.mean())
    mean = None
    if score is not None and usable.any():
        mean = float(score[usable].mean() / 100.0)
    return Content(counts, share, mean)
