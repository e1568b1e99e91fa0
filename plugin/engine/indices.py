"""Derived bands from bands by name; each formula with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from .errors import ConcordError


@dataclass(frozen=True)
class Index:
    """A derived band: the bands it needs, its formula, its unit and where it comes from."""

    name: str
    needs: tuple
    formula: Callable
    unit: str
    source: str


def _ratio(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        total = a + b
        return np.where(total != 0, (a - b) / total, np.nan).astype(np.float32)


def _difference(a, b):
    return (a - b).astype(np.float32)


INDICES = {
    index.name: index
    for index in (
        Index("ndvi", ("nir", "red"), _ratio, "index", "Rouse et al. 1974"),
        Index("ndwi", ("green", "nir"), _ratio, "index", "McFeeters 1996"),
        Index("mndwi", ("green", "swir16"), _ratio, "index", "Xu 2006"),
        Index("ndmi", ("nir", "swir16"), _ratio, "index", "Gao 1996"),
        Index("nbr", ("nir", "swir22"), _ratio, "index", "Key and Benson 2006"),
        Index("ndbi", ("swir16", "nir"), _ratio, "index", "Zha et al. 2003"),
        Index("vv_vh", ("vv", "vh"), _difference, "dB", "ratio of powers, a difference in dB"),
    )
}


def wanted(names, bands) -> list:
    """The indices called ``names``; refuses unknown ones and those whose bands are absent."""
    chosen = []
    for name in names:
        index = INDICES.get(name.lower())
        if index is None:
            raise ConcordError(
                f"The derived band '{name}' is not known; use {', '.join(sorted(INDICES))}."
            )
        absent = [band for band in index.needs if band not in bands]
        if absent:
            raise ConcordError(
                f"The derived band {name} needs the band {absent[0]}, which the scene lacks; "
                "leave it out or add the band."
            )
        chosen.append(index)
    return chosen
