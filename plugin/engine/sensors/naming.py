"""What band descriptions alone tell: the preset they fit, and common names where none fits."""

from __future__ import annotations

from pathlib import Path

from .presets import Preset, presets


def by_descriptions(info) -> tuple[Preset | None, str]:
    """The preset for which every band description is an alias or a common name, and a doubt.

    Several fit names such as red and nir: those of the file's data type go first, then
    Sentinel-2, then the one with fewest bands; digital numbers are never assumed of wider types.
    The doubt is the title of a preset that reads the same descriptions as other bands, or ''.
    """
    dtype, fitting = info.bands[0].dtype, []
    for candidate in presets():
        if candidate.dtype and candidate.dtype != dtype:
            continue
        if candidate.unit == "DN" and dtype != "uint8":
            continue
        found = [candidate.band_called(name) if name else None for name in info.names]
        names = [band.name for band in found if band is not None]
        if len(names) == len(found) and len(set(names)) == len(names):
            fitting.append((candidate, names))

    def rank(entry: tuple) -> tuple:
        candidate, _ = entry
        told = dtype == "uint8" and candidate.dtype == dtype
        return (not told, not candidate.baseline_offset, len(candidate.bands))

    if not fitting:
        return None, ""
    best, names = min(fitting, key=rank)
    # A panchromatic band has finer pixels: nobody stacks it with the colours as it is.
    others = (p.title for p, read in fitting if read != names and "pan" not in read)
    return best, next(others, "")


def common_names(info) -> tuple[list, list]:
    """A name for every band of a file that no preset fits, and what has to be said of them.

    A description becomes the common name that all presets which know it agree on (R and RED
    become red; B8, which is nir or pan, stays). Bands that are called alike are numbered.
    """
    own = [band.name.strip() for band in info.bands]
    read = [_agreed(name) if name else "" for name in own]
    if any(len(name) == 1 and name == common for name, common in zip(own, read)):
        read = [name if len(name) == 1 else common for name, common in zip(own, read)]  # x and y
    names = [
        common if read.count(common) == 1 and (common == name or common not in own) else name
        for name, common in zip(own, read)
    ]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    done = [
        name if name and name not in twice else f"band_{band.index}"
        for name, band in zip(names, info.bands)
    ]
    several = f"{Path(info.path).name}: several bands are called {{}}; they are numbered here"
    return done, [several.format(name) for name in twice]


def _agreed(name: str) -> str:
    """The common name that every preset gives to a description, else the description."""
    known = (preset.band_called(name) for preset in presets())
    common = {band.name for band in known if band is not None}
    return common.pop() if len(common) == 1 else name
