"""Pléiades' DIM_*.XML and WorldView's .IMD: what turns numbers into radiance or reflectance.

Pléiades (Airbus Pléiades imagery user guide): radiance = DN / GAIN + BIAS in W/m2/sr/um, and with
the band's solar irradiance E and the sun's height reflectance = pi * radiance * d2 / (E * sin h),
d the distance to the sun in astronomical units. WorldView (Maxar's absolute radiometric calibration
notes): radiance = DN * absCalFactor / effectiveBandwidth; an .IMD names no irradiance.
"""

from __future__ import annotations

import datetime
import functools
import re
from math import cos, pi, radians, sin
from pathlib import Path

from .. import dates
from .product import Product, one, text_of

RADIANCE = "W/m2/sr/um"


def sun_distance(day: str) -> float:
    """Astronomical units between earth and sun on an ISO day, 1 without a day."""
    if not day:
        return 1.0
    number = datetime.date.fromisoformat(day).timetuple().tm_yday
    return 1 - 0.01672 * cos(radians(0.9856 * (number - 4)))


def is_of(path: Path, metadata: Path) -> bool:
    """Whether a raster is a tile of the product that a DIM or IMD file describes."""
    stem = metadata.stem.upper()
    return path.stem.upper().startswith(f"IMG_{stem[4:]}" if stem.startswith("DIM_") else stem)


@functools.lru_cache(maxsize=64)
def dimap(path: Path, _stamp: int) -> Product | None:
    """A DIMAP version 2 file of Pléiades."""
    text = text_of(path)
    if one(r"<MISSION>\s*([^<]+)<", text) != "PHR":
        return None
    day = dates.in_text(one(r"<IMAGING_DATE>\s*([^<]+)<", text))
    scales, unit, notes = {}, "reflectance", ()
    given = _measures(text, "Band_Reflectance")
    if given:
        scales = {name: (1.0 / gain, bias) for name, (gain, bias) in given.items()}
    else:
        scales = {n: (1.0 / gain, bias) for n, (gain, bias) in _measures(text).items()}
        suns, height = _irradiance(text), _sun_height(text)
        if scales and height and all(suns.get(name) for name in scales):
            factor = pi * sun_distance(day) ** 2 / sin(radians(height))
            scales = {
                name: (scale * factor / suns[name], bias * factor / suns[name])
                for name, (scale, bias) in scales.items()
            }
        else:
            unit = RADIANCE
            notes = (f"{path.name} gives no solar irradiance or sun height: radiance",)
    units = dict.fromkeys(scales, unit)
    return Product(
        str(path), "pleiades", "", day, None, False, scales, units=units,
        notes=notes if scales else (),
    )  # fmt: skip


def _measures(text: str, kind: str = "Band_Radiance") -> dict:
    """{band: (gain, bias)} of every measurement of a kind."""
    found = {}
    for block in re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL):
        name, gain = one(r"<BAND_ID>\s*([^<]+)<", block), _number(block, "GAIN")
        if name and gain:
            found[name] = (gain, _number(block, "BIAS") or 0.0)
    return found


def _irradiance(text: str) -> dict:
    blocks = re.findall(r"<Band_Solar_Irradiance>(.*?)</Band_Solar_Irradiance>", text, re.DOTALL)
    return {one(r"<BAND_ID>\s*([^<]+)<", block): _number(block, "VALUE") for block in blocks}


def _sun_height(text: str) -> float | None:
    """The sun's elevation in the middle of the image, or the mean of what is given."""
    for block in re.findall(
        r"<Located_Geometric_Values>(.*?)</Located_Geometric_Values>", text, re.DOTALL
    ):
        if one(r"<LOCATION_TYPE>\s*([^<]+)<", block).lower() == "center":
            return _number(block, "SUN_ELEVATION")
    values = [float(v) for v in re.findall(r"<SUN_ELEVATION[^>]*>\s*([-\d.eE]+)", text)]
    return sum(values) / len(values) if values else None


def _number(text: str, tag: str) -> float | None:
    found = one(rf"<{tag}[^>]*>\s*([-+\d.eE]+)\s*<", text)
    return float(found) if found else None


@functools.lru_cache(maxsize=64)
def imd(path: Path, _stamp: int) -> Product | None:
    """An .IMD of WorldView-2 or -3."""
    text = text_of(path)
    if one(r"satId\s*=\s*\"?([A-Z0-9]+)", text) not in ("WV02", "WV03"):
        return None
    scales = {}
    groups = re.findall(r"BEGIN_GROUP\s*=\s*BAND_(\w+)(.*?)END_GROUP", text, re.DOTALL)
    for name, block in groups:
        factor = one(r"absCalFactor\s*=\s*([-+\d.eE]+)", block)
        width = one(r"effectiveBandwidth\s*=\s*([-+\d.eE]+)", block)
        if factor and width and float(width):
            scales[name] = (float(factor) / float(width), 0.0)
    day = dates.in_text(one(r"(?:TLCTime|firstLineTime|earliestAcqTime)\s*=\s*([-\d]+)", text))
    notes = (f"{path.name} gives no solar irradiance: radiance, no reflectance",)
    return Product(
        str(path), "worldview", "", day, None, False, scales,
        units=dict.fromkeys(scales, RADIANCE), notes=notes if scales else (),
    )  # fmt: skip
