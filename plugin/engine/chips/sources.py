"""The rasters that are cut: on the label grid, at their own resolution, or as a composite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import rasters, sensors
from ..grid import Grid, Window
from ..scene import resampling_for


@dataclass(frozen=True)
class Cut:
    """What one image gives to one chip: (bands, rows, cols) on its own grid.

    ``shown`` is the part that the file's own mask or alpha band shows, None where it has neither.
    """

    name: str
    array: np.ndarray
    grid: Grid
    image: object
    shown: np.ndarray | None = None

    @property
    def valid(self) -> np.ndarray:
        """True (rows, cols) where every band holds data."""
        found = self._valued
        return found if self.shown is None else found & self.shown

    @property
    def _valued(self) -> np.ndarray:
        nodata = self.image.nodata
        if nodata is None:
            return np.ones(self.array.shape[1:], bool)
        if np.isnan(nodata):
            return ~np.isnan(self.array).any(axis=0)
        return ~(self.array == nodata).all(axis=0)

    @property
    def is_empty(self) -> bool:
        """True when no pixel holds data; for whole numbers the first band mostly settles it."""
        nodata = self.image.nodata
        if self.shown is not None and not self.shown.any():
            return True
        if nodata is None:
            return False
        if not np.isnan(nodata):
            first = self.array[0]  # a few of its pixels mostly settle it
            if (first[::16, ::16] != nodata).any() or (first != nodata).any():
                return False
        return not self.valid.any()


class Image:
    """One raster of imagery, in its own data type where grids agree.

    Args:
        grid: the chips' grid.
        native: cut at the raster's own resolution over the chip's footprint; without resampling
            when the raster is in the chips' CRS and neither is turned, else (``moved``) resampled
            onto whole pixels of its own size.
    """

    def __init__(self, path: str, grid: Grid, name: str, native: bool = False, date: str = ""):
        info = rasters.require_crs(rasters.info(path))
        self.recognised = sensors.recognise(info)
        self.name, self.path, self.info, self.date = name, path, info, date
        self.indexes = [band.index for band in self.recognised.bands]
        self._transparent = not any(info.bands[index - 1].is_alpha for index in self.indexes)
        nodata = self.recognised.bands[0].nodata
        own = info.grid
        straight = all(g.transform[1] == g.transform[3] == 0 for g in (own, grid))
        self.native = native and straight and rasters.same_crs(own.crs, grid.crs)
        self.moved = native and not self.native
        self.resampling = "bilinear" if self.moved else resampling_for(own, grid)
        if self.native or self.moved:
            self._raster = rasters.Raster(path)
        else:
            self._raster = self._on(grid, nodata)
        self._own_nodata = nodata
        self._ground = _pixel_in(own, grid.crs) if self.moved else own.pixel_size
        self.is_resampled = self.moved or self._raster.is_resampled
        self.nodata = np.nan if self.is_resampled else nodata
        self.dtype = "float32" if self.is_resampled else info.bands[self.indexes[0] - 1].dtype
        self.bounds = own.bounds
        if not rasters.same_crs(own.crs, grid.crs):
            self.bounds = rasters.transform_bounds(own.bounds, own.crs, grid.crs)

    def _on(self, grid: Grid, nodata: float | None) -> rasters.Raster:
        return rasters.Raster(
            self.path, grid, self.resampling, nodata, transparent=self._transparent
        )

    @property
    def bands(self) -> tuple:
        return self.recognised.bands

    @property
    def inputs(self) -> list:
        """The rasters this image is made of."""
        return [self.path]

    @property
    def dates(self) -> list:
        return [self.date] if self.date else []

    def touches(self, bounds: tuple) -> bool:
        """True when the image's rectangle overlaps bounds of the chips' CRS."""
        left, bottom, right, top = self.bounds
        return left < bounds[2] and right > bounds[0] and bottom < bounds[3] and top > bounds[1]

    def cut(self, window: Window, grid: Grid) -> Cut | None:
        """The pixels of a chip (window on the chips' grid), None where the image has none."""
        here = grid.sub(window)
        if not self.touches(here.bounds):
            return None
        if self.moved:
            found = self._cut_moved(here)
        elif self.native:
            found = self._cut_native(here)
        else:
            found = self._shown(self._raster.read(window, self.indexes), window, here)
        return None if found is None or found.is_empty else found

    def _shown(self, array: np.ndarray, window: Window, here: Grid) -> Cut:
        """A cut of the raster's own pixels; what its mask hides becomes no data, 0 without one."""
        shown = self._raster.valid(window) if self._transparent else None
        if shown is not None:
            array[:, ~shown] = 0 if self.nodata is None else self.nodata
        return Cut(self.name, array, here, self, shown)

    def _cut_moved(self, here: Grid) -> Cut:
        """The chip's footprint in the number of pixels that keeps their size on the ground."""
        sides = zip((here.width, here.height), here.pixel_size, self._ground)
        counts = [max(1, round(count * side / own)) for count, side, own in sides]
        x, y = here.width / counts[0], here.height / counts[1]
        a, b, c, d, e, f = here.transform
        grid = Grid(here.crs, (a * x, b * y, c, d * x, e * y, f), *counts)
        with self._on(grid, self._own_nodata) as raster:
            array = raster.read(None, self.indexes)
        return Cut(self.name, array.astype(np.float32, copy=False), grid, self)

    def _cut_native(self, here: Grid) -> Cut | None:
        own = self.info.grid
        left, _, _, top = here.bounds
        col, row = own.colrow(left, top)
        width = max(1, round(here.width * here.pixel_size[0] / own.pixel_size[0]))
        height = max(1, round(here.height * here.pixel_size[1] / own.pixel_size[1]))
        window = Window(round(col), round(row), width, height)
        inside = window.clipped(own.width, own.height)
        if inside.is_empty:
            return None
        found = self._shown(self._raster.read(inside, self.indexes), inside, own.sub(inside))
        if inside == window:
            return found
        if self.nodata is None:
            return None  # nothing could mark the missing part
        whole = np.full((len(found.array), height, width), self.nodata, found.array.dtype)
        col, row = inside.col - window.col, inside.row - window.row
        whole[:, row : row + inside.height, col : col + inside.width] = found.array
        return Cut(self.name, whole, own.sub(window), self)

    def encode(self, cut: Cut) -> bytes:
        """A GeoTIFF of a cut with its band names, units, scales and no-data value."""
        return rasters.encode(
            cut.array, cut.grid, names=[b.name for b in self.bands],
            units=["" if b.formula else b.unit for b in self.bands], nodata=self.nodata,
            scales=[(b.scale, b.offset) for b in self.bands],
        )  # fmt: skip

    @cached_property
    def stretch(self) -> tuple:
        """(band positions, low, high) of an 8-bit picture: 2nd and 98th percentile a band."""
        names = [b.name for b in self.bands]
        wanted = [n for n in ("red", "green", "blue") if n in names]
        chosen = [names.index(n) for n in wanted] if len(wanted) == 3 else []
        if not chosen:
            chosen = [min(i, len(names) - 1) for i in range(3)]
        info = self.info.grid
        step = max(1.0, max(info.width, info.height) / 512)
        shape = (max(1, int(info.height / step)), max(1, int(info.width / step)))
        with rasters.Raster(self.path) as raster:
            sample = raster.read(None, [self.indexes[i] for i in chosen], shape).astype(float)
        if self.nodata is not None and not np.isnan(self.nodata):
            sample[sample == self.nodata] = np.nan
        sample[~np.isfinite(sample)] = np.nan
        lows, highs = [], []
        for band in sample:
            values = band[~np.isnan(band)]
            low, high = np.percentile(values, (2, 98)) if values.size else (0.0, 1.0)
            lows.append(float(low))
            highs.append(float(high) if high > low else float(low) + 1.0)
        return chosen, lows, highs

    def picture(self, cut: Cut) -> np.ndarray:
        """An 8-bit RGB picture (rows, cols, 3) of a cut, stretched alike for all chips."""
        chosen, lows, highs = self.stretch
        planes = []
        for index, low, high in zip(chosen, lows, highs):
            band = np.nan_to_num(cut.array[index].astype(np.float32), nan=low)
            planes.append(np.clip((band - low) * (255.0 / (high - low)), 0, 255))
        picture = np.stack(planes, axis=-1).round().astype(np.uint8)
        picture[~cut.valid] = 0
        return picture

    def close(self) -> None:
        self._raster.close()


def _pixel_in(grid: Grid, crs: str) -> tuple:
    """(width, height) of the middle pixel in the units of another CRS."""
    col, row = grid.width / 2, grid.height / 2
    spots = [grid.xy(*spot) for spot in ((col, row), (col + 1, row), (col, row + 1))]
    (x, y), *ends = rasters.transform_points(spots, grid.crs, crs)
    return tuple(math.hypot(right - x, up - y) for right, up in ends)
