"""Radar: filters and ratios in linear power, shown and stored in dB."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from ..grid import Window
from .base import Derived, Planes
from .windows import mean_within, shifted

REACH = 3  # 7 x 7 windows
LOOKS = 4.4  # equivalent number of looks of Sentinel-1 IW GRDH, by ESA's product specification
_ENL_REACH = 7


def power(decibels: np.ndarray) -> np.ndarray:
    """Linear power of dB."""
    return np.power(np.float32(10.0), decibels / np.float32(10.0))


def decibels(linear: np.ndarray) -> np.ndarray:
    """dB of linear power; NaN where it is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(linear > 0, 10.0 * np.log10(linear), np.nan).astype(np.float32)


def _need(name: str, bands, scene) -> None:
    for band in bands:
        if band not in scene.names:
            raise ConcordError(
                f"The derived band {name} needs the band {band}, which the scene lacks; leave it "
                "out or add the band."
            )


def _pair(name: str) -> tuple:
    return ("hh", "hv") if "hh" in name else ("vv", "vh")


def difference(name: str, _match, scene) -> list:
    """Ratio of the two polarisations: of powers, hence a difference in dB."""
    co, cross = _pair(name)
    _need(name, (co, cross), scene)
    return [
        Derived(
            name,
            (co, cross),
            "dB",
            "ratio of powers, a difference in dB",
            lambda planes: planes[co] - planes[cross],
        )
    ]


def vegetation(name: str, _match, scene) -> list:
    """Radar vegetation index of two polarisations, 4 x-pol / (co-pol + x-pol), linear power."""
    co, cross = _pair(name)
    _need(name, (co, cross), scene)

    def compute(planes: Planes) -> np.ndarray:
        one, other = power(planes[co]), power(planes[cross])
        with np.errstate(divide="ignore", invalid="ignore"):
            return 4.0 * other / (one + other)

    text = "4 x-pol / (co-pol + x-pol) in linear power, Nasirzadehdizaji et al. 2019"
    return [Derived(name, (co, cross), "index", text, compute)]


def filtered(name: str, match, scene) -> list:
    """A band after the Lee (1980) or refined Lee (1981) filter, 7 x 7, in linear power."""
    band, kind = match.group(1), match.group(2)
    _need(name, (band,), scene)
    smooth = lee if kind == "lee" else refined_lee

    def compute(planes: Planes) -> np.ndarray:
        return decibels(smooth(power(planes[band]), LOOKS))

    text = "Lee 1980" if kind == "lee" else "Lee 1981, edge-aligned windows"
    figures = _looks(scene, band, smooth)
    return [Derived(name, (band,), "dB", f"{text}, 7 x 7", compute, REACH + 1, (), figures)]


def lee(linear: np.ndarray, looks: float) -> np.ndarray:
    """Lee's local statistics filter: mean + k (x - mean), multiplicative noise of 1 / looks."""
    mean = mean_within(linear, REACH)
    variance = np.maximum(mean_within(linear * linear, REACH) - mean * mean, 0.0)
    return _weighted(linear, mean, variance, looks)


def _weighted(linear, mean, variance, looks: float) -> np.ndarray:
    noise = 1.0 / looks
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = np.maximum((variance - mean * mean * noise) / (1.0 + noise), 0.0)
        gain = np.where(variance > 0, signal / variance, 0.0)
    out = mean + gain * (linear - mean)
    return np.where(np.isfinite(linear), out, np.nan).astype(np.float32)


def refined_lee(linear: np.ndarray, looks: float) -> np.ndarray:
    """Lee's refined filter: statistics from the half window on the pixel's side of an edge."""
    from scipy.ndimage import correlate

    valid = np.isfinite(linear)
    filled = np.where(valid, linear, mean_within(linear, REACH))
    filled = np.where(np.isfinite(filled), filled, 0.0).astype(np.float64)
    side = _sides(mean_within(filled.astype(np.float32), 1))
    mean, square = np.zeros_like(filled), np.zeros_like(filled)
    for number, mask in enumerate(_half_windows()):
        here = side == number
        if not here.any():
            continue
        weights = mask / mask.sum()
        mean = np.where(here, correlate(filled, weights, mode="nearest"), mean)
        square = np.where(here, correlate(filled * filled, weights, mode="nearest"), square)
    variance = np.maximum(square - mean * mean, 0.0)
    return _weighted(linear, mean, variance, looks)


def _sides(blurred: np.ndarray) -> np.ndarray:
    """Which of eight half windows belongs to each pixel: 4 edge directions, 2 sides."""
    around = {(r, c): shifted(blurred, 2 * r, 2 * c) for r in (-1, 0, 1) for c in (-1, 0, 1)}
    lines = (  # the two cells across an edge: west-east, north-south and the diagonals
        ((0, -1), (0, 1)),
        ((-1, 0), (1, 0)),
        ((-1, -1), (1, 1)),
        ((-1, 1), (1, -1)),
    )
    steps = np.stack([np.abs(around[one] - around[other]) for one, other in lines])
    direction = np.argmax(steps, axis=0)
    one = np.choose(direction, [around[line[0]] for line in lines])
    other = np.choose(direction, [around[line[1]] for line in lines])
    nearer_other = np.abs(other - blurred) < np.abs(one - blurred)
    return 2 * direction + nearer_other


def _half_windows() -> list:
    """Eight 7 x 7 masks in the order of ``_sides``."""
    row, col = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    masks = []
    for across in (col, row, row + col, row - col):
        masks += [(across <= 0).astype(float), (across >= 0).astype(float)]
    return masks


def equivalent_looks(linear: np.ndarray) -> np.ndarray:
    """Mean² / variance in windows of 15 x 15, the measure of speckle; NaN where unknown."""
    mean = mean_within(linear, _ENL_REACH)
    variance = mean_within(linear * linear, _ENL_REACH) - mean * mean
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, mean * mean / variance, np.nan)


def _looks(scene, band: str, smooth) -> dict:
    """Looks before and after in the evenest tenth of the windows of the scene's middle."""
    grid = scene.grid
    side = Window(0, 0, min(512, grid.width), min(512, grid.height))
    middle = Window(
        (grid.width - side.width) // 2, (grid.height - side.height) // 2, side.width, side.height
    )
    linear = power(scene.read([band], middle)[0])
    before = equivalent_looks(linear)
    if not np.isfinite(before).any():
        return {}
    even = before >= np.nanpercentile(before, 90)
    after = equivalent_looks(smooth(linear, LOOKS))
    return {
        "looks_before": round(float(np.nanmedian(before[even])), 2),
        "looks_after": round(float(np.nanmedian(after[even])), 2),
    }
