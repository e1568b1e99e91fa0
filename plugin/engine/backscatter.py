"""Radar backscatter between digital numbers, linear power and dB."""

from __future__ import annotations

import numpy as np


def power(decibels: np.ndarray) -> np.ndarray:
    """Linear power of dB."""
    return np.power(np.float32(10.0), decibels / np.float32(10.0))


def decibels(linear: np.ndarray) -> np.ndarray:
    """10 log10(p); NaN where p is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(linear > 0, 10.0 * np.log10(linear), np.nan).astype(np.float32)


def of_palsar(numbers: np.ndarray) -> np.ndarray:
    """JAXA's mosaics: 10 log10(DN**2) - 83.0 dB; NaN where DN is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(numbers > 0, 20.0 * np.log10(numbers) - 83.0, np.nan).astype(np.float32)


def of_palsar_power(squares: np.ndarray) -> np.ndarray:
    """The same from DN**2, which is what was resampled."""
    return decibels(squares) - np.float32(83.0)


FORMULAS = {"power": decibels, "palsar": of_palsar, "palsar_power": of_palsar_power}


def function_for(source) -> str:
    """GDAL's pixel function that makes power of a radar band before it is resampled, or ''."""
    if source.unit != "dB" or source.resampling == "nearest":
        return ""
    if (source.band.scale, source.band.offset) != (1.0, 0.0):
        return ""
    return {"": "dB2pow", "palsar": "intensity"}.get(source.band.formula, "")
