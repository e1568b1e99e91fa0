"""The interface of refinement engines: a patch of image and labels in, an opinion out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Patch:
    """What an engine sees of a tile: a composite (rows, cols, 3) of uint8, where it has data,
    the class codes (rows, cols) and the codes of the taxonomy, sorted."""

    picture: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    codes: tuple


@dataclass(frozen=True)
class Opinion:
    """Per pixel (rows, cols): the class an engine would give, how sure it is (0-1), and by how
    much that class leads the old one (0-1, 0 when the old one should stay)."""

    proposed: np.ndarray
    confidence: np.ndarray
    lead: np.ndarray


class Engine(Protocol):
    """One way of repairing a map; ``halo`` is how far it looks around a pixel, ``settings`` says
    in words what was assumed."""

    id: str
    halo: int
    settings: str

    def propose(self, patch: Patch) -> Opinion:
        """What the engine would change; guards are applied by the caller."""


def from_shares(shares: np.ndarray, codes: np.ndarray, labels: np.ndarray) -> Opinion:
    """An opinion from the share of each class around each pixel.

    Args:
        shares: (classes, rows, cols), 0-1.
        codes: class codes in the order of ``shares``.
        labels: (rows, cols) old codes.
    """
    best = shares.argmax(axis=0)
    top = np.take_along_axis(shares, best[None], axis=0)[0]
    index = np.full(256, -1, np.int16)
    index[codes] = np.arange(len(codes))
    old = index[labels]
    own = np.take_along_axis(shares, np.maximum(old, 0)[None], axis=0)[0]
    own = np.where(old >= 0, own, 0.0)
    keeps = own >= top  # a tie keeps the old class
    proposed = np.where(keeps, labels, codes[best]).astype(np.uint8)
    lead = np.where(keeps, 0.0, top - own).astype(np.float32)
    return Opinion(proposed, np.where(keeps, own, top).astype(np.float32), lead)
