"""Terrain from elevation: slope, aspect, hillshade, position and roughness, object height."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from .base import Derived, Planes
from .windows import mean_within, shifted


def _ground(name: str, scene) -> str:
    """The elevation band, else the surface; a refusal when there is none."""
    for band in ("elevation", "surface"):
        if band in scene.names:
            return band
    raise ConcordError(
        f"The derived band {name} needs the band elevation, which the scene lacks; leave it out "
        "or add a DEM."
    )


def _metric_size(name: str, scene) -> tuple:
    """Pixel width and height in metres.

    Raises:
        ConcordError: the grid is in degrees.
    """
    from .. import rasters

    if rasters.crs_is_geographic(scene.grid.crs):
        raise ConcordError(
            f"The derived band {name} works in metres but the grid is in degrees "
            f"({scene.grid.crs}); choose a projected CRS such as the UTM zone."
        )
    return scene.grid.pixel_size


def surface_shape(name: str, _match, scene) -> list:
    """Slope and aspect in degrees, hillshade 0-1 (sun at 315°, 45° high); Horn (1981)."""
    band, size = _ground(name, scene), _metric_size(name, scene)

    def compute(planes: Planes) -> np.ndarray:
        east, south = _gradient(planes[band], size)
        slope = np.hypot(east, south)
        if name == "slope":
            return np.degrees(np.arctan(slope))
        if name == "aspect":  # where the ground faces, clockwise from north
            return np.mod(np.degrees(np.arctan2(-east, south)), 360.0)
        tilt, facing = np.arctan(slope), np.arctan2(-east, south)
        sun = np.radians(45.0)
        shade = np.cos(sun) * np.cos(tilt)
        shade = shade + np.sin(sun) * np.sin(tilt) * np.cos(np.radians(315.0) - facing)
        return np.clip(shade, 0.0, 1.0)

    unit = "1" if name == "hillshade" else "degree"
    return [Derived(name, (band,), unit, "Horn 1981, 3 x 3 window", compute, 1)]


def _gradient(height: np.ndarray, size: tuple) -> tuple:
    """Rise per metre to the east and to the south, by Horn's weights."""
    north_west, north, north_east = (shifted(height, -1, dx) for dx in (-1, 0, 1))
    south_west, south, south_east = (shifted(height, 1, dx) for dx in (-1, 0, 1))
    west, east = shifted(height, 0, -1), shifted(height, 0, 1)
    to_east = (north_east + 2 * east + south_east - north_west - 2 * west - south_west) / 8.0
    to_south = (south_west + 2 * south + south_east - north_west - 2 * north - north_east) / 8.0
    return to_east / size[0], to_south / size[1]


def neighbourhood(name: str, match, scene) -> list:
    """Position (height above the mean of a window) or roughness (its standard deviation), m.

    The window is square, its side the number in the name in metres; TPI after Weiss (2001).
    """
    kind, side = match.group(1), float(match.group(2))
    band, size = _ground(name, scene), _metric_size(name, scene)
    reach = round(side / size[0] / 2)
    if reach < 1:
        raise ConcordError(
            f"The window of {name} is smaller than three pixels of {size[0]:g} m; choose at "
            f"least {3 * size[0]:.0f} m."
        )
    if reach > 256:
        raise ConcordError(
            f"The window of {name} spans more than 512 pixels; choose a smaller one or a coarser "
            "resolution."
        )

    def compute(planes: Planes) -> np.ndarray:
        height = planes[band]
        mean = mean_within(height, reach)
        if kind == "tpi":
            return height - mean
        # Squares of differences from a level, because squares of heights lose their digits.
        level = np.float32(np.nanmean(height)) if np.isfinite(height).any() else 0.0
        low = height - level
        variance = mean_within(low * low, reach) - np.square(mean - level)
        return np.where(np.isfinite(height), np.sqrt(np.maximum(variance, 0.0)), np.nan)

    text = f"window of {2 * reach + 1} pixels ({(2 * reach + 1) * size[0]:g} m)"
    return [Derived(name, (band,), "m", text, compute, reach)]


def object_height(name: str, _match, scene) -> list:
    """Height above ground: surface minus elevation, m."""
    for band, what in (("surface", "a DSM"), ("elevation", "a DTM")):
        if band not in scene.names:
            raise ConcordError(
                f"The derived band {name} needs the band {band}, which the scene lacks; add {what}."
            )

    def compute(planes: Planes) -> np.ndarray:
        return planes["surface"] - planes["elevation"]

    return [Derived(name, ("surface", "elevation"), "m", "DSM minus DTM", compute)]
