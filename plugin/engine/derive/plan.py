"""From names to derived bands of a scene."""

from __future__ import annotations

import re

import numpy as np

from ..errors import ConcordError
from . import catalogue, planes, radar, sharpen, terrain

_PATTERNS = (
    (r"vv_vh|hh_hv", radar.difference),
    (r"rvi|rvi_hh", radar.vegetation),
    (r"(vv|vh|hh|hv)_(lee|refined_lee)", radar.filtered),
    (r"slope|aspect|hillshade", terrain.surface_shape),
    (r"(tpi|roughness)_(\d+)", terrain.neighbourhood),
    (r"ndsm", terrain.object_height),
    (r"(pca|mnf)(_\d+)?", planes.components),
    (r"sharpen_(brovey|gsa|sfim|mtfglp)", sharpen.sharpened),
)
_OWN_NAMES = (
    "vv_vh",
    "rvi",
    "vv_lee",
    "vv_refined_lee",
    "slope",
    "aspect",
    "hillshade",
    "tpi_100",
    "roughness_100",
    "ndsm",
    "pca_3",
    "mnf_3",
    "sharpen_gsa",
)


def known_names(bands=None) -> list:
    """Examples of names for a form: ours, then the indices that ``bands`` allow (or all)."""
    indices = sorted(catalogue.entries()) if bands is None else catalogue.possible(bands)
    return [*_OWN_NAMES, *indices]


def plan(names, scene) -> list:
    """The derived bands that ``names`` ask of a scene, in order.

    Raises:
        ConcordError: a name is not known, or a band that it needs is missing.
    """
    found, seen = [], set(scene.names)
    for name in names:
        for derived in _planned(name.strip().lower(), scene):
            if derived.name in seen:
                raise ConcordError(
                    f"The band {derived.name} is there twice; leave one of the two out."
                )
            seen.add(derived.name)
            found.append(derived)
    return found


def _planned(name: str, scene) -> list:
    # Ours come first: the catalogue's RVI is an optical ratio, kept under that name without SAR.
    radar_name = name != "rvi" or "vv" in scene.names
    for pattern, make in _PATTERNS:
        match = re.fullmatch(pattern, name)
        if match and radar_name:
            return make(name, match, scene)
    if name not in catalogue.entries():
        raise ConcordError(
            f"The derived band '{name}' is not known; use an index such as ndvi, evi, mndwi or "
            f"nbr, or one of {', '.join(_OWN_NAMES)}."
        )
    _, missing = catalogue.bands_for(name, scene.names)
    if missing:
        raise ConcordError(
            f"The derived band {name} needs the band {missing}, which the scene lacks; leave it "
            "out or add the band."
        )
    return [catalogue.index(name, scene)]


def halo_of(derived) -> int:
    """Pixels that must be read around a window for all of them."""
    return max((item.halo for item in derived), default=0)


def compute(derived: list, values: dict, inner: tuple) -> np.ndarray:
    """(n, rows, cols) of derived bands on the ``inner`` slices of the planes in ``values``."""
    made = []
    for item in derived:
        plane = item.compute({name: values[name] for name in item.needs})
        made.append(plane[inner].astype(np.float32, copy=False))
    return np.stack(made)
