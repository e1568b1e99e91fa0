"""Where tiles lie: exact halo crops, or windows spread evenly for blending."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ConcordError
from ..grid import Grid, Tile, Window
from .card import Card

OVERLAP = 0.25  # of a tile, where tiles are blended and the card does not say
SEAM = 1  # pixels beyond a core that are compared with the neighbouring tile
_DEAR = 0.05  # of a core's side: more is not given up for that comparison


def plan_tiles(grid: Grid, area: Window, side: int, card: Card, fixed: bool) -> list:
    """Tiles whose windows hold the card's halo around each core, or end at the image's edge.

    Windows start at multiples of the card's alignment and are a multiple of it long, but for the
    image's end. A graph of fixed size gets windows of ``side``, shifted inwards at the edge, so
    that it sees data and no padding wherever the image is large enough.
    """
    core_side = _core_side(side, card)
    if core_side <= 0 or card.halo < 0:
        raise ConcordError(
            f"The card's tile of {side} pixels does not suit its halo of {card.halo}; correct it."
        )
    if card.halo:
        # What is compared with a neighbour wants the whole halo around it, too; else the seam of
        # an exact run would disagree. Left out where the alignment makes that dear.
        roomy = replace(card, halo=card.halo + SEAM)
        smaller = _core_side(side, roomy)
        if smaller >= (1 - _DEAR) * core_side:
            card, core_side = roomy, smaller
    length = side if fixed else 0
    tiles = []
    for core in (tile.core for tile in grid.tiles(core_side, 0, area)):
        col, width = _span(core.col, core.width, grid.width, card, length)
        row, height = _span(core.row, core.height, grid.height, card, length)
        tiles.append(Tile(core, Window(col, row, width, height)))
    return tiles


def _core_side(side: int, card: Card) -> int:
    return (side - 2 * card.halo - card.alignment + 1) // card.alignment * card.alignment


def _span(start: int, size: int, limit: int, card: Card, length: int) -> tuple:
    """(start, size) along one axis of the window around a core; ``length`` 0 for any size."""
    step, end = card.alignment, min(limit, start + size + card.halo)
    first = max(0, start - card.halo) // step * step
    if length:
        inward = max(0, limit - length) // step * step
        if inward + length >= end:
            first = min(first, inward)
        return first, min(limit - first, length)
    return first, min(limit, first + -(-(end - first) // step) * step) - first


def plan_blended(grid: Grid, area: Window, side: int, card: Card) -> list:
    """Overlapping tiles, evenly spread over ``area``; every tile answers for all it reads.

    The last tile is not pushed back and no tile hangs over, as in nnU-Net's sliding window.
    The overlap is at least the hyperparameter ``overlap``, a share of the tile.
    """
    share = min(0.9, max(0.0, card.number("overlap", OVERLAP)))
    cols = _starts(area.col, area.width, side, share, card.alignment, grid.width)
    rows = _starts(area.row, area.height, side, share, card.alignment, grid.height)
    tiles = []
    for row in rows:
        for col in cols:
            window = Window(col, row, side, side).clipped(grid.width, grid.height)
            tiles.append(Tile(window, window))
    return tiles


def _starts(start: int, size: int, side: int, share: float, step: int, limit: int) -> list:
    """Where tiles begin along one axis: at multiples of the alignment, evenly spread.

    With an alignment the last tile may reach beyond the image by less than ``step`` pixels.
    """
    first, end = start // step * step, min(limit, start + size)
    if first + side >= end:  # the image around a small extent is context, where there is any
        inward = max(0, limit - side) // step * step
        return [min(first, inward) if inward + side >= end else first]
    count = 1 + int(np.ceil((end - first - side) / (side * (1 - share))))
    starts = [int(place) // step * step for place in np.linspace(first, end - side, count)]
    if starts[-1] + side < end:
        starts[-1] = -(-(end - side) // step) * step
    return sorted(set(starts))


def hann(rows: int, cols: int) -> np.ndarray:
    """Weights of a tile's pixels, greatest in the middle and never 0 (Pielawski, Wählby 2020)."""
    one, other = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in (rows, cols))
    return np.maximum(np.outer(one, other), 1e-4).astype(np.float32)
