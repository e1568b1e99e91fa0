"""Checks before a run, in words with a traffic light: bands, units, resolution, values, nodata."""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..scene import Scene
from . import fit, levels
from .card import Card
from .values import scale
from .verdicts import AMBER, GREEN, RED, Verdict

_KM_PER_DEGREE = 111.2


def check(card: Card, scene: Scene, model=None, later=(), level=None) -> list:
    """Every verdict on running a model with ``card`` on ``scene``; reads a decimated image.

    Args:
        model: its ``session.Model``, when it is open.
        later: scenes of the following dates.
        level: what ``levels.over`` took the images for, where that is known already.
    """
    for other in later:
        other.check_units()
    scene.check_units()  # backscatter in linear power is read as dB from here on
    verdicts = [completeness(card)]
    if not card.inputs or not card.inputs[0].bands:
        return verdicts
    wanted = list(dict.fromkeys(card.inputs[0].bands))
    verdicts.append(fit.of_dates(card, 1 + len(later)))
    verdicts.append(fit.of_bands(card, [one.names for one in (scene, *later)]))
    verdicts.append(fit.of_size(card, rasters.metres_per_pixel(scene.grid)))
    if all(name in scene.sources for name in wanted):
        values = scene.glance(wanted)
        verdicts.append(_unit(card, scene, values))
        verdicts.append(_range(card, values))
        verdicts.append(_nodata(card, [scene, *later]))
        if model is not None:
            verdicts.append(_number_type(card, model, values))
    level = level or levels.over(card, [scene, *later])
    verdicts += [_level(level), _crs(scene), _region(card, scene)]
    verdicts.append(_sensor(card, scene))
    return [v for v in verdicts if v is not None]


def _number_type(card: Card, model, values: np.ndarray) -> Verdict | None:
    """Graphs that take whole numbers must get some that fill their range."""
    limits = model.integer_range()
    if limits is None or card.inputs[0].stride > 1:
        return None
    planes = [values[list(dict.fromkeys(card.inputs[0].bands)).index(b)]
              for b in card.inputs[0].bands]  # fmt: skip
    scaled = scale(np.stack(planes), card.inputs[0])
    finite = scaled[np.isfinite(scaled)]
    if not finite.size:
        return None
    low, high = (float(v) for v in np.percentile(finite, (1, 99)))
    text = f"the graph takes whole numbers {limits[0]} to {limits[1]}, gets {low:.3g} to {high:.3g}"
    if low < limits[0] - 0.5 or high > limits[1] + 0.5 or high - low < 2:
        return Verdict(RED, "Number type", f"{text}; set the scaling in the card")
    return Verdict(GREEN, "Number type", text)


def _level(level: levels.Level | None) -> Verdict | None:
    if level is None:
        return None
    return Verdict(AMBER if level.doubtful else GREEN, "Processing level", level.sentence)


def _crs(scene: Scene) -> Verdict | None:
    """Degrees far from the equator make pixels that are narrower than high."""
    if not rasters.crs_is_geographic(scene.grid.crs):
        return None
    _, bottom, _, top = scene.grid.bounds
    share = float(np.cos(np.radians((bottom + top) / 2)))
    share *= scene.grid.pixel_size[0] / scene.grid.pixel_size[1]
    if share > 0.8:
        return Verdict(GREEN, "CRS", "degrees; pixels are nearly square on the ground")
    return Verdict(
        AMBER, "CRS", f"degrees; a pixel is {share:.0%} as wide as high, use a projected CRS"
    )


def _region(card: Card, scene: Scene) -> Verdict | None:
    away = kilometres_away(card, scene)
    if away is None:
        return None
    if away > 0:
        detail = "the image lies outside of the training data"
        if card.places:
            return Verdict(AMBER, "Region", f"{detail}, {away:,.0f} km from its nearest place")
        west, south, east, north = card.region
        where = f"{west:.2f} to {east:.2f} E, {south:.2f} to {north:.2f} N"
        return Verdict(AMBER, "Region", f"{detail} ({where})")
    return Verdict(GREEN, "Region", "the image lies in the region of the training data")


def kilometres_away(card: Card, scene: Scene) -> float | None:
    """Distance of the image to the nearest place of the training data; 0 inside of it, None when
    the card does not say where that was."""
    places = [p for p in (card.places or (card.region,)) if len(p) == 4]
    if not places:
        return None
    try:
        left, bottom, right, top = rasters.transform_bounds(
            scene.grid.bounds, scene.grid.crs, "EPSG:4326"
        )
    except ConcordError:
        return None
    found = []
    for west, south, east, north in places:
        across = max(0.0, west - right, left - east)
        across = min(across, max(0.0, 360.0 - (max(east, right) - min(west, left))))
        down = max(0.0, south - top, bottom - north)
        middle = np.deg2rad(max(abs(bottom + top), abs(south + north)) / 2)
        found.append(_KM_PER_DEGREE * float(np.hypot(across * np.cos(middle), down)))
    return min(found)


def completeness(card: Card) -> Verdict:
    if card.missing:
        return Verdict(RED, "Card", f"the card ({card.origin}) lacks {', '.join(card.missing)}")
    return Verdict(GREEN, "Card", f"complete, from {card.origin}")


def _unit(card: Card, scene: Scene, values: np.ndarray) -> Verdict:
    finite = values[np.isfinite(values)]
    median = float(np.median(finite)) if finite.size else 0.0
    if card.inputs[0].unit == "reflectance" and median > 2:
        return Verdict(
            RED,
            "Unit",
            f"wants reflectance 0-1, the image has a median of {median:.0f}; set the scale in "
            "the Scene panel",
        )
    return fit.of_units(card, {name: source.unit for name, source in scene.sources.items()})


def _range(card: Card, values: np.ndarray) -> Verdict | None:
    ranges = card.inputs[0].value_range
    if len(ranges) != len(values):
        return None
    odd = []
    for name, (low, high), plane in zip(dict.fromkeys(card.inputs[0].bands), ranges, values):
        finite = plane[np.isfinite(plane)]
        if finite.size:
            share = float(((finite < low) | (finite > high)).mean())
            if share > 0.5:
                odd.append(f"{name} ({share:.0%} outside {low:.3g} to {high:.3g})")
    if odd:
        return Verdict(
            AMBER,
            "Values",
            f"unlike the training data: {', '.join(odd)}; rescale the image to those values",
        )
    return Verdict(GREEN, "Values", "within the range of the training data")


def _read(card: Card, scenes: list) -> list:
    """[(scene, its bands that a run reads)]: those of every input that the images have whole."""
    wanted: dict = {}
    for entry in card.inputs:
        channels = entry.channels
        if "T" in entry.axes:
            channels = [(band, date) for date in range(len(scenes)) for band in entry.bands]
        if all(d < len(scenes) and band in scenes[d].sources for band, d in channels):
            for band, date in channels:
                wanted.setdefault(date, {})[band] = None
    return [(scenes[date], list(bands)) for date, bands in sorted(wanted.items())]


def _nodata(card: Card, scenes: list) -> Verdict:
    """How much stays empty; of several dates the emptiest is told."""
    share, bare = 0.0, []
    for scene, bands in _read(card, scenes):
        lacking = ~np.isfinite(scene.glance(bands))
        share = max(share, float(lacking.any(axis=0).mean()))
        bare += [band for band, plane in zip(bands, lacking) if plane.all()]
    if bare:
        detail = f"{', '.join(dict.fromkeys(bare))} hold no data in the whole image; leave them out"
        return Verdict(RED, "No data", detail)
    if share == 1.0:
        return Verdict(RED, "No data", f"in the whole image; {fit.OTHER}")
    level = AMBER if share > 0.5 else GREEN
    return Verdict(level, "No data", f"{share:.1%} of the pixels are empty and stay empty")


def _sensor(card: Card, scene: Scene) -> Verdict | None:
    if not card.sensors:
        return None
    present = {s for found in scene.recognised for s in (found.sensor, *found.vouched)}
    present -= {"scene", "generic"}
    if not present or present & set(card.sensors):
        return None
    return Verdict(
        AMBER,
        "Sensor",
        f"trained on {', '.join(card.sensors)}, the image is {', '.join(sorted(present))}",
    )
