"""What a user said of single files: sensor, date, band names, or that one stays out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from . import dates, sensors
from .errors import ConcordError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Correction:
    """The user's word on one file; '' and () where nothing was said."""

    sensor: str = ""
    date: str = ""
    bands: tuple = ()
    use: bool = True


def parse(text: str) -> dict:
    """{path: Correction} from JSON: {path: {"sensor", "date", "bands", "use"}}.

    Raises:
        ConcordError: it is no such JSON, a date is none, or a band name is none.
    """
    if not text.strip():
        return {}
    try:
        raw = json.loads(text)
        found = {str(path): _one(str(path), entry) for path, entry in raw.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ConcordError(
            "CORRECTIONS is not understood; give JSON such as "
            '{"file.tif": {"sensor": "naip", "date": "2021-06-30", "bands": "red;green;blue"}}.'
        ) from error
    return found


def _one(path: str, entry: dict) -> Correction:
    bands = entry.get("bands") or ()
    bands = bands.split(";") if isinstance(bands, str) else bands
    names = tuple(str(band).strip() for band in bands)
    name, date = Path(path).name, str(entry.get("date") or "").strip()
    if date and dates.in_text(date) != date:
        raise ConcordError(f"The date '{date}' of {name} is no day; write it as 2021-06-30.")
    wrong = next((band for band in names if not _NAME.fullmatch(band)), None)
    if wrong is not None:
        raise ConcordError(
            f"'{wrong}' of {name} is no band name; use small letters, digits and _, such as nir."
        )
    if len(set(names)) != len(names):
        raise ConcordError(f"The bands of {name} are not told apart; give each its own name.")
    return Correction(str(entry.get("sensor") or ""), date, names, bool(entry.get("use", True)))


def recognise(info, sensor: str, correction: Correction | None):
    """What a file is when the user's word counts first; ``sensor`` is asked for where it is mute.

    Raises:
        ConcordError: the file has another number of bands than names were given.
    """
    if correction is None:
        return sensors.recognise(info, sensor)
    chosen = correction.sensor or sensor
    if correction.bands:
        info = _named(info, correction.bands)
    known = sensors.recognise(info, chosen)
    bands = known.bands
    if correction.bands:
        told = zip(known.bands, _wanted(info, known, correction.bands))
        bands = tuple(replace(band, name=name) for band, name in told)
    return replace(
        known, bands=bands, date=correction.date or known.date,
        reason=f"{known.reason}, corrected by the user",
    )  # fmt: skip


def _named(info, names: tuple):
    """The file as if its bands carried these names, so that a preset knows their scale."""
    if len(info.bands) != len(names):
        raise ConcordError(
            f"{Path(info.path).name} has {len(info.bands)} bands, {len(names)} names were given; "
            "name them all."
        )
    pairs = zip(info.bands, names)
    return replace(info, bands=tuple(replace(band, name=name) for band, name in pairs))


def _wanted(info, known, names: tuple) -> list:
    """The given names of the bands that were kept, in their order."""
    by_index = {band.index: name for band, name in zip(info.bands, names)}
    return [by_index[band.index] for band in known.bands]
