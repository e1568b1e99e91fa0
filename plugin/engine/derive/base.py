"""What a derived band is: the bands it needs, how far it looks, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import numpy as np

Planes = dict  # {band name: float32 (rows, cols)}, NaN for no data


@dataclass(frozen=True)
class Derived:
    """A derived band, ready to compute on windows of its scene.

    ``compute`` takes the planes of ``needs`` on a window that is ``halo`` pixels larger on every
    side (less at the scene's edge) and gives one plane of that size. ``figures`` are numbers for
    the report, such as a self-test.
    """

    name: str
    needs: tuple
    unit: str
    source: str
    compute: Callable[[Planes], np.ndarray]
    halo: int = 0
    warnings: tuple = ()
    figures: dict = field(default_factory=dict)
