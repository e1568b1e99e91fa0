"""What is computed of a band's scaled numbers: dB of radar, temperature of thermal radiance."""

from __future__ import annotations

import numpy as np

from . import backscatter


def temperature(radiance: np.ndarray, k1: float, k2: float) -> np.ndarray:
    """Brightness temperature in kelvin, K2 / ln(K1 / L + 1); NaN where the radiance is not above 0.

    Source: USGS Landsat 8-9 Collection 2 Level 1 data format control book.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = k2 / np.log(k1 / radiance + 1.0)
    return np.where(radiance > 0, found, np.nan).astype(np.float32)


def apply(formula: str, plane: np.ndarray) -> np.ndarray:
    """The values that a formula's name makes of a plane: a name of radar, or planck:K1:K2."""
    if formula.startswith("planck:"):
        return temperature(plane, *map(float, formula.split(":")[1:]))
    return backscatter.FORMULAS[formula](plane)
