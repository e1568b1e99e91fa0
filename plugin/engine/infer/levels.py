"""Which processing level a model takes an image for, where its card tells levels apart.

Sentinel-2 comes with the air in it (L1C) or without (L2A), and files that lost their name do not
say which. A card tells levels apart by its hyperparameter ``levels``::

    {"input": "level", "numbers": {"L1C": 0, "L2A": 1}, "unknown": -1,
     "sensors": {"sentinel-2-l1c": "L1C", "sentinel-2-l2a": "L2A"},
     "air": {"weights": {"blue": 1, "red": -0.4}, "least": 0.05, "with": "L1C", "without": "L2A",
             "shares": [0.35, 0.55]}}

``input`` is an input of the graph with a value of its own, which gets one number for all tiles; at
``unknown`` the graph judges each tile by itself. A pixel has air in it where the weighted sum of
its bands is at least ``least``; below the first share of pixels without air an image is of one
level, from the second on of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConcordError
from .card import Card


@dataclass(frozen=True)
class Level:
    """What an image is taken for; ``name`` is '' where each tile is judged by itself.

    ``doubtful`` asks the user to look; ``why`` is in words.
    """

    name: str
    why: str
    doubtful: bool = False

    @property
    def sentence(self) -> str:
        return f"taken for {self.name}, {self.why}" if self.name else self.why


@dataclass(frozen=True)
class Levels:
    """The card's ``levels``, checked."""

    input: str
    numbers: dict
    unknown: float
    sensors: dict
    air: dict


def of(card: Card) -> Levels | None:
    """What a card says of levels, None when it tells none apart.

    Raises:
        ConcordError: it says that in another form than the one above.
    """
    raw = card.hyper.get("levels")
    if not raw:
        return None
    try:
        numbers = {str(name): float(number) for name, number in raw["numbers"].items()}
        air = dict(raw.get("air") or {})
        if air:
            air["weights"] = {str(band): float(w) for band, w in air["weights"].items()}
            air["least"], air["shares"] = float(air["least"]), [float(s) for s in air["shares"]]
            known = {air["with"], air["without"]} <= set(numbers) and len(air["shares"]) == 2
        else:
            known = True
        sensors = dict(raw.get("sensors") or {})
        if not known or not set(sensors.values()) <= set(numbers):
            raise ValueError("a level without a number")
        return Levels(str(raw["input"]), numbers, float(raw["unknown"]), sensors, air)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConcordError(
            f"The card of {card.id} describes its levels in a form that Concord does not know "
            f"({error}); correct or remove 'levels' in the card."
        ) from error


def assumed(card: Card, scene, wished: str = "") -> Level | None:
    """What the image is taken for: the user's word, then the product's, then its colours.

    Args:
        wished: a level of the card, '' to find out.

    Raises:
        ConcordError: the card knows no such level.
    """
    levels = of(card)
    if levels is None:
        if wished:
            raise ConcordError(f"{card.id} tells no processing levels apart; leave LEVEL empty.")
        return None
    by_name = {name.lower(): name for name in levels.numbers}
    if wished and wished.lower() not in by_name:
        raise ConcordError(f"LEVEL is '{wished}'; give {' or '.join(by_name.values())}, or none.")
    seen = _seen(levels, scene)
    said = by_name[wished.lower()] if wished else _said(levels, scene)
    if said:
        why = "as chosen" if wished else "as the product or its name says"
        if seen in ("", said):
            return Level(said, why)
        return Level(said, f"{why}, though blue and red look like {seen}", True)
    if seen:
        return Level(seen, "as blue and red tell; choose the level if that is wrong")
    return Level("", "not clear from blue and red, so each tile is judged by itself; choose the "
                 "level if you know it", True)  # fmt: skip


def applied(card: Card, level: Level | None) -> Card:
    """The card with the number that the graph is told for every tile."""
    levels = of(card)
    if levels is None or level is None:
        return card
    number = levels.numbers.get(level.name, levels.unknown)
    return replace(card, constants={levels.input: number})


def _said(levels: Levels, scene) -> str:
    """The level of the sensors that a product, a name or the user vouches for."""
    named = {sensor for found in scene.recognised for sensor in found.vouched}
    known = {levels.sensors[sensor] for sensor in named if sensor in levels.sensors}
    return known.pop() if len(known) == 1 else ""


def _seen(levels: Levels, scene) -> str:
    """The level that the colours tell, '' where they do not."""
    weights = levels.air.get("weights") or {}
    if not weights or not set(weights) <= set(scene.sources):
        return ""
    names = list(weights)
    view = scene.glance(names)
    known = np.isfinite(view).all(axis=0) & (view > 0).all(axis=0)
    if not known.any():
        return ""
    total = np.tensordot(np.array([weights[n] for n in names], np.float32), view, 1)
    share = float((total[known] < levels.air["least"]).mean())
    few, enough = levels.air["shares"]
    if few < share < enough:
        return ""
    return str(levels.air["with"] if share <= few else levels.air["without"])
