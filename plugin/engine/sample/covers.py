"""What lies on the ground of the sample scene, finer than the six classes.

Reflectances are typical midsummer values at Sentinel-2's blue, green, red and near infrared;
backscatter is gamma nought of Sentinel-1 in decibels. Chosen by hand to look right and to
overlap as real covers do; not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WATER, TREES, GRASS, CROPS, BUILT, BARE = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Cover:
    """One kind of ground: class code, reflectance (blue, green, red, nir), VV and VH in dB."""

    name: str
    code: int
    reflectance: tuple
    backscatter: tuple
    rows: float = 0.0  # strength of the row texture, relative


COVERS = (
    Cover("river", WATER, (0.058, 0.072, 0.048, 0.024), (-19.5, -27.0)),
    Cover("pond", WATER, (0.046, 0.052, 0.034, 0.016), (-21.0, -28.0)),
    Cover("broadleaf", TREES, (0.024, 0.046, 0.024, 0.350), (-8.6, -13.6)),
    Cover("conifer", TREES, (0.018, 0.030, 0.018, 0.205), (-8.9, -14.2)),
    Cover("hedge", TREES, (0.030, 0.050, 0.030, 0.310), (-9.3, -14.6)),
    Cover("meadow", GRASS, (0.040, 0.075, 0.046, 0.335), (-12.4, -19.0)),
    Cover("mown meadow", GRASS, (0.056, 0.092, 0.082, 0.275), (-13.2, -20.6)),
    Cover("garden", GRASS, (0.044, 0.070, 0.052, 0.290), (-10.6, -17.0)),
    Cover("ripe wheat", CROPS, (0.070, 0.108, 0.136, 0.265), (-12.6, -18.6), 0.8),
    Cover("green cereal", CROPS, (0.036, 0.070, 0.042, 0.400), (-11.2, -17.2), 0.7),
    Cover("maize", CROPS, (0.032, 0.058, 0.036, 0.435), (-9.6, -15.0), 1.0),
    Cover("beet", CROPS, (0.032, 0.066, 0.032, 0.510), (-8.9, -14.2), 1.1),
    Cover("rapeseed", CROPS, (0.044, 0.104, 0.092, 0.370), (-9.4, -14.4), 0.6),
    Cover("young maize", CROPS, (0.064, 0.092, 0.096, 0.245), (-11.4, -18.4), 1.6),
    Cover("ploughed soil", BARE, (0.078, 0.104, 0.132, 0.186), (-10.9, -20.2), 1.2),
    Cover("pale soil", BARE, (0.108, 0.142, 0.180, 0.240), (-11.6, -21.0), 1.0),
    Cover("gravel", BARE, (0.138, 0.162, 0.182, 0.222), (-13.4, -22.0)),
    Cover("track", BARE, (0.122, 0.148, 0.174, 0.232), (-13.6, -21.6)),
    Cover("red roof", BUILT, (0.082, 0.094, 0.142, 0.200), (-3.8, -11.2)),
    Cover("grey roof", BUILT, (0.124, 0.132, 0.144, 0.168), (-3.4, -11.0)),
    Cover("hall roof", BUILT, (0.300, 0.310, 0.322, 0.344), (-1.6, -10.0)),
    Cover("asphalt", BUILT, (0.094, 0.102, 0.112, 0.140), (-13.2, -21.4)),
)

INDEX = {cover.name: number for number, cover in enumerate(COVERS)}
CLASS_OF = np.array([cover.code for cover in COVERS], np.uint8)
REFLECTANCE = np.array([cover.reflectance for cover in COVERS], np.float32)
BACKSCATTER = np.array([cover.backscatter for cover in COVERS], np.float32)
ROWS = np.array([cover.rows for cover in COVERS], np.float32)
