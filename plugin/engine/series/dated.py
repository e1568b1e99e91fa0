"""Files of several dates, grouped: imagery by date and sensor, quality layers by date."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from .. import dates, gather, rasters, sensors
from ..errors import ConcordError

_CLOUD_WORDS = {"cloud", "clouds", "cloudmask", "clm", "clp", "mask"}


@dataclass(frozen=True)
class Mask:
    """A quality layer; ``kind`` is classes, bits, clear (1 = clear) or cloud (0 = clear)."""

    path: str
    kind: str
    bad: tuple = ()
    fill: float | None = None
    fill_bit: bool = False
    title: str = ""


@dataclass
class Dated:
    """What was found of one date; ``images`` is {sensor: [(info, recognised)]}."""

    date: str
    masks: list = field(default_factory=list)
    images: dict = field(default_factory=dict)


def group(inputs) -> tuple:
    """([Dated] in order of date, [{"file", "reason"}] that were left out).

    Raises:
        ConcordError: no file carries a date.
    """
    found, skipped = {}, []
    for given in inputs:
        for path in gather.expand([given]):
            date = date_of(path)
            if not date:
                skipped.append({"file": path, "reason": "no date in its name or metadata"})
                continue
            entry = found.setdefault(date, Dated(date))
            why = _file(entry, path)
            if why:
                skipped.append({"file": path, "reason": why})
    used = [entry for entry in found.values() if entry.masks or entry.images]
    if not used:
        first = skipped[0] if skipped else None
        why = f" ({gather.place_of(first['file'])}: {first['reason']})" if first else ""
        raise ConcordError(
            f"{inputs[0]} holds no dated scene or mask{why}; put the date (YYYYMMDD) into file "
            "or folder names."
        )
    return sorted(used, key=lambda entry: entry.date), skipped


def date_of(path: str) -> str:
    """The date by the product's metadata, else by file and folder names."""
    product = sensors.product_of(path)
    return (product.date if product is not None else "") or dates.of_path(path)


def _file(entry: Dated, path: str) -> str:
    """Put a file where it belongs; the reason when it is left out."""
    if Path(path).is_file() and Path(path).stat().st_size == 0:
        return "the file is empty (0 bytes)"
    try:
        info = rasters.info(path)
    except ConcordError:
        return "it cannot be opened as a raster"
    if not info.grid.crs:
        return "it has no coordinate reference system"
    mask = mask_of(info)
    if mask is not None:
        entry.masks.append(mask)
        return ""
    if info.categories or any(info.colours.values()):
        return "a class raster"
    known = sensors.recognise(info)
    if known.sensor == sensors.GENERIC:
        return "neither a known sensor nor a quality layer"
    entry.images.setdefault(known.sensor, []).append((info, known))
    return ""


def named_as_mask(path: str) -> bool:
    """True when a file's name speaks of a quality layer or a cloud mask; it is not opened."""
    words = set(re.findall(r"[a-z]+", Path(path).stem.lower()))
    return bool(words & _CLOUD_WORDS) or gather.quality_of(path) is not None


def mask_of(info) -> Mask | None:
    """The quality layer that a raster is by its name, None for imagery."""
    named = gather.quality_of(info.path)
    if named is not None:
        preset, layer = named
        fill_bit = layer.kind == "bits" and layer.names.get(0) == "fill"
        title = f"{layer.aliases[0]} of {preset.title}"
        return Mask(info.path, layer.kind, layer.bad, layer.fill, fill_bit, title)
    words = set(re.findall(r"[a-z]+", Path(info.path).stem.lower()))
    whole = info.bands[0].dtype in ("uint8", "uint16", "int16", "int8")
    if len(info.bands) == 1 and whole and words & _CLOUD_WORDS:
        return Mask(info.path, "cloud", title="cloud mask, 0 is clear")
    return None
