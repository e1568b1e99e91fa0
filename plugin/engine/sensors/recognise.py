"""Deciding which preset a raster belongs to and what its bands are, with the reason in words.

Looked at in this order: bands and units that the file itself names; the user's choice;
wavelengths of a cube; product metadata beside the file; the file's and its folders' names; band
descriptions; band count with data type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import dates
from ..errors import ConcordError
from . import naming, spectra
from .factors import Factors
from .presets import GENERIC, Preset, plain, preset, presets
from .product import Product
from .products import product_of

SENSORS = "CONCORD_SENSORS"  # tag of a scene: the sensors that were vouched for, commas between


@dataclass(frozen=True)
class SceneBand:
    """One band of a file as a scene sees it.

    ``doubtful`` marks an offset that only a name tells, which the values may contradict.
    """

    index: int
    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    wavelength: float | None = None
    formula: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class Recognised:
    """Which preset a file belongs to, its bands, why, and what is doubtful.

    ``vouched`` are the sensors that a product, a name or the user says, not the bands alone; a
    scene that Concord wrote keeps those of its files.
    """

    sensor: str
    title: str
    kind: str
    bands: tuple
    reason: str
    warnings: list = field(default_factory=list)
    metadata: str = ""
    date: str = ""
    vouched: tuple = ()


def recognise(info, sensor: str = "auto") -> Recognised:
    """Decide which preset a raster belongs to and what its bands are.

    Args:
        info: a ``RasterInfo``.
        sensor: a preset id, a preset file, or ``auto``.

    Raises:
        ConcordError: the sensor is not known, or the file's bands do not fit it.
    """
    described, info = info, _without_alpha(info, sensor)
    if not info.bands:
        raise ConcordError(f"{info.path} holds no band but transparency; choose another file.")
    found = _recognise(info, sensor)
    kept = tuple(filter(None, str(info.tags.get(SENSORS, "")).split(",")))
    if kept and sensor == "auto":
        found = replace(found, vouched=kept)
    if len(info.bands) == 3 and len(described.bands) == 4 and info.bands[0].dtype == "uint8":
        found.warnings.append(
            f"{Path(info.path).name}: band 4 is marked as transparency and hides pixels; if it "
            "is infrared, choose an aerial sensor with four bands"
        )
    return found


def kept(scenes) -> dict:
    """The tag by which a file keeps what the products of scenes said."""
    vouched = {s for scene in scenes for found in scene.recognised for s in found.vouched}
    return {SENSORS: ",".join(sorted(vouched))} if vouched else {}


def _without_alpha(info, sensor: str):
    """The description without bands of transparency.

    A fourth band of bytes is often marked as alpha by mistake: its name tells, or the number of
    bands of the sensor that the user chose.
    """
    if sensor != "auto" and len(info.bands) in {len(order) for order in preset(sensor).orders}:
        return info
    used = [b for b in info.bands if not b.is_alpha or plain(b.name) not in ("", "alpha", "band4")]
    return replace(info, bands=tuple(used))


def _recognise(info, sensor: str) -> Recognised:
    named = [band for band in info.bands if band.name]
    if sensor == "auto" and named and all(band.unit for band in info.bands):
        return _as_described(info)
    if (
        sensor == "auto"
        and len(info.bands) == 1
        and (info.categories or any(info.colours.values()))
    ):
        return _classes(info)
    product = product_of(info.path)
    if spectra.is_cube(info) and (sensor == "auto" or preset(sensor).kind == "hyperspectral"):
        return _cube(info, sensor)
    if sensor != "auto":
        chosen, reason, doubt, said = preset(sensor), "chosen by the user", "", True
    else:
        chosen, reason, doubt, said = _guess(info, product)
    bands = _match_bands(info, chosen, product) if chosen is not None else None
    if bands is None and sensor == "auto":
        return _generic(info)
    if bands is None:
        raise spectra.misfit(info, chosen)
    found = _scaled(info, chosen, bands, reason, product)
    if said:
        found = replace(found, vouched=(chosen.id,))
    if doubt:
        found.warnings.append(
            f"{Path(info.path).name}: {doubt} has the same band names for other bands; choose the "
            f"sensor if it is not {chosen.title}"
        )
    return found


def _named_by_path(path: str) -> tuple:
    """(preset whose pattern fits the path, what fits, whether it leaves no doubt): the file's own
    name, then the nearest folder; names that say less than the preset come last.
    """
    *folders, name = Path(path).parts[-7:]
    places = [(name, "the file name")]
    places += [(f"{folder}/", "the folder name") for folder in reversed(folders)]
    for strong in (True, False):
        for text, where in places:
            for candidate in presets():
                patterns = candidate.patterns if strong else candidate.weak
                if any(re.search(p, text, re.IGNORECASE) for p in patterns):
                    return candidate, where, strong
    return None, "", False


def _guess(info, product: Product | None) -> tuple:
    """(preset, reason, what it may be instead, whether more than the bands say so)."""
    if product is not None and product.sensor:
        chosen = preset(product.sensor)
        if _match_bands(info, chosen, product) is not None:
            return chosen, f"{product.title} says {chosen.title}", "", product.sure
    by_path, where, sure = _named_by_path(info.path)
    by_names, doubt = naming.by_descriptions(info)
    if by_path is not None and _match_bands(info, by_path, product) is not None:
        return by_path, f"{where} fits {by_path.title}", "", sure
    if by_names is not None:
        return by_names, f"the band names are those of {by_names.title}", doubt, False
    for candidate in presets():
        fits = candidate.dtype and candidate.dtype == info.bands[0].dtype
        if fits and len(candidate.order) == len(info.bands) and not candidate.patterns:
            return candidate, f"{len(info.bands)} bands of {candidate.dtype}", "", False
    if len(info.bands) == 4 and info.bands[0].dtype == "uint8":
        return preset("aerial-rgbi"), "4 bands of uint8", "", False
    return None, "", "", False


def _match_bands(info, chosen: Preset, product: Product | None) -> list | None:
    """The preset's band for each band of the file, or None when they do not fit."""
    found = [chosen.band_called(band.name) if band.name else None for band in info.bands]
    if all(found):
        return found
    if len(info.bands) == 1:
        common = product.names.get(Path(info.path).name, "") if product is not None else ""
        band = chosen.band_called(common) if common else None
        band = band or chosen.band_in_name(Path(info.path).stem)
        if band is None and len(chosen.order) == 1:
            band = next(b for b in chosen.bands if b.name == chosen.order[0])
        return [band] if band is not None else None
    by_name = {band.name: band for band in chosen.bands}
    for order in chosen.orders or (tuple(by_name),):
        if len(info.bands) == len(order) and not _telling_names(info):
            return [by_name[name] for name in order]
    return None


def _telling_names(info) -> bool:
    """Whether the descriptions tell bands apart; one text for all of them does not."""
    names = {band.name for band in info.bands if band.name}
    return len(names) > 1


def _scaled(info, chosen: Preset, matched: list, reason: str, product) -> Recognised:
    factors = Factors(info, chosen, product)
    bands = []
    for own, band in zip(info.bands, matched):
        nodata = next((n for n in (own.nodata, band.nodata, chosen.nodata) if n is not None), None)
        scale, offset, doubtful = factors.of(own, band)
        unit = factors.unit_of(own, band)
        bands.append(
            SceneBand(
                own.index,
                band.name,
                unit,
                scale,
                offset,
                nodata,
                band.wavelength,
                factors.formula_of(own, band),
                doubtful,
            )
        )
    return Recognised(
        chosen.id,
        chosen.title,
        chosen.kind,
        tuple(bands),
        reason,
        factors.notes,
        product.path if product is not None else "",
        (product.date if product is not None else "") or dates.of_path(info.path),
    )


def _cube(info, sensor: str) -> Recognised:
    """A hyperspectral cube, its bands told by wavelength."""
    by_path = _named_by_path(info.path)[0]
    chosen = preset("hyperspectral")
    if sensor != "auto":
        chosen = preset(sensor)
    elif by_path is not None and by_path.kind == "hyperspectral":
        chosen = by_path
    bands, warnings = spectra.bands_of(info, chosen)
    reason = f"{len(info.bands)} bands with wavelengths"
    made = tuple(SceneBand(*values) for values in bands)
    date = dates.in_text(str(info.tags.get("start_time", ""))[:10]) or dates.of_path(info.path)
    return Recognised(chosen.id, chosen.title, chosen.kind, made, reason, warnings, info.path, date)


def _as_described(info) -> Recognised:
    """A raster that names its bands and units itself, as scenes written by Concord do."""
    known = {band.name: band for p in presets() for band in p.bands}
    bands = []
    for own in info.bands:
        match = known.get(own.name)
        wavelength = own.wavelength or (match.wavelength if match else None)
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


def _classes(info) -> Recognised:
    """A map of classes: not imagery, but it may stand in a scene as codes."""
    own = info.bands[0]
    count = len(info.categories)
    return Recognised(
        "classes",
        "Class raster",
        "classes",
        (SceneBand(own.index, "classes", "class", 1.0, 0.0, own.nodata),),
        f"it names {count} classes" if count else "it has a colour table",
        [f"{Path(info.path).name} is a map of classes; use it as labels, not as imagery"],
    )


def _generic(info) -> Recognised:
    names, notes = naming.common_names(info)
    told = zip(info.bands, names)
    bands = tuple(SceneBand(b.index, n, b.unit, b.scale, b.offset, b.nodata) for b, n in told)
    name = Path(info.path).name
    return Recognised(
        GENERIC,
        "Unknown sensor",
        "optical",
        bands,
        "nothing in names, bands or data type fits a preset",
        [f"{name}: the sensor is not recognised, values are used as they are", *notes],
    )
