"""Which rasters of the given files and folders become bands of a scene, and which do not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import corrections, rasters, sensors
from .errors import ConcordError

SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".bsq", ".bil", ".dat", ".nc")
# Whole words where a place could be called so (Qatar); TCI, AOT, WVP, PVI and MSK are Sentinel-2's.
_NOT_IMAGERY = re.compile(
    "mask|label|preview|thumbnail|annotator"
    "|(?<![a-z])(class(es)?|truth|scl|qa|msk|tci|aot|wvp|pvi)(?![a-z])"
)


@dataclass(frozen=True)
class Gathered:
    """What becomes of the input: described rasters, what they are, and what is left out."""

    infos: list
    recognised: list
    skipped: list
    warnings: list = field(default_factory=list)


def expand(inputs) -> list:
    """Files as given and, for a folder or a STAC file, every raster that it holds, sorted."""
    found = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            found += _in_folder(path)
        elif path.suffix.lower() == ".json":
            found += _of_stac(path)
        else:
            found.append(str(given))
    if not found:
        raise ConcordError("No input was given; choose files or a folder of a product.")
    return found


def _in_folder(path: Path) -> list:
    inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not inside:
        raise ConcordError(f"The folder {path} holds no raster; choose another folder.")
    return [str(p) for p in inside]


def _of_stac(path: Path) -> list:
    named = sensors.stac_files(path)
    inside = [p for p in named if Path(p).suffix.lower() in SUFFIXES]
    if not inside:
        raise ConcordError(
            f"{path} is no STAC item or catalogue with rasters on this machine; download its "
            "assets first."
        )
    return inside


def quality_of(path: str | Path):
    """(preset, quality layer) that a file name speaks of, None for imagery."""
    stem = Path(path).stem
    for candidate in sensors.presets():
        for layer in candidate.quality:
            if any(sensors.last_mention(alias, stem) for alias in layer.aliases):
                return candidate, layer
    return None


def _why_not_imagery(info) -> str:
    """Why a raster found in a folder is not taken as imagery, or ''."""
    if info.categories or any(info.colours.values()):
        return "a class raster"
    if _NOT_IMAGERY.search(Path(info.path).stem.lower()):
        return "a mask or label by its name"
    if quality_of(info.path) is not None:
        return "a quality layer, used for clear coverage"
    return ""


def _sensor_for(number: int, sensor: str, count: int) -> str:
    """One sensor for all, or one a given file."""
    several = [part.strip() or "auto" for part in sensor.split(";")]
    if len(several) == 1:
        return several[0]
    if len(several) != count:
        raise ConcordError(
            f"{len(several)} sensors were given for {count} inputs; give one, or one an input."
        )
    return several[number]


def gather(inputs, sensor: str = "auto", corrected: dict | None = None) -> Gathered:
    """Describe every raster of ``inputs`` and keep those that bring new bands.

    Args:
        inputs: files, folders, STAC items.
        sensor: a preset id, ``auto``, or one of these a given input, separated by ``;``.
        corrected: {path: Correction} of files that the user knows better.
    """
    corrected = corrected or {}
    kept, found, skipped, bands = [], [], [], {}
    for number, given in enumerate(inputs):
        chosen = _sensor_for(number, sensor, len(inputs))
        # A file named by the user is refused when it is broken; one found in a folder left out.
        single = not Path(given).is_dir() and Path(given).suffix.lower() != ".json"
        for path in expand([given]):
            info, known, why = _look(path, chosen, single, corrected.get(path))
            if not why and not single:
                twice = [b.name for b in known.bands if b.name in bands]
                why = f"{twice[0]} is already there from {bands[twice[0]]}" if twice else ""
            if why:
                skipped.append({"file": path, "reason": why})
                continue
            bands.update({band.name: place_of(path) for band in known.bands})
            kept.append(info)
            found.append(known)
    if not kept:
        first = f" ({place_of(skipped[0]['file'])}: {skipped[0]['reason']})" if skipped else ""
        raise ConcordError(f"{inputs[0]} holds no imagery; choose the folder of a product{first}.")
    kept, found, extra = _without_strangers(kept, found, [*inputs, *corrected])
    return Gathered(kept, found, skipped + extra, _mixed(kept, found))


def place_of(path: str) -> str:
    """A file with the folder it lies in, because products repeat their file names."""
    return "/".join(Path(path).parts[-2:])


def _mixed(infos: list, found: list) -> list:
    """Warnings where bands of two levels of one sensor meet, such as L2A with cirrus of L1C."""
    families: dict = {}
    for info, known in zip(infos, found):
        family, _, level = known.sensor.rpartition("-")
        if re.fullmatch(r"l[12][a-z]?", level):
            families.setdefault(family, {}).setdefault(level, []).append((info, known))
    warnings = []
    for levels in families.values():
        if len(levels) < 2:
            continue
        most = max(levels, key=lambda level: len(levels[level]))
        for level, members in sorted(levels.items()):
            if level == most:
                continue
            info, known = members[0]
            names = ", ".join(band.name for _, other in members for band in other.bands)
            warnings.append(
                f"{names} is of {known.title} ({place_of(info.path)}), the other bands are of "
                f"{levels[most][0][1].title}; surface and top of atmosphere do not compare, leave "
                "one level out"
            )
    return warnings


def _look(path: str, sensor: str, single: bool, correction=None) -> tuple:
    """(info, recognised, reason to leave it out); a broken file in a folder is only left out."""
    if correction is not None and not correction.use:
        return None, None, "left out by the user"
    if Path(path).is_file() and Path(path).stat().st_size == 0:
        if single:
            raise ConcordError(f"{path} is empty (0 bytes); get the file again.")
        return None, None, "the file is empty (0 bytes)"
    try:
        info = rasters.info(path)
    except ConcordError:
        if single:
            raise
        return None, None, "it cannot be opened as a raster"
    if single:
        rasters.require_crs(info)
        return info, corrections.recognise(info, sensor, correction), ""
    why = "" if correction is not None else _why_not_imagery(info)
    if not why and not info.grid.crs:
        why = "it has no coordinate reference system"
    return info, None if why else corrections.recognise(info, sensor, correction), why


def _without_strangers(infos, found, inputs) -> tuple:
    """Leave out of a folder what no preset knows when a product was recognised beside it."""
    from_folder = any(Path(p).is_dir() for p in inputs)
    if not from_folder or all(known.sensor == sensors.GENERIC for known in found):
        return infos, found, []
    given = {str(p) for p in inputs}
    strange = [
        known.sensor == sensors.GENERIC and info.path not in given
        for info, known in zip(infos, found)
    ]
    skipped = [
        {"file": info.path, "reason": "no band of a known sensor"}
        for info, out in zip(infos, strange)
        if out
    ]
    return (
        [info for info, out in zip(infos, strange) if not out],
        [known for known, out in zip(found, strange) if not out],
        skipped,
    )
