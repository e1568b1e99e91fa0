"""The ground truth of the sample scene: relief, water, fields, woods and settlements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import fields, settle, terrain
from .covers import CLASS_OF, INDEX


@dataclass
class Landscape:
    """Everything that lies on the ground; arrays are (size, size), 10 m pixels.

    cover: index into covers.COVERS; truth: class codes 1-6; parcel: field number;
    angle: row direction of each parcel (rad); building: building number, 0 = none;
    elevation: metres; river_distance: pixels.
    """

    cover: np.ndarray
    truth: np.ndarray
    parcel: np.ndarray
    angle: np.ndarray
    building: np.ndarray
    elevation: np.ndarray
    river_distance: np.ndarray


def build(seed: int, size: int) -> Landscape:
    """The landscape of a seed, the same bytes every time."""
    ground = terrain.build(seed, size)
    land = fields.parcels(seed, size)
    cover = fields.grow(seed, ground, land)
    wet = ground.water >= 0
    cover[wet] = ground.water[wet]
    building = settle.settle(seed, ground, land, cover)
    # The river goes on under a bridge, ponds do not lie under anything.
    drowned = wet & (ground.water != INDEX["river"]) & (building == 0)
    cover[drowned] = ground.water[drowned]
    return Landscape(
        cover,
        CLASS_OF[cover],
        land.parcel,
        land.angle,
        building,
        ground.elevation,
        ground.river_distance,
    )
