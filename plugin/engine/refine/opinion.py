"""The interface of refinement engines: a patch of image and labels in, an opinion out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..grid import Window
from ..progress import SILENT, Progress


@dataclass(frozen=True)
class Patch:
    """What an engine sees of a window of the map.

    Args:
        picture: composite (rows, cols, 3) of uint8.
        valid: (rows, cols), where the image has data.
        labels: class codes (rows, cols) of uint8.
        codes: codes of the taxonomy, sorted.
        bands: image stack (planes, rows, cols) of float32, standardised over the whole scene, 0
            where there is no data; None for engines that only look at the picture.
        window: where the patch lies in the grid of the map.
    """

    picture: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    codes: tuple
    bands: np.ndarray | None = None
    window: Window | None = None


@dataclass(frozen=True)
class Opinion:
    """Per pixel (rows, cols): the class an engine would give, how sure it is (0-1), and by how
    much that class leads the old one (0-1, 0 when the old one should stay)."""

    proposed: np.ndarray
    confidence: np.ndarray
    lead: np.ndarray


class Source(Protocol):
    """The whole map, read by windows: what an engine may look at before it answers."""

    width: int
    height: int
    codes: tuple

    def patch(self, window: Window) -> Patch:
        """Image and labels of a window that lies inside the map."""


class Engine(Protocol):
    """One way of repairing a map; ``halo`` is how far it looks around a pixel, ``settings`` says
    in words what was assumed."""

    id: str
    halo: int
    settings: str

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        """Look at the whole map once, before any patch is answered."""

    def propose(self, patch: Patch) -> Opinion:
        """What the engine would change; guards are applied by the caller."""


def shares_of(labels: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """One plane (rows, cols) of float32 a class: 1 where the map has that class."""
    out = np.empty((len(codes), *labels.shape), np.float32)
    for plane, code in zip(out, codes):
        plane[:] = labels == code
    return out


def from_shares(shares: np.ndarray, codes: np.ndarray, labels: np.ndarray) -> Opinion:
    """An opinion from the share of each class around each pixel.

    Args:
        shares: (classes, rows, cols), 0-1.
        codes: class codes in the order of ``shares``.
        labels: (rows, cols) old codes.
    """
    top, own = shares[0].copy(), np.zeros(labels.shape, shares.dtype)
    best = np.full(labels.shape, codes[0], np.uint8)
    for plane, code in zip(shares, codes):
        here = labels == code
        np.copyto(own, plane, where=here)
        better = plane > top
        np.copyto(top, plane, where=better)
        best[better] = code
    keeps = own >= top  # a tie keeps the old class
    proposed = np.where(keeps, labels, best).astype(np.uint8)
    lead = np.where(keeps, 0.0, top - own).astype(np.float32)
    return Opinion(proposed, np.where(keeps, own, top).astype(np.float32), lead)
