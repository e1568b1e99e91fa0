"""What satellites would see of the landscape: reflectance, backscatter and an elevation model."""

from __future__ import annotations

import numpy as np

from . import noise
from .covers import BACKSCATTER, INDEX, REFLECTANCE, ROWS, TREES, WATER
from .landscape import Landscape

SUN = (0.64, 0.77)  # unit vector towards the sun on the map: rows down, columns right
LOOKS = 4.4  # equivalent number of looks of a Sentinel-1 GRD product
ROOF_NAMES = ("red roof", "grey roof", "hall roof")


def optical(seed: int, land: Landscape) -> np.ndarray:
    """Surface reflectance (4, size, size) float32: blue, green, red, near infrared."""
    from scipy import ndimage

    rng = noise.stream(seed, "optical")
    image = np.moveaxis(REFLECTANCE[land.cover], -1, 0).copy()
    _plants(rng, land, image)
    _canopy(rng, land, image)
    _single(rng, land, image)
    _light(land, image)
    for band in image:
        ndimage.gaussian_filter(band, 0.55, output=band, mode="nearest")
    season = rng.normal(0, 1, 4) * (0.03, 0.03, 0.04, 0.06)
    haze = np.array([0.010, 0.006, 0.003, 0.001]) * rng.uniform(0.3, 1.2)
    image = image * np.exp(season)[:, None, None] + haze[:, None, None]
    image += rng.standard_normal(image.shape) * (0.0010 + 0.008 * image)
    return np.clip(image, 0.0001, 1.2).astype(np.float32)


def _plants(rng, land: Landscape, image: np.ndarray) -> None:
    """Parcels differ in brightness and vigour, vary inside and show the tractor's rows."""
    shape = land.cover.shape
    count = len(land.angle)
    natural = np.isin(land.truth, [TREES, WATER])
    wide = 0.25 * natural + 1.0 * ~natural
    brightness = rng.normal(0, 0.07, count)[land.parcel] * wide
    vigour = rng.normal(0, 0.11, count)[land.parcel] * wide
    patch = 0.6 * noise.smooth(rng, shape, 26) + 0.4 * noise.smooth(rng, shape, 8)
    vigour = vigour + 0.075 * patch * wide
    rough = np.isin(land.cover, [INDEX["meadow"], INDEX["mown meadow"], INDEX["garden"]])
    vigour = vigour + 0.05 * noise.smooth(rng, shape, 2.5) * rough

    yy, xx = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = land.angle[land.parcel]
    across = -xx * np.sin(angle) + yy * np.cos(angle)
    period = rng.uniform(2.6, 4.4, count)[land.parcel]
    phase = rng.uniform(0, 6.3, count)[land.parcel]
    strength = ROWS[land.cover] * rng.uniform(0.015, 0.06, count)[land.parcel]
    rows = strength * np.sin(2 * np.pi * across / period + phase)
    bare = ROWS[land.cover] * (image[3] < 1.6 * image[2])
    for band, share in enumerate((-0.5, -0.25, -0.9, 1.0)):
        # Bare ground has no leaves: there rows and patches only change the brightness.
        leaf = np.where(bare > 0, 0.8, share)
        image[band] *= np.exp(brightness + leaf * (vigour + rows))


def _canopy(rng, land: Landscape, image: np.ndarray) -> None:
    """Crowns lit on the sun's side, dark on the other."""
    from scipy import ndimage

    crowns = ndimage.gaussian_filter(rng.standard_normal(land.cover.shape), 0.75)
    crowns += 0.5 * ndimage.gaussian_filter(rng.standard_normal(land.cover.shape), 1.6)
    lit = crowns - noise.shifted(crowns, 1, 1)
    lit = lit / lit.std()
    trees = land.truth == TREES
    stand = 0.06 * noise.smooth(rng, land.cover.shape, 12)
    for band, share in enumerate((0.10, 0.13, 0.13, 0.15)):
        image[band][trees] *= np.exp(share * lit + stand)[trees]


def _single(rng, land: Landscape, image: np.ndarray) -> None:
    """Roofs differ from house to house, water from place to place, gravel from pixel to pixel."""
    shape = land.cover.shape
    roof = rng.normal(0, 0.16, land.building.max() + 1)
    roof[0] = 0
    image *= np.exp(roof[land.building])
    paved = np.isin(land.cover, [INDEX["asphalt"], INDEX["track"], INDEX["gravel"]])
    image *= np.exp(0.08 * rng.standard_normal(shape) * paved)
    water = land.truth == WATER
    silt = np.exp(0.10 * noise.smooth(rng, shape, 45))
    image[:, water] *= silt[water]
    algae = water & (land.cover == INDEX["pond"])
    image[1][algae] *= np.exp(0.15 * noise.smooth(rng, shape, 30))[algae]


def _light(land: Landscape, image: np.ndarray) -> None:
    """Slopes towards the sun are brighter; woods and houses throw a shadow away from it."""
    down, right = np.gradient(land.elevation, 10.0)
    # Ground that falls towards the sun faces it.
    facing = -(down * SUN[0] + right * SUN[1])
    image *= np.clip(1 + 0.9 * facing, 0.75, 1.25)
    tall = land.truth == TREES
    shadow = noise.shifted(tall, -1, -1) & ~tall
    image[:, shadow] *= 0.72
    house = np.isin(land.cover, [INDEX[name] for name in ROOF_NAMES])
    shadow = noise.shifted(house, -1, -1) & ~house
    image[:, shadow] *= 0.84


def radar(seed: int, land: Landscape) -> np.ndarray:
    """Backscatter (2, size, size) float32 in dB: VV, VH, with speckle.

    Speckle is multiplicative and gamma distributed in power (Ulaby and Dobson, 1989); the
    product's pixels are finer than its resolution, hence the slight blur.
    """
    from scipy import ndimage

    rng = noise.stream(seed, "radar")
    shape = land.cover.shape
    level = np.moveaxis(BACKSCATTER[land.cover], -1, 0).astype(np.float64)
    natural = np.isin(land.truth, [TREES, WATER])
    level = level + rng.normal(0, 0.7, len(land.angle))[land.parcel] * ~natural
    level = level + 0.5 * noise.smooth(rng, shape, 20)
    house = rng.normal(0, 3.0, land.building.max() + 1)
    house[0] = 0
    level = level + house[land.building]
    down, right = np.gradient(land.elevation, 10.0)
    level = level + np.clip(-8 * right, -2.5, 2.5)
    out = np.empty(level.shape, np.float32)
    for band in range(2):
        power = ndimage.gaussian_filter(10 ** (level[band] / 10), 0.6, mode="nearest")
        # Fewer looks before the blur, so that LOOKS remain after it.
        speckle = rng.gamma(LOOKS / 2.1, 2.1 / LOOKS, shape)
        power = power * ndimage.gaussian_filter(speckle, 0.5, mode="nearest") + 10**-3.1
        out[band] = 10 * np.log10(power)
    return out


def elevation(seed: int, land: Landscape) -> np.ndarray:
    """Elevation model, float32 metres, half as many rows and columns (20 m), with 0.4 m noise."""
    rng = noise.stream(seed, "elevation")
    size = land.elevation.shape[0]
    even = size - size % 2
    fine = land.elevation[:even, :even].reshape(even // 2, 2, even // 2, 2).mean((1, 3))
    return (fine + rng.normal(0, 0.4, fine.shape)).astype(np.float32)
