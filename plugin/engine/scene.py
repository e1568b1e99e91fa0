"""A scene: rasters of one place, read by band name in physical units on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import rasters, sensors
from .errors import ConcordError
from .grid import Grid, Window


@dataclass(frozen=True)
class Source:
    """One band of a scene and the file it comes from."""

    name: str
    unit: str
    path: str
    resampling: str
    sensor: str
    band: sensors.SceneBand
    nodata: float | None


class Scene:
    """Bands of several rasters, addressed by name, as float32 in physical units.

    Args:
        paths: rasters; the first one gives the grid unless ``grid`` is given.
        grid: the grid to read on.
        sensor: a preset id, or ``auto``.
        recognised: what is already known of each path, to spare a second look.

    Raises:
        ConcordError: a file is missing, has no CRS, or two files bring the same band.
    """

    def __init__(self, paths, grid: Grid | None = None, sensor: str = "auto", recognised=None):
        if not paths:
            raise ConcordError("No image was given; choose at least one raster.")
        self.warnings, self.recognised, self._open = [], [], {}
        self._linear = set()
        infos = [rasters.require_crs(rasters.info(path)) for path in paths]
        self.grid = grid or infos[0].grid
        self.sources = {}
        for i, info in enumerate(infos):
            found = recognised[i] if recognised else sensors.recognise(info, sensor)
            self.recognised.append(found)
            self.warnings += found.warnings
            self._add(info, found)

    def _add(self, info, found) -> None:
        method = resampling_for(info.grid, self.grid)
        for band in found.bands:
            if band.name in self.sources:
                other = self.sources[band.name].path
                raise ConcordError(
                    f"{info.path} and {other} both bring the band {band.name}; leave one out."
                )
            self.sources[band.name] = Source(
                band.name, band.unit, info.path, method, found.sensor, band, band.nodata
            )

    @property
    def names(self) -> list:
        return list(self.sources)

    def units(self, names) -> list:
        return [self.sources[name].unit for name in names]

    def require(self, names) -> list:
        """The names as given, or a refusal that says which band is missing."""
        absent = [name for name in names if name not in self.sources]
        if absent:
            raise ConcordError(
                f"The scene has no band named {absent[0]} (it has {', '.join(self.names)}); "
                "load the missing band or name the bands in the Scene panel."
            )
        return list(names)

    def read(self, names, window: Window | None = None, shape=None) -> np.ndarray:
        """Float32 (bands, rows, cols) of ``window`` in physical units, NaN for no data."""
        planes = [self._plane(self.sources[name], window, shape) for name in names]
        return np.stack(planes)

    def _plane(self, source: Source, window, shape) -> np.ndarray:
        raster = self._raster(source)
        raw = raster.read(window, [source.band.index], shape)[0]
        plane = raw.astype(np.float32)
        if source.nodata is not None and not np.isnan(source.nodata):
            lacking = raw == source.nodata
            if lacking.any():
                plane[lacking] = np.nan
        if source.band.scale != 1.0:
            plane *= np.float32(source.band.scale)
        if source.band.offset != 0.0:
            plane += np.float32(source.band.offset)
        if source.name in self._linear:
            with np.errstate(divide="ignore", invalid="ignore"):
                plane = np.where(plane > 0, 10.0 * np.log10(plane), np.nan).astype(np.float32)
        return plane

    def _raster(self, source: Source) -> rasters.Raster:
        if source.path not in self._open:
            self._open[source.path] = rasters.Raster(
                source.path, self.grid, source.resampling, nodata=source.nodata
            )
        return self._open[source.path]

    def overview(self, names, longest: int = 1024) -> np.ndarray:
        """The whole scene decimated to at most ``longest`` pixels a side."""
        step = max(1.0, max(self.grid.width, self.grid.height) / longest)
        shape = (max(1, round(self.grid.height / step)), max(1, round(self.grid.width / step)))
        return self.read(names, None, shape)

    def check_units(self) -> None:
        """Look at the values before anything is computed from them (the wrong-unit guard).

        Backscatter without a negative value is linear power and is read as dB from here on;
        reflectance far above 1 means a wrong scale and is warned of.
        """
        for source in self.sources.values():
            if source.unit not in ("dB", "reflectance"):
                continue
            values = self.overview([source.name], 256)
            values = values[np.isfinite(values)]
            if not values.size:
                self.warnings.append(f"{label_of(source.path)}: {source.name} holds no data")
            elif source.unit == "dB" and values.min() >= 0:
                self._linear.add(source.name)
                self.warnings.append(
                    f"{label_of(source.path)}: {source.name} is linear power, converted to dB"
                )
            elif source.unit == "reflectance" and np.median(values) > 2:
                self.warnings.append(
                    f"{label_of(source.path)}: {source.name} has a median of "
                    f"{np.median(values):.0f}, too high for reflectance; check its scale"
                )

    def default_composite(self) -> list:
        """Three bands to look at: the sensor's display bands, else the first ones."""
        for wanted in (("red", "green", "blue"), ("nir", "red", "green"), ("vv", "vh", "vv")):
            if all(name in self.sources for name in wanted):
                return list(wanted)
        return (self.names * 3)[:3]

    def close(self) -> None:
        for raster in self._open.values():
            raster.close()
        self._open = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def resampling_for(source: Grid, target: Grid) -> str:
    """Average when going clearly coarser, bilinear otherwise; both grids in one CRS or not."""
    if source.crs == target.crs:
        ratio = target.pixel_size[0] / source.pixel_size[0]
    else:
        bounds = rasters.transform_bounds(source.bounds, source.crs, target.crs)
        ratio = target.pixel_size[0] / ((bounds[2] - bounds[0]) / source.width)
    return "average" if ratio >= 1.5 else "bilinear"


def label_of(path: str) -> str:
    """A file's short name for messages."""
    return Path(path).name
