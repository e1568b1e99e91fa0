"""Sensor presets read from resources/sensors; adding a sensor is adding a file.

The files follow resources/schemas/sensor.schema.json.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import ConcordError

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "sensors"
GENERIC = "generic"


@dataclass(frozen=True)
class PresetBand:
    """STAC common name, what products call it, centre wavelength and width (µm), pixel (m).

    ``scale``, ``offset``, ``unit`` and ``nodata`` are None where the preset's own hold.
    """

    name: str
    aliases: tuple
    wavelength: float | None
    width: float | None
    resolution: float | None
    scale: float | None = None
    offset: float | None = None
    unit: str | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Quality:
    """A quality layer: ``kind`` is classes, bits or clear (1 = clear); ``bad`` codes or bits."""

    aliases: tuple
    kind: str
    bad: tuple
    names: dict
    fill: float | None = None


@dataclass(frozen=True)
class Preset:
    """How a product's files become bands; physical = raw * scale + offset, in ``unit``.

    ``patterns`` are looked for in the path first; ``weak`` ones only when no pattern of any
    preset fits. ``orders`` are the band orders of files that do not name their bands.
    ``formula`` is '' or ``palsar`` (10 log10(DN²) - 83 dB). ``baseline_offset`` is what products
    from Sentinel-2 processing baseline 04.00 on add, in reflectance.
    """

    id: str
    title: str
    kind: str  # optical | sar | height | hyperspectral
    unit: str
    scale: float
    offset: float
    nodata: float | None
    bands: tuple
    patterns: tuple = ()
    weak: tuple = ()
    orders: tuple = ()
    dtype: str = ""
    display: tuple = ()
    quality: tuple = ()
    formula: str = ""
    baseline_offset: float = 0.0
    limits: tuple = ()
    source: str = ""

    @property
    def order(self) -> tuple:
        """The first of the orders, () when bands are told by name only."""
        return self.orders[0] if self.orders else ()

    def band_called(self, alias: str) -> PresetBand | None:
        wanted = plain(alias)
        for band in self.bands:
            if wanted in {plain(a) for a in (*band.aliases, band.name)}:
                return band
        return None

    def band_in_name(self, stem: str) -> PresetBand | None:
        """The band that a file name speaks of; the last and longest mention counts."""
        best, found = (-1, -1), None
        for band in self.bands:
            for alias in (*band.aliases, band.name):
                place = last_mention(alias, stem)
                if place is not None and place > best:
                    best, found = place, band
        return found


def plain(alias: str) -> str:
    """B1, b01 and B01 are one band."""
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", alias.strip().lower())


def last_mention(alias: str, stem: str) -> tuple | None:
    """(end, length) of the last place where a name speaks of ``alias`` as a word of its own."""
    parts = [re.escape(part) for part in re.findall(r"[a-z_]+|\d+|[^a-z_\d]+", plain(alias))]
    pattern = "".join(f"0*{part}" if part.isdigit() else part for part in parts)
    place = None
    for match in re.finditer(rf"(?<![0-9a-z]){pattern}(?![0-9a-z])", stem.lower()):
        place = (match.end(), match.end() - match.start())
    return place


@functools.lru_cache(maxsize=1)
def presets() -> tuple:
    """Every bundled preset, sorted by id."""
    return tuple(_load(path) for path in sorted(FOLDER.glob("*.json")))


def _load(path: Path) -> Preset:
    raw = files.read_json(path)
    try:
        return Preset(
            raw["id"],
            raw["title"],
            raw["kind"],
            raw["unit"],
            raw["scale"],
            raw["offset"],
            raw["nodata"],
            tuple(_band(band) for band in raw["bands"]),
            tuple(raw["recognise"]),
            tuple(raw.get("weak", ())),
            tuple(tuple(order) for order in raw.get("orders", ())),
            raw.get("dtype", ""),
            tuple(raw["display"]),
            tuple(_quality(layer) for layer in raw.get("quality", ())),
            raw.get("formula", ""),
            raw.get("baseline_offset", 0.0),
            tuple(raw.get("limits", ())),
            raw["source"],
        )
    except (KeyError, TypeError) as error:
        raise ConcordError(f"{path} lacks {error}; complete the sensor preset.") from error


def _band(raw: dict) -> PresetBand:
    return PresetBand(
        raw["name"],
        tuple(raw["aliases"]),
        raw["wavelength"],
        raw["width"],
        raw["resolution"],
        raw.get("scale"),
        raw.get("offset"),
        raw.get("unit"),
        raw.get("nodata"),
    )


def _quality(raw: dict) -> Quality:
    names = {int(code): name for code, name in raw["names"].items()}
    return Quality(tuple(raw["aliases"]), raw["kind"], tuple(raw["bad"]), names, raw.get("fill"))


def preset(sensor: str) -> Preset:
    """A preset by its id, or read from a JSON file of the user's own."""
    for candidate in presets():
        if candidate.id == sensor:
            return candidate
    if sensor.lower().endswith(".json") and Path(sensor).is_file():
        return _load(Path(sensor))
    known = ", ".join(p.id for p in presets())
    raise ConcordError(f"The sensor '{sensor}' is not known; use auto or one of {known}.")
