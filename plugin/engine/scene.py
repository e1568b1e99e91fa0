"""A scene: rasters of one place, read by band name in physical units on one grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import backscatter, physical, rasters, sensors, units
from .errors import ConcordError
from .grid import Grid, Window

_SMALL = 2048 * 2048  # pixels
_SQUARE, _SQUARES = 48, 6  # pixels of a square's side, squares along a side of the scene


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
    transparent: bool = False  # whether the file's mask or alpha band says where data are


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
        self.warnings, self.recognised, self._open, self._native = [], [], {}, {}
        self._corrections: dict = {}
        self._glances: dict = {}
        infos = [rasters.require_crs(rasters.info(path)) for path in paths]
        self.grid = grid or infos[0].grid
        self.sources = {}
        for i, info in enumerate(infos):
            found = recognised[i] if recognised else sensors.recognise(info, sensor)
            self.recognised.append(found)
            self.warnings += found.warnings
            self._add(info, found)

    def _add(self, info, found) -> None:
        kind = "classes" if info.categories or any(info.colours.values()) else "image"
        method = resampling_for(info.grid, self.grid, kind)
        self._native[info.path] = native_size(info.grid, self.grid)
        taken = {band.index for band in found.bands}  # an alpha band taken as nir hides nothing
        transparent = not any(own.is_alpha and own.index in taken for own in info.bands)
        for band in found.bands:
            if band.name in self.sources:
                raise self._twice(info, self.sources[band.name].path, band.name)
            self.sources[band.name] = Source(
                band.name, band.unit, info.path, method, found.sensor, band, band.nodata,
                transparent,
            )  # fmt: skip

    def _twice(self, info, other: str, name: str) -> ConcordError:
        crs = rasters.info(other).grid.crs
        if not rasters.same_crs(crs, info.grid.crs):
            return ConcordError(
                f"{info.path} ({info.grid.crs}) and {other} ({crs}) bring the same band {name} "
                "from two zones; load one zone, or mosaic them in one CRS first."
            )
        return ConcordError(f"{info.path} and {other} both bring the band {name}; leave one out.")

    @property
    def names(self) -> list:
        return list(self.sources)

    def units(self, names) -> list:
        return [self.sources[name].unit for name in names]

    def native_size(self, name: str) -> float:
        """Pixel size of a band's own file, in the units of the scene's grid."""
        return self._native[self.sources[name].path]

    def is_resampled(self, name: str) -> bool:
        """Whether a band's own pixels do not lie on the scene's grid."""
        return self._raster(self.sources[name]).is_resampled

    def is_masked(self, name: str) -> bool:
        """Whether the mask or alpha band of a band's file says where its data are."""
        source = self.sources[name]
        return source.transparent and self._raster(source).is_masked

    def is_computed(self, name: str) -> bool:
        """Whether scale and offset alone do not give the band from its file."""
        source = self.sources[name]
        in_power = self.is_resampled(name) and bool(backscatter.function_for(source))
        # A virtual raster asks a mask or a no-data value, not both.
        hidden_twice = source.nodata is not None and self.is_masked(name)
        return bool(source.band.formula) or in_power or hidden_twice

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
        hidden: dict = {}  # a file's mask is read once for all its bands
        planes = [self._plane(self.sources[name], window, shape, hidden) for name in names]
        return np.stack(planes)

    def _plane(self, source: Source, window, shape, hidden: dict) -> np.ndarray:
        raster = self._raster(source)
        raw = raster.read(window, [source.band.index], shape)[0]
        plane = raw.astype(np.float32)
        if source.nodata is not None and not np.isnan(source.nodata):
            lacking = raw == source.nodata
            if lacking.any():
                plane[lacking] = np.nan
        if raw.dtype.kind == "f":
            plane[np.isinf(plane)] = np.nan
        if source.transparent:
            if source.path not in hidden:
                valid = raster.valid(window, shape)
                hidden[source.path] = None if valid is None else ~valid
            if hidden[source.path] is not None:
                plane[hidden[source.path]] = np.nan
        if source.band.scale != 1.0:
            plane *= np.float32(source.band.scale)
        if source.band.offset != 0.0:
            plane += np.float32(source.band.offset)
        formula = source.band.formula
        if raster.is_resampled and backscatter.function_for(source):
            formula = "palsar_power" if formula == "palsar" else "power"
        return physical.apply(formula, plane) if formula else plane

    def _raster(self, source: Source) -> rasters.Raster:
        function = backscatter.function_for(source)
        key = (source.path, function)
        if key not in self._open:
            self._open[key] = rasters.Raster(
                source.path, self.grid, source.resampling, source.nodata, function,
                source.transparent,
            )  # fmt: skip
        return self._open[key]

    def overview(self, names, longest: int = 1024) -> np.ndarray:
        """The whole scene decimated to at most ``longest`` pixels a side."""
        step = max(1.0, max(self.grid.width, self.grid.height) / longest)
        shape = (max(1, round(self.grid.height / step)), max(1, round(self.grid.width / step)))
        return self.read(names, None, shape)

    def glance(self, names) -> np.ndarray:
        """Float32 (bands, rows, cols) of some of the scene's pixels, to judge its values by.

        A decimated view where that is cheap, else squares spread over the scene, put side by
        side: a view of a large file without overviews would read the whole file. Kept, since the
        preflight and the run look at the same pixels.
        """
        key = tuple(sorted(set(names)))
        if key not in self._glances:
            self._glances[key] = self._glance(list(key))
        return self._glances[key][[key.index(name) for name in names]]

    def _glance(self, names: list) -> np.ndarray:
        large = self.grid.width * self.grid.height > _SMALL
        if large and not all(self._raster(self.sources[n]).is_pyramid for n in names):
            windows = self.spread(_SQUARE, _SQUARES)
            side = int(len(windows) ** 0.5)
            if side**2 == len(windows) > 1:
                windows = sorted(windows, key=lambda w: (w.row, w.col))
                found = [self.read(names, window) for window in windows]
                rows = [np.concatenate(found[i : i + side], axis=2)
                        for i in range(0, len(found), side)]  # fmt: skip
                view = np.concatenate(rows, axis=1)
                if np.isfinite(view).all(axis=0).mean() > 0.01:
                    return view
        return self.overview(names, 256)

    def values(self, name: str) -> np.ndarray:
        """Values with data of a band from windows over the scene, all of it when they have none.

        A decimated view of a large file without overviews would read the whole file; of a small
        one it is quicker than many windows.
        """
        seen = np.empty(0, np.float32)
        if self.grid.width * self.grid.height > _SMALL:
            seen = np.concatenate([self.read([name], w).ravel() for w in self.spread()])
            seen = seen[np.isfinite(seen)]
        if seen.size < 100:
            seen = self.overview([name], 256).ravel()
            seen = seen[np.isfinite(seen)]
        return seen

    def spread(self, side: int = 64, per_axis: int = 3) -> list:
        """Windows of ``side`` pixels spread evenly over the grid, the whole of a small grid."""
        grid = self.grid
        if max(grid.width, grid.height) <= side * per_axis:
            return [grid.window]

        def starts(length: int) -> list:
            own = min(side, length)
            return [round(i * (length - own) / (per_axis - 1)) for i in range(per_axis)]

        width, height = min(side, grid.width), min(side, grid.height)
        corners = {(c, r) for r in starts(grid.height) for c in starts(grid.width)}
        return [Window(c, r, width, height) for c, r in sorted(corners)]

    def check_units(self) -> None:
        """Look at the values before anything is computed from them (the wrong-unit guard)."""
        units.check(self)

    @property
    def corrections(self) -> dict:
        """What ``check_units`` changed, {band: {field: value}}, for a copy of the scene."""
        return {name: dict(changes) for name, changes in self._corrections.items()}

    def correct(self, corrections: dict) -> None:
        """Take over the corrections of another scene of the same files."""
        for name, changes in corrections.items():
            self.change(self.sources[name], **changes)

    def change(self, source: Source, **changes) -> None:
        """Read a band in another way from here on; noted in ``corrections``."""
        self._corrections.setdefault(source.name, {}).update(changes)
        self._glances.clear()
        self.sources[source.name] = replace(source, band=replace(source.band, **changes))

    def default_composite(self) -> list:
        """Three bands to look at: the sensor's display bands, else the first ones."""
        for wanted in (
            ("red", "green", "blue"),
            ("nir", "red", "green"),
            ("vv", "vh", "vv"),
            ("hh", "hv", "hh"),
        ):
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


def resampling_for(source: Grid, target: Grid, kind: str = "image") -> str:
    """Nearest for classes; else average when going clearly coarser, bilinear otherwise.

    The grids may be in one CRS or not.
    """
    if kind == "classes":
        return "nearest"
    ratio = target.pixel_size[0] / native_size(source, target)
    return "average" if ratio >= 1.5 else "bilinear"


def native_size(source: Grid, target: Grid) -> float:
    """Pixel width of ``source`` in the units of ``target``."""
    if source.crs == target.crs:
        return source.pixel_size[0]
    bounds = rasters.transform_bounds(source.bounds, source.crs, target.crs)
    return (bounds[2] - bounds[0]) / source.width


def label_of(path: str) -> str:
    """A file's short name for messages."""
    return Path(path).name
