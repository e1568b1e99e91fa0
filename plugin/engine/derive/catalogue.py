"""The catalogue of spectral indices (resources/indices, Awesome Spectral Indices, MIT)."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np

from .. import files
from . import formulas
from .base import Derived, Planes

FILE = Path(__file__).resolve().parents[3] / "resources" / "indices" / "spectral-indices.json"
# The catalogue's letters and the STAC names that serve for them, the best first.
LETTERS = {
    "A": ("coastal",),
    "B": ("blue",),
    "G": ("green",),
    "G1": ("green05",),
    "Y": ("yellow",),
    "R": ("red",),
    "RE1": ("rededge071", "rededge"),
    "RE2": ("rededge075",),
    "RE3": ("rededge078",),
    "N": ("nir", "nir08"),
    "N2": ("nir08",),
    "S1": ("swir16",),
    "S2": ("swir22",),
    "T": ("lwir", "lwir11"),
    "T1": ("lwir11",),
    "T2": ("lwir12",),
    "VV": ("vv",),
    "VH": ("vh",),
    "HH": ("hh",),
    "HV": ("hv",),
}
_RADAR = ("vv", "vh", "hh", "hv")


@functools.lru_cache(maxsize=1)
def _catalogue() -> dict:
    return files.read_json(FILE)


@functools.lru_cache(maxsize=1)
def entries() -> dict:
    """{lower-case name: (name, entry)} of every index.

    BaI beside BAI and mSR705 beside MSR705 become ``bai_2`` and ``msr705_2``.
    """
    found = {}
    for name, entry in _catalogue()["indices"].items():
        low = name.lower()
        found[f"{low}_2" if low in found else low] = (name, entry)
    return found


def constants() -> dict:
    """Defaults of the formulas' constants; None where the scene must give the value."""
    return _catalogue()["constants"]


def bands_for(name: str, scene_bands) -> tuple:
    """({letter: scene band}, first missing STAC name or '') of an index."""
    found = {}
    for letter in _letters(entries()[name][1]["formula"]):
        band = next((b for b in LETTERS[letter] if b in scene_bands), None)
        if band is None:
            return {}, LETTERS[letter][0]
        found[letter] = band
    return found, ""


def possible(scene_bands) -> list:
    """Names of the indices that the bands allow, sorted."""
    return sorted(name for name in entries() if not bands_for(name, scene_bands)[1])


def _letters(formula: str) -> list:
    """Band letters that a formula uses, also inside kernels such as kNR, sorted."""
    found = set()
    for name in formulas.names(formula):
        kernel = _kernel(name)
        found |= {part for part in kernel if part in LETTERS} if kernel else {name} & set(LETTERS)
    return sorted(found)


def _kernel(name: str) -> tuple:
    """("N", "R") for the kernel kNR, () for anything else."""
    match = re.fullmatch(r"k([A-Z])([A-Z])", name)
    return match.groups() if match else ()


def index(name: str, scene) -> Derived:
    """An index of the catalogue for a scene whose bands ``bands_for`` found complete."""
    title, entry = entries()[name]
    letters, _ = bands_for(name, scene.names)
    numbers = _numbers(entry["formula"], letters, scene)

    def compute(planes: Planes) -> np.ndarray:
        values = dict(numbers)
        for letter, band in letters.items():
            values[letter] = _power(planes[band]) if band in _RADAR else planes[band]
        for used in formulas.names(entry["formula"]):
            if _kernel(used):
                values[used] = _radial(*(values[part] for part in _kernel(used)))
        return formulas.evaluate(entry["formula"], values)

    return Derived(
        name,
        tuple(dict.fromkeys(letters.values())),
        "index",
        f"{title}: {entry['formula']} ({entry['reference']})",
        compute,
        warnings=_doubts(name, entry["formula"], letters, numbers, scene),
    )


def _numbers(formula: str, letters: dict, scene) -> dict:
    """Constants of a formula: catalogue defaults and the sensor's wavelengths (nm)."""
    values = {}
    for used in formulas.names(formula) - set(letters):
        if used.startswith("lambda"):
            band = letters.get(used[len("lambda") :])
            wavelength = scene.sources[band].band.wavelength if band else None
            values[used] = wavelength * 1000.0 if wavelength else np.nan
        elif not _kernel(used):
            default = constants().get(used)
            values[used] = np.nan if default is None else float(default)
    values.setdefault("L", float(constants()["L"]))
    return values


def _power(decibels: np.ndarray) -> np.ndarray:
    return np.power(np.float32(10.0), decibels / np.float32(10.0))


def _radial(a, b):
    """Radial basis kernel with sigma = (a + b) / 2 (Camps-Valls et al. 2021)."""
    with np.errstate(all="ignore"):
        return np.exp(-((a - b) ** 2) / (2.0 * (0.5 * (a + b)) ** 2))


def _doubts(name: str, formula: str, letters: dict, numbers: dict, scene) -> tuple:
    """A warning when digital numbers go into a formula that needs reflectance."""
    units = {scene.sources[band].unit for band in letters.values() if band not in _RADAR}
    wrong = sorted(units - {"reflectance", "K", "index"})
    if not wrong or any(_kernel(used) for used in formulas.names(formula)):
        return ()
    probe = {letter: 0.1 + 0.07 * i for i, letter in enumerate(letters)}
    doubled = {letter: 2.0 * value for letter, value in probe.items()}
    one = formulas.evaluate(formula, {**numbers, **probe})
    two = formulas.evaluate(formula, {**numbers, **doubled})
    if np.isclose(one, two, rtol=1e-4, equal_nan=True):  # a ratio does not mind the scale
        return ()
    return (
        f"{name} is meant for reflectance 0-1 but its bands are in {', '.join(wrong) or 'DN'}; "
        "trust it little",
    )
