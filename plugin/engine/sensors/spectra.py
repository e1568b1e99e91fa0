"""Bands of hyperspectral cubes, told by wavelength."""

from __future__ import annotations

import itertools
from pathlib import Path

from ..errors import ConcordError
from .presets import Preset

FEWEST = 20  # bands with a wavelength that make a cube
# STAC common names by the wavelength (µm) that the nearest band must reach within half its width.
COMMON = {
    "coastal": 0.443,
    "blue": 0.482,
    "green": 0.560,
    "red": 0.660,
    "rededge071": 0.705,
    "rededge075": 0.740,
    "rededge078": 0.783,
    "nir": 0.842,
    "nir08": 0.865,
    "swir16": 1.610,
    "swir22": 2.200,
}
WATER_VAPOUR = ((1.350, 1.450), (1.800, 1.950))  # µm, where the atmosphere is nearly opaque


def is_cube(info) -> bool:
    """Whether a file has many bands that carry their wavelength."""
    return sum(band.wavelength is not None for band in info.bands) >= FEWEST


def bands_of(info, chosen: Preset) -> tuple:
    """([values of a SceneBand], warnings) of a cube; bad bands of its own list are left out.

    Bands are called ``nm<wavelength>``; the nearest ones get the STAC common names.
    """
    good = [band for band in info.bands if not band.is_bad]
    common = _common_names(good)
    used, bands = set(), []
    for band in good:
        name = common.get(band.index) or _free(f"nm{band.wavelength * 1000:.0f}", used)
        used.add(name)
        plain = (band.scale, band.offset) == (1.0, 0.0) and not band.dtype.startswith("float")
        factors = (chosen.scale, chosen.offset) if plain else (band.scale, band.offset)
        nodata = band.nodata if band.nodata is not None else chosen.nodata
        bands.append(
            (band.index, name, band.unit or chosen.unit, *factors, nodata, band.wavelength)
        )
    return bands, _warnings(info, good)


def _free(stem: str, used: set) -> str:
    """``stem``, or with a number where two detectors meet at one wavelength."""
    names = itertools.chain([stem], (f"{stem}_{n}" for n in itertools.count(2)))
    return next(name for name in names if name not in used)


def _common_names(bands) -> dict:
    """{band index: common name} of the bands nearest to the common wavelengths."""
    found = {}
    for name, centre in COMMON.items():
        with_wave = [b for b in bands if b.wavelength is not None and b.index not in found]
        nearest = min(with_wave, key=lambda b: abs(b.wavelength - centre), default=None)
        if nearest is not None and abs(nearest.wavelength - centre) <= max(
            0.5 * (nearest.width or 0.0), 0.006
        ):
            found[nearest.index] = name
    return found


def _warnings(info, good) -> list:
    name, warnings = Path(info.path).name, []
    left_out = len(info.bands) - len(good)
    if left_out:
        warnings.append(f"{name}: {left_out} bands that its bad-band list names are left out")
    weak = sum(
        any(low <= band.wavelength <= high for low, high in WATER_VAPOUR)
        for band in good
        if band.wavelength is not None
    )
    if weak:
        warnings.append(f"{name}: {weak} bands lie in water vapour absorption, trust them little")
    return warnings


def misfit(info, chosen: Preset) -> ConcordError:
    """The refusal when a sensor was chosen by hand that the file's bands do not fit."""
    wanted = ", ".join(" ".join(order) for order in chosen.orders) or ", ".join(
        band.aliases[0] for band in chosen.bands[:6]
    )
    return ConcordError(
        f"{info.path} has {len(info.bands)} band(s) that do not fit the sensor {chosen.id} "
        f"({wanted}); choose another sensor or name its bands."
    )
