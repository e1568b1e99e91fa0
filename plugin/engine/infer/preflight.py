"""Checks before a run, in words with a traffic light: bands, units, resolution, values, nodata."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..scene import Scene
from .card import Card

GREEN, AMBER, RED = "green", "amber", "red"


@dataclass(frozen=True)
class Verdict:
    """One check: ``level`` green, amber or red; ``what`` was looked at; ``detail`` in words."""

    level: str
    what: str
    detail: str

    def as_json(self) -> dict:
        return asdict(self)


def worst(verdicts) -> str:
    """The level that decides."""
    levels = [v.level for v in verdicts]
    return RED if RED in levels else AMBER if AMBER in levels else GREEN


def check(card: Card, scene: Scene) -> list:
    """Every verdict on running a model with ``card`` on ``scene``; reads a decimated image."""
    scene.check_units()  # backscatter in linear power is read as dB from here on
    verdicts = [completeness(card)]
    if not card.inputs or not card.inputs[0].bands:
        return verdicts
    wanted = card.inputs[0].bands
    verdicts.append(_bands(wanted, scene))
    verdicts.append(_resolution(card, scene))
    if all(name in scene.sources for name in wanted):
        values = scene.overview(list(wanted), 256)
        verdicts.append(_unit(card, scene, values))
        verdicts.append(_range(card, values))
        verdicts.append(_nodata(values))
    verdicts.append(_sensor(card, scene))
    return [v for v in verdicts if v is not None]


def completeness(card: Card) -> Verdict:
    if card.missing:
        return Verdict(RED, "Card", f"the card ({card.origin}) lacks {', '.join(card.missing)}")
    return Verdict(GREEN, "Card", f"complete, from {card.origin}")


def _bands(wanted, scene: Scene) -> Verdict:
    absent = [name for name in wanted if name not in scene.sources]
    if absent:
        return Verdict(
            RED,
            "Bands",
            f"missing {', '.join(absent)}; the image has {', '.join(scene.names)}",
        )
    return Verdict(GREEN, "Bands", f"{', '.join(wanted)} found by name")


def _resolution(card: Card, scene: Scene) -> Verdict | None:
    if len(card.pixel_size_range) != 2:
        return None
    low, high = card.pixel_size_range
    size = rasters.metres_per_pixel(scene.grid)
    text = f"{size:.3g} m pixels, made for {low:g} to {high:g} m"
    if low <= size <= high:
        return Verdict(GREEN, "Resolution", text)
    far = size < low / 2 or size > high * 2
    return Verdict(RED if far else AMBER, "Resolution", f"{text}; resample the image")


def _unit(card: Card, scene: Scene, values: np.ndarray) -> Verdict:
    wanted = card.inputs[0].unit
    units = sorted(set(scene.units(card.inputs[0].bands)))
    finite = values[np.isfinite(values)]
    median = float(np.median(finite)) if finite.size else 0.0
    if wanted == "reflectance" and median > 2:
        return Verdict(
            RED,
            "Unit",
            f"wants reflectance 0-1, the image has a median of {median:.0f}; set the scale in "
            "the Scene panel",
        )
    if not wanted or units == [wanted]:
        return Verdict(GREEN, "Unit", wanted or "not stated by the card")
    named = [unit for unit in units if unit]
    if not named:
        return Verdict(AMBER, "Unit", f"wants {wanted}, the image does not say its unit")
    return Verdict(RED, "Unit", f"wants {wanted}, the image is in {', '.join(named)}")


def _range(card: Card, values: np.ndarray) -> Verdict | None:
    ranges = card.inputs[0].value_range
    if len(ranges) != len(values):
        return None
    odd = []
    for name, (low, high), plane in zip(card.inputs[0].bands, ranges, values):
        finite = plane[np.isfinite(plane)]
        if finite.size:
            share = float(((finite < low) | (finite > high)).mean())
            if share > 0.5:
                odd.append(f"{name} ({share:.0%} outside {low:.3g} to {high:.3g})")
    if odd:
        return Verdict(AMBER, "Values", f"unlike the training data: {', '.join(odd)}")
    return Verdict(GREEN, "Values", "within the range of the training data")


def _nodata(values: np.ndarray) -> Verdict:
    share = float((~np.isfinite(values)).any(axis=0).mean())
    if share == 1.0:
        return Verdict(RED, "No data", "the image has no data here")
    level = AMBER if share > 0.5 else GREEN
    return Verdict(level, "No data", f"{share:.1%} of the pixels are empty and stay empty")


def _sensor(card: Card, scene: Scene) -> Verdict | None:
    if not card.sensors:
        return None
    present = {found.sensor for found in scene.recognised} - {"scene", "generic"}
    if not present or present & set(card.sensors):
        return None
    return Verdict(
        AMBER,
        "Sensor",
        f"trained on {', '.join(card.sensors)}, the image is {', '.join(sorted(present))}",
    )


def refuse_red(verdicts, model: str) -> None:
    """Refuse a run with a red verdict, naming the first one."""
    reds = [v for v in verdicts if v.level == RED]
    if reds:
        raise ConcordError(
            f"{model} does not fit the image: {reds[0].what.lower()} {reds[0].detail}; mend it "
            "or run with OVERRIDE."
        )
