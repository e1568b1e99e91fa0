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
        unknown, sensors = float(raw["unknown"]), dict(raw.get("sensors") or {})
        air, named = _air(raw.get("air") or {}), set(sensors.values())
        if not (named | {air[k] for k in ("with", "without") if air}) <= set(numbers):
            raise ValueError("a level without a number")
        if not np.isfinite([*numbers.values(), unknown]).all():
            raise ValueError("a number that is none")
        return Levels(str(raw["input"]), numbers, unknown, sensors, air)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConcordError(
            f"The card of {card.id} describes its levels in a form that Concord does not know "
            f"({error}); correct or remove 'levels' in the card."
        ) from error


def _air(raw: dict) -> dict:
    if not raw:
        return {}
    weights = {str(band): float(weight) for band, weight in raw["weights"].items()}
    least, (few, enough) = float(raw["least"]), (float(share) for share in raw["shares"])
    if not np.isfinite([*weights.values(), least]).all() or not 0 <= few <= enough <= 1:
        raise ValueError("air that cannot be told")
    return {**raw, "weights": weights, "least": least, "shares": (few, enough)}


def over(card: Card, scenes: list, wished: str = "") -> Level | None:
    """What the images of all dates are taken for, see ``assumed``; one number serves them all."""
    found = [assumed(card, scene, wished) for scene in scenes]
    if len({level.name for level in found if level is not None}) > 1:
        said = ", ".join(level.name or "unclear" for level in found)
        return Level("", f"the dates differ ({said}), so each tile is judged by itself", True)
    return next((level for level in found if level and level.doubtful), found[0])


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
    scene.check_units()  # an offset that the values contradict is undone before they are judged
    seen, why = _seen(levels, card, scene)
    said = by_name[wished.lower()] if wished else _said(levels, scene)
    if said:
        source = "as chosen" if wished else "as the product or its name says"
        if seen in ("", said):
            return Level(said, source)
        return Level(said, f"{source}, though {why} look like {seen}", True)
    if seen:
        return Level(seen, f"as {why} tell; choose the level if that is wrong")
    return Level("", f"{why}, so each tile is judged by itself; choose the level if you know it",
                 True)  # fmt: skip


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


def _seen(levels: Levels, card: Card, scene) -> tuple:
    """(level that the colours tell, which colours), ('', why not) where they do not."""
    names = list(levels.air.get("weights") or {})
    if not names:
        return "", "nothing in the image tells its level"
    absent = [name for name in names if name not in scene.sources]
    if absent:
        return "", f"the image has no {absent[0]} to tell its level"
    view = scene.glance(names)
    known = np.isfinite(view).all(axis=0) & (view > 0).all(axis=0)
    if not known.any():
        return "", "the image holds no data to tell its level"
    wanted = card.inputs[0].unit if card.inputs else ""
    if wanted == "reflectance" and np.median(view[:, known]) > 2:
        return "", "the image is not in reflectance, which would tell its level"
    weights = np.array([levels.air["weights"][name] for name in names], np.float32)
    share = float((np.tensordot(weights, view, 1)[known] < levels.air["least"]).mean())
    few, enough = levels.air["shares"]
    colours = " and ".join(names)
    if few < share < enough:
        return "", f"{colours} do not tell its level clearly"
    return str(levels.air["with"] if share <= few else levels.air["without"]), colours
