"""Sensor presets read from resources/sensors, and recognising which one a file belongs to.

Recognition looks, in this order, at band descriptions, at the file's and its folders' names, and
at band count with data type; it says in words why it decided.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import files
from .errors import ConcordError

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "sensors"
GENERIC = "generic"


@dataclass(frozen=True)
class PresetBand:
    """STAC common name, what products call it, centre wavelength and width (µm), pixel (m)."""

    name: str
    aliases: tuple
    wavelength: float | None
    width: float | None
    resolution: float | None


@dataclass(frozen=True)
class Preset:
    """How a product's files become bands; physical = raw * scale + offset, in ``unit``."""

    id: str
    title: str
    kind: str  # optical | sar | height
    unit: str
    scale: float
    offset: float
    nodata: float | None
    bands: tuple
    patterns: tuple = ()
    order: tuple = ()
    dtype: str = ""
    display: tuple = ()

    def band_called(self, alias: str) -> PresetBand | None:
        wanted = _plain(alias)
        for band in self.bands:
            if wanted in {_plain(a) for a in (*band.aliases, band.name)}:
                return band
        return None


@dataclass(frozen=True)
class SceneBand:
    """One band of a file as a scene sees it."""

    index: int
    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    wavelength: float | None = None


@dataclass(frozen=True)
class Recognised:
    """Which preset a file belongs to, its bands, why, and what is doubtful."""

    sensor: str
    title: str
    kind: str
    bands: tuple
    reason: str
    warnings: list = field(default_factory=list)


def _plain(alias: str) -> str:
    """B1, b01 and B01 are one band."""
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", alias.strip().lower())


@functools.lru_cache(maxsize=1)
def presets() -> tuple:
    """Every preset, sorted by id."""
    return tuple(_load(path) for path in sorted(FOLDER.glob("*.json")))


def _load(path: Path) -> Preset:
    raw = files.read_json(path)
    try:
        bands = tuple(
            PresetBand(b["name"], tuple(b["aliases"]), b["wavelength"], b["width"], b["resolution"])
            for b in raw["bands"]
        )
        return Preset(
            raw["id"],
            raw["title"],
            raw["kind"],
            raw["unit"],
            raw["scale"],
            raw["offset"],
            raw["nodata"],
            bands,
            tuple(raw["recognise"]),
            tuple(raw.get("order", ())),
            raw.get("dtype", ""),
            tuple(raw["display"]),
        )
    except KeyError as error:
        raise ConcordError(f"{path} lacks {error}; complete the sensor preset.") from error


def preset(sensor: str) -> Preset:
    for candidate in presets():
        if candidate.id == sensor:
            return candidate
    known = ", ".join(p.id for p in presets())
    raise ConcordError(f"The sensor '{sensor}' is not known; use auto or one of {known}.")


def _named_by_path(path: str) -> tuple:
    """The preset whose pattern fits the path: the file's own name, then the nearest folder."""
    *folders, name = Path(path).parts[-5:]
    places = [(name, "the file name")]
    places += [(f"{folder}/", "the folder name") for folder in reversed(folders)]
    for text, where in places:
        for candidate in presets():
            if any(re.search(p, text, re.IGNORECASE) for p in candidate.patterns):
                return candidate, where
    return None, ""


def _alias_in_name(path: str, candidate: Preset) -> PresetBand | None:
    """The band that a one-band file's name speaks of (last token first; SR_B5 is two tokens)."""
    tokens = [token for token in re.split(r"[^0-9A-Za-z]+", Path(path).stem) if token]
    for i in range(len(tokens) - 1, -1, -1):
        band = candidate.band_called("_".join(tokens[max(0, i - 1) : i + 1]))
        band = band or candidate.band_called(tokens[i])
        if band is not None:
            return band
    return None


def _by_descriptions(info) -> tuple:
    """(preset, bands) for which every band description is an alias or a common name."""
    best = None
    for candidate in presets():
        if candidate.dtype and candidate.dtype != info.bands[0].dtype:
            continue
        found = [candidate.band_called(name) if name else None for name in info.names]
        hits = [f for f in found if f is not None]
        if len(hits) == len(found) and len({h.name for h in hits}) == len(hits):
            if best is None or len(candidate.bands) < len(best[0].bands):
                best = (candidate, found)
    return best or (None, None)


def recognise(info, sensor: str = "auto") -> Recognised:
    """Decide which preset a raster belongs to and what its bands are.

    Args:
        info: a ``RasterInfo``.
        sensor: a preset id, or ``auto``.
    """
    # A fourth band of bytes is often marked as alpha by mistake; its name tells.
    used = [b for b in info.bands if not b.is_alpha or _plain(b.name) not in ("", "alpha", "band4")]
    info = replace(info, bands=tuple(used))
    if not info.bands:
        raise ConcordError(f"{info.path} holds no band but transparency; choose another file.")
    named = [band for band in info.bands if band.name]
    if sensor == "auto" and named and all(band.unit for band in info.bands):
        return _as_described(info)
    if sensor != "auto":
        chosen, reason = preset(sensor), "chosen by the user"
    else:
        chosen, reason = _guess(info)
    if chosen is None:
        return _generic(info)
    bands = _match_bands(info, chosen)
    if bands is None:
        if sensor == "auto":
            return _generic(info)
        raise ConcordError(
            f"{info.path} has {len(info.bands)} band(s) that do not fit the sensor {chosen.id}; "
            "choose another sensor or name its bands."
        )
    return _scaled(info, chosen, bands, reason)


def _guess(info) -> tuple:
    by_path, where = _named_by_path(info.path)
    by_names, _ = _by_descriptions(info)
    if by_path is not None and _match_bands(info, by_path) is not None:
        return by_path, f"{where} fits {by_path.title}"
    if by_names is not None:
        return by_names, f"the band names are those of {by_names.title}"
    for candidate in presets():
        fits = candidate.dtype and candidate.dtype == info.bands[0].dtype
        if fits and len(candidate.order) == len(info.bands) and not candidate.patterns:
            return candidate, f"{len(info.bands)} bands of {candidate.dtype}"
    if len(info.bands) == 4 and info.bands[0].dtype == "uint8":
        return preset("aerial-rgbi"), "4 bands of uint8"
    return None, ""


def _match_bands(info, chosen: Preset) -> list | None:
    """The preset's band for each band of the file, or None when they do not fit."""
    found = [chosen.band_called(band.name) if band.name else None for band in info.bands]
    if all(found):
        return found
    if len(info.bands) == 1:
        band = _alias_in_name(info.path, chosen)
        if band is None and len(chosen.order) == 1:
            band = chosen.bands[0]
        return [band] if band is not None else None
    by_name = {band.name: band for band in chosen.bands}
    order = chosen.order or tuple(by_name)
    if len(info.bands) == len(order) and not any(band.name for band in info.bands):
        return [by_name[name] for name in order]
    return None


def _scaled(info, chosen: Preset, matched: list, reason: str) -> Recognised:
    warnings, bands = [], []
    offset, note = chosen.offset, ""
    if chosen.unit == "reflectance" and chosen.scale == 1e-4:
        offset, note = _sentinel2_offset(info.path)
    for own, band in zip(info.bands, matched):
        nodata = own.nodata if own.nodata is not None else chosen.nodata
        if (own.scale, own.offset) != (1.0, 0.0):  # the file's own scale wins
            values = (own.scale, own.offset)
        elif own.dtype.startswith("float") and chosen.unit == "reflectance":
            values = (1.0, 0.0)
        elif _is_picture(own, chosen):
            values = (1.0, 0.0)
        else:
            values = (chosen.scale, offset)
            warnings += [note] if note and note not in warnings else []
        unit = own.unit or ("DN" if _is_picture(own, chosen) else chosen.unit)
        bands.append(SceneBand(own.index, band.name, unit, *values, nodata, band.wavelength))
    if chosen.unit == "reflectance" and info.bands[0].dtype.startswith("float"):
        warnings.append(f"{Path(info.path).name}: float values are taken as reflectance 0-1")
    if any(_is_picture(own, chosen) for own in info.bands):
        warnings.append(f"{Path(info.path).name}: 8-bit values are no reflectance, used as DN")
    return Recognised(chosen.id, chosen.title, chosen.kind, tuple(bands), reason, warnings)


def _is_picture(own, chosen: Preset) -> bool:
    """A product of 16 bits stretched to 8 for looking at: its scale is lost."""
    return own.dtype == "uint8" and chosen.unit == "reflectance" and own.scale == 1.0


def _sentinel2_offset(path: str) -> tuple:
    """(offset in reflectance, note) from the processing baseline in the product's name."""
    match = re.search(r"_N(\d{4})_", str(path))
    if match is None or match.group(1) == "9999":
        return 0.0, ""
    if int(match.group(1)) >= 400:
        return -0.1, f"baseline {match.group(1)}: offset -1000 applied to the digital numbers"
    return 0.0, ""


def _as_described(info) -> Recognised:
    """A raster that names its bands and units itself, as scenes written by Concord do."""
    known = {band.name: band for p in presets() for band in p.bands}
    bands = []
    for own in info.bands:
        match = known.get(own.name)
        wavelength = match.wavelength if match else None
        bands.append(
            SceneBand(own.index, own.name, own.unit, own.scale, own.offset, own.nodata, wavelength)
        )
    return Recognised(
        "scene", "Scene", _kind(bands), tuple(bands), "the file names its bands and units"
    )


def _kind(bands) -> str:
    units = {band.unit for band in bands}
    if units == {"dB"}:
        return "sar"
    return "height" if units == {"m"} else "optical"


def _generic(info) -> Recognised:
    own = [b.name for b in info.bands]
    unique = len(set(own)) == len(own) and all(own)
    bands = tuple(
        SceneBand(b.index, n if unique else f"band_{b.index}", b.unit, b.scale, b.offset, b.nodata)
        for b, n in zip(info.bands, own)
    )
    name = Path(info.path).name
    return Recognised(
        GENERIC,
        "Unknown sensor",
        "optical",
        bands,
        "nothing in names, bands or data type fits a preset",
        [f"{name}: the sensor is not recognised, values are used as they are"],
    )
