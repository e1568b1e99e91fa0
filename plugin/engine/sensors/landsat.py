"""Landsat MTL files: level, date, and what turns the numbers of Level 1 into physical values.

Reflectance of the top of atmosphere = (DN * MULT + ADD) / sin(sun elevation); temperature of the
top of atmosphere = K2 / ln(K1 / (DN * MULT + ADD) + 1), both after the USGS Landsat Collection 2
Level 1 data format control books.
"""

from __future__ import annotations

import functools
from math import radians, sin
from pathlib import Path

from .. import dates
from .product import Product, one, text_of

_FAMILIES = {"08": "8-9", "09": "8-9", "07": "7", "04": "4-5", "05": "4-5"}
_THERMAL = ("6", "6_VCID_1", "6_VCID_2", "10", "11")


@functools.lru_cache(maxsize=64)
def mtl(path: Path, _stamp: int) -> Product | None:
    """An MTL as text, JSON or XML."""
    text = text_of(path)

    def value(key: str) -> float | None:
        found = one(rf"\b{key}\b[\"']?\s*[=:>]\s*[\"']?([^\"'<,\n]+)", text)
        try:
            return float(found)
        except ValueError:
            return None

    level, family = "l2" if "_L2" in path.name else "l1", _FAMILIES.get(path.name[2:4])
    if family is None:
        return None
    scales, units, formulas = ({}, {}, {}) if level == "l2" else _level1(value)
    day = one(r"\bDATE_ACQUIRED\b[\"']?\s*[=:>]\s*[\"']?([^\"'<,\n]+)", text)
    return Product(
        str(path), f"landsat-{family}-c2-{level}", "", dates.in_text(day), value("CLOUD_COVER"),
        False, scales, units=units, formulas=formulas,
    )  # fmt: skip


def _level1(value) -> tuple:
    """(scales, units, formulas) by band alias, from a reader of the MTL's numbers."""
    scales, units, formulas = {}, {}, {}
    elevation = value("SUN_ELEVATION")
    for band in range(1, 10):
        gain = value(f"REFLECTANCE_MULT_BAND_{band}")
        add = value(f"REFLECTANCE_ADD_BAND_{band}")
        if elevation and None not in (gain, add):
            height = sin(radians(elevation))
            scales[f"B{band}"] = (gain / height, add / height)
    for band in _THERMAL:
        names = ("RADIANCE_MULT", "RADIANCE_ADD", "K1_CONSTANT", "K2_CONSTANT")
        gain, add, k1, k2 = (value(f"{name}_BAND_{band}") for name in names)
        if None not in (gain, add, k1, k2):
            scales[f"B{band}"] = (gain, add)
            units[f"B{band}"] = "K"
            formulas[f"B{band}"] = f"planck:{k1!r}:{k2!r}"
    return scales, units, formulas
