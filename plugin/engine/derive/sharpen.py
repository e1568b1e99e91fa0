"""Sharpening coarse bands with the detail of a fine one, with a degrade-and-compare self-test.

Methods after Vivone et al. (2015), "A critical comparison among pansharpening algorithms":
Brovey, GSA (Aiazzi et al. 2007), SFIM (Liu 2000) and MTF-GLP (Aiazzi et al. 2006). Without a
panchromatic band, each 20 m band of Sentinel-2 takes its detail from its best 10 m band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError
from ..grid import Window
from .base import Derived, Planes

NYQUIST_GAIN = 0.3  # of the coarse bands' modulation transfer, as usual for multispectral sensors
_SAMPLE = 384
_SHARPENED = ("reflectance", "DN", "brightness")


def sharpened(name: str, match, scene) -> list:
    """Every coarse band of a scene, called ``<band>_sharp``."""
    method = match.group(1)
    fine, coarse, ratio = _bands(name, scene)
    view = _middle(scene, [*fine, *coarse])
    made = []
    for band in coarse:
        guide = _guide(view, band, fine)
        model = fit(method, guide, band, coarse, view, ratio)
        figures = self_test(method, guide, band, coarse, view, ratio)
        made.append(
            Derived(
                f"{band}_sharp",
                (guide, *coarse),
                scene.sources[band].unit,
                f"{method} with the detail of {guide}, ratio {ratio}",
                _with(model),
                halo=_reach(ratio),
                warnings=_doubt(band, figures),
                figures=figures,
            )
        )
    return made


def _doubt(band: str, figures: dict) -> tuple:
    if figures and figures["rmse_sharpened"] > figures["rmse_enlarged"]:
        return (
            f"{band}_sharp is worse than the enlarged band in the self-test (error "
            f"{figures['rmse_sharpened']:.4f} against {figures['rmse_enlarged']:.4f}); check the "
            "registration or use sharpen_mtfglp",
        )
    return ()


def _bands(name: str, scene) -> tuple:
    """(fine bands, coarse bands, ratio): pan, else the finest; of the rest the next coarser."""
    sizes = {
        band: scene.native_size(band)
        for band, source in scene.sources.items()
        if source.unit in _SHARPENED
    }
    finest = min(sizes.values(), default=1.0)
    fine = ["pan"] if "pan" in sizes else [b for b in sizes if sizes[b] <= 1.2 * finest]
    ratios = {band: sizes[band] / sizes[fine[0]] for band in sizes} if fine else {}
    steps = sorted(r for r in ratios.values() if 1.6 <= r <= 4.5)
    if not steps:
        raise ConcordError(
            f"{name} needs a fine band (pan, or 10 m) and bands 2 to 4 times coarser; load the "
            "product's files of both resolutions."
        )
    coarse = [band for band, r in ratios.items() if abs(r - steps[0]) < 0.3]
    return fine, coarse, round(steps[0])


def _middle(scene, names) -> dict:
    """Planes of the scene's middle at full resolution, for coefficients and the self-test."""
    grid = scene.grid
    width, height = min(_SAMPLE, grid.width), min(_SAMPLE, grid.height)
    window = Window((grid.width - width) // 2, (grid.height - height) // 2, width, height)
    return dict(zip(names, scene.read(list(names), window)))


def _guide(view: dict, band: str, fine) -> str:
    """The fine band that follows the coarse one best."""

    def likeness(guide: str) -> float:
        both = np.isfinite(view[guide]) & np.isfinite(view[band])
        if both.sum() < 50:
            return -1.0
        return float(np.corrcoef(view[guide][both], view[band][both])[0, 1])

    return max(fine, key=likeness)


@dataclass(frozen=True)
class Model:
    """Coefficients of one band: intensity = weights · coarse bands + constant; detail gain."""

    method: str
    guide: str
    band: str
    ratio: int
    weights: dict
    constant: float
    gain: float


def fit(method: str, guide: str, band: str, coarse, view: dict, ratio: int) -> Model:
    """Coefficients from a sample; bands without enough data get no detail."""
    low = low_pass(view[guide], ratio, method)
    good = np.isfinite(low) & np.all([np.isfinite(view[name]) for name in coarse], axis=0)
    if good.sum() < 50 or low[good].std() == 0:
        return Model(method, guide, band, ratio, {}, 0.0, 0.0)
    table = np.stack([view[name][good] for name in coarse] + [np.ones(good.sum())], axis=1)
    line, *_ = np.linalg.lstsq(table.astype(np.float64), low[good].astype(np.float64), rcond=None)
    weights = {name: float(weight) for name, weight in zip(coarse, line)}
    level = low[good] if method == "mtfglp" else table @ line
    covariance = np.cov(view[band][good], level)
    gain = covariance[0, 1] / covariance[1, 1] if covariance[1, 1] > 0 else 0.0
    return Model(method, guide, band, ratio, weights, float(line[-1]), float(gain))


def inject(model: Model, planes: Planes) -> np.ndarray:
    """The sharpened band on planes of the fine grid."""
    guide, band = planes[model.guide], planes[model.band]
    if not model.weights:
        return band
    if model.method in ("gsa", "brovey"):
        level = np.full(band.shape, model.constant, np.float32)
        for name, weight in model.weights.items():
            level += np.float32(weight) * planes[name]
    else:
        level = low_pass(guide, model.ratio, model.method)
    if model.method in ("gsa", "mtfglp"):
        return band + np.float32(model.gain) * (guide - level)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(level > 1e-6, guide / level, 1.0)
    return band * np.clip(quotient, 0.2, 5.0)


def _with(model: Model):
    return lambda planes: inject(model, planes)


def _sigma(ratio: int) -> float:
    """Width of the Gaussian whose response at the coarse Nyquist frequency is the sensor's."""
    return ratio * np.sqrt(-2.0 * np.log(NYQUIST_GAIN)) / np.pi


def _reach(ratio: int) -> int:
    return int(np.ceil(4.0 * _sigma(ratio))) + 1


def low_pass(plane: np.ndarray, ratio: int, method: str) -> np.ndarray:
    """What the coarse sensor would see of a fine plane, gaps left out."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    valid = np.isfinite(plane)

    def blur(values):
        if method == "sfim":
            return uniform_filter(values, 2 * ratio - 1, mode="nearest")
        return gaussian_filter(values, _sigma(ratio), mode="nearest", truncate=4.0)

    if valid.all():
        return blur(plane)
    share = blur(valid.astype(np.float32))
    with np.errstate(divide="ignore", invalid="ignore"):
        filled = blur(np.where(valid, plane, 0.0).astype(np.float32))
        return np.where(share > 1e-3, filled / share, np.nan)


def self_test(method: str, guide: str, band: str, coarse, view: dict, ratio: int) -> dict:
    """Degrade everything once more, sharpen, and compare with the coarse band that is known.

    Wald's protocol: root mean square error of the sharpened and of the merely enlarged band.
    """
    from scipy.ndimage import zoom

    rows, cols = (size // (ratio * ratio) * ratio * ratio for size in view[band].shape)
    if min(rows, cols) < 8 * ratio * ratio:
        return {}
    cut = {name: np.nan_to_num(view[name][:rows, :cols]) for name in {guide, *coarse}}
    known = {name: _blocks(cut[name], ratio) for name in coarse}
    small = {guide: _blocks(cut[guide], ratio)}
    for name in coarse:
        coarser = _blocks(known[name], ratio)  # whole blocks, so that nothing moves
        small[name] = zoom(coarser, ratio, order=1, mode="nearest", grid_mode=True)
    made = inject(fit(method, guide, band, coarse, small, ratio), small)

    def error(plane) -> float:
        return round(float(np.sqrt(np.mean((plane - known[band]) ** 2))), 5)

    return {"rmse_sharpened": error(made), "rmse_enlarged": error(small[band])}


def _blocks(plane: np.ndarray, ratio: int) -> np.ndarray:
    """Means of ratio x ratio blocks."""
    rows, cols = plane.shape[0] // ratio, plane.shape[1] // ratio
    return plane.reshape(rows, ratio, cols, ratio).mean(axis=(1, 3))
