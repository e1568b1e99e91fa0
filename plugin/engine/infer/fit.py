"""Whether a model could run on an image, as far as the headers tell: dates, bands, size, units."""

from __future__ import annotations

import re

from . import dates
from .card import Card
from .verdicts import AMBER, GREEN, RED, Verdict

OTHER = "choose another model or image"
_LISTED = 6  # bands that a sentence names
_NAMELESS = re.compile(r"band_\d+")  # what a band is called that the file gives no name


def against(card: Card, units: dict, metres: float) -> Verdict | None:
    """What keeps a model from one image, None where the headers say nothing against it.

    Args:
        units: {band: unit} of the image, a unit that it does not say is ''.
        metres: height of its pixels on the ground.
    """
    found = [of_dates(card, 1), of_bands(card, [list(units)]), of_size(card, metres)]
    if all(band in units for band in card.inputs[0].bands):
        found.append(of_units(card, units))
    return next((v for v in found if v is not None and v.level == RED), None)


def of_dates(card: Card, given: int) -> Verdict | None:
    needed = dates.wanted(card)
    if needed == given or needed == 0 or (needed == 1 and given == 1):
        return None if given == 1 else Verdict(GREEN, "Dates", f"{given} given")
    detail = f"wants images of {needed} dates, got {given}; give them in order"
    return Verdict(RED, "Dates", detail)


def of_bands(card: Card, images: list) -> Verdict:
    """The bands of every input on its date; inputs that are optional may be absent.

    Args:
        images: the names of the bands of every date.
    """
    without: list = []
    for number, entry in enumerate(card.inputs):
        for date, present in enumerate(images):
            names = [b for b, d in entry.channels if d == date]
            if "T" in entry.axes:
                names = list(entry.bands)
            absent = [name for name in names if name not in present]
            if absent and entry.optional:
                without += names  # all zeros then, also those that are there
            elif absent:
                where = "" if date == 0 and number == 0 else f" for input {number + 1}"
                where += f" on date {date + 1}" if len(images) > 1 else ""
                return Verdict(RED, "Bands", f"missing {listed(absent)}{where}{_cure(present)}")
    named = dict.fromkeys(band for entry in card.inputs for band in entry.bands)
    if without:
        found = ", ".join(name for name in named if name not in without)
        lost = ", ".join(dict.fromkeys(without))
        return Verdict(AMBER, "Bands", f"{found} found by name; runs without {lost}, less surely")
    return Verdict(GREEN, "Bands", f"{', '.join(named)} found by name")


def _cure(present: list) -> str:
    """Bands without names are there all the same; whoever says their sensor names them."""
    if present and all(_NAMELESS.fullmatch(name) for name in present):
        bands = "1 band has" if len(present) == 1 else f"{len(present)} bands have"
        return f"; the image's {bands} no names, load it through the Scene panel with its sensor"
    return f" (the image has {listed(present)}); {OTHER}"


def listed(names: list) -> str:
    """Names with commas, the first of them where they are many."""
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"


def of_size(card: Card, metres: float) -> Verdict | None:
    if len(card.pixel_size_range) != 2:
        return None
    low, high = card.pixel_size_range
    text = f"{metres:.3g} m pixels, made for {low:g} to {high:g} m"
    if low <= metres <= high:
        return Verdict(GREEN, "Resolution", text)
    far = metres < low / 2 or metres > high * 2
    # Pixels made finer than they were seen hold nothing that the model could find.
    remedy = "choose a sharper image" if metres > high else f"resample it to {low:g} m or more"
    return Verdict(RED if far else AMBER, "Resolution", f"{text}; {remedy}")


def of_units(card: Card, units: dict) -> Verdict:
    """One unit for all bands of the first input, or one a band where they come of several sensors.

    Args:
        units: {band: unit}, see ``against``.
    """
    entry = card.inputs[0]
    wants = dict(zip(entry.bands, [entry.unit] * len(entry.bands) if entry.unit else entry.units))
    wants = {band: want for band, want in wants.items() if want not in ("", "none")}
    wrong: dict = {}  # bands by what they want and are in
    for band, want in wants.items():
        if units[band] not in ("", want):
            wrong.setdefault((want, units[band]), []).append(band)
    if wrong:
        said = [f"{listed(b)} wants {want}, is in {has}" for (want, has), b in wrong.items()]
        if len(wrong) == 1 and len(*wrong.values()) == len(entry.bands):
            said = ["wants {}, the image is in {}".format(*next(iter(wrong)))]
        return Verdict(RED, "Unit", f"{', '.join(said)}; {OTHER}")
    silent = [band for band in wants if not units[band]]
    if silent and len(silent) == len(entry.bands) and entry.unit:
        return Verdict(AMBER, "Unit", f"wants {entry.unit}, the image does not say its unit")
    if silent:
        return Verdict(AMBER, "Unit", f"the image does not say the unit of {listed(silent)}")
    return Verdict(GREEN, "Unit", ", ".join(dict.fromkeys(wants.values())) or "not stated")
