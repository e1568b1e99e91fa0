"""Rasters opened, described and read by windows, on their own grid or on another."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT

from .. import attributes
from ..errors import ConcordError
from ..files import is_dataset_name
from ..grid import Grid, Window
from . import masks, wavelengths
from .computed import computed_xml, marked_xml
from .environment import (
    affine,
    crs_text,
    environment,
    in_environment,
    native_window,
    parse_crs,
    same_crs,
)
from .turns import Turns


@dataclass(frozen=True)
class BandInfo:
    """One band: 1-based index, description, unit, dtype, nodata, scale and offset.

    ``wavelength`` and ``width`` (µm) come from the band's metadata, ``is_bad`` from its bad-band
    list.
    """

    index: int
    name: str
    unit: str
    dtype: str
    nodata: float | None
    scale: float = 1.0
    offset: float = 0.0
    is_alpha: bool = False
    wavelength: float | None = None
    width: float | None = None
    is_bad: bool = False


@dataclass(frozen=True)
class RasterInfo:
    """What a raster says of itself; ``colours`` {code: (r, g, b)}, ``categories`` {code: name}."""

    path: str
    grid: Grid
    bands: tuple
    colours: dict = field(default_factory=dict)
    categories: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    has_control_points: bool = False

    @property
    def names(self) -> list:
        return [band.name for band in self.bands]


def _grid_of(dataset) -> Grid:
    return Grid(crs_text(dataset.crs), tuple(dataset.transform)[:6], dataset.width, dataset.height)


def open_dataset(path: str | Path):
    if not is_dataset_name(str(path)) and not Path(path).exists():
        raise ConcordError(f"The raster {path} does not exist; check the path.")
    try:
        with warnings.catch_warnings():  # a missing CRS gets a sentence of its own
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
    except RasterioError as error:
        raise ConcordError(
            f"{path} cannot be opened as a raster; choose a file that GDAL can read."
        ) from error
    if not dataset.count:
        dataset.close()
        raise ConcordError(f"{path} has no band of its own; choose one of the layers inside it.")
    return dataset


class Raster:
    """An open raster, read as it is or, when ``grid`` is given, resampled onto that grid.

    Reads are serialised by a lock, so one object serves several threads.

    Args:
        path: a file that GDAL reads.
        grid: the grid to read on; None for the raster's own.
        resampling: GDAL's name of the method used when the grids differ.
        nodata: what counts as no data while resampling, when the file itself does not say.
        function: a pixel function of GDAL (dB2pow, intensity) applied before resampling, so that
            radar is averaged in power; it has no effect on the raster's own grid.
        transparent: whether, on another grid, the file's mask or alpha band hides pixels; not
            where the alpha band is really an image band.

    Raises:
        ConcordError: the file is missing, is no raster, or has no CRS while ``grid`` has one.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid | None = None,
        resampling: str = "bilinear",
        nodata: float | None = None,
        function: str = "",
        transparent: bool = True,
    ):
        self._lock = Turns()
        self._warped = None
        self.path = self.opened = str(path)
        with environment():
            self._dataset = open_dataset(path)
            self.info = _describe(self._dataset, self.path)
            self.grid = grid or self.info.grid
            if grid is not None and not self._on(grid):
                require_crs(self.info)
                self._mark(nodata, function, transparent)
                self._warp(grid, resampling, nodata)

    def _on(self, grid: Grid) -> bool:
        return self.info.grid.aligned(grid) and same_crs(self.info.grid.crs, grid.crs)

    def _mark(self, nodata: float | None, function: str, transparent: bool) -> None:
        """From here on NaN is no data, where the warper alone would miss some of it."""
        told, mask = nodata is not None or self._dataset.nodata is not None, self._mask_band
        if mask and (told or function or not transparent):
            self._reopen(marked_xml(self._dataset, nodata, mask if transparent else ""))
        if function:
            self._reopen(computed_xml(self._dataset, function, nodata))

    def _reopen(self, text: str) -> None:
        self._dataset.close()
        self._dataset, self.opened = rasterio.open(text), text

    def _warp(self, grid: Grid, resampling: str, nodata: float | None) -> None:
        own = self._dataset.nodata
        self._warped = WarpedVRT(
            self._dataset,
            crs=parse_crs(grid.crs),
            transform=affine(grid.transform),
            width=grid.width,
            height=grid.height,
            resampling=Resampling[resampling],
            # GDAL asks a mask inside the file only where no value stands for no data.
            src_nodata=own if own is not None or self.is_masked else nodata,
            # Float, so that NaN can mark what the source does not cover whatever its type.
            dtype="float32",
            nodata=np.nan,
        )

    @property
    def virtual(self):
        """The warped VRT that reads on another grid, None on the raster's own."""
        return self._warped

    @property
    def is_resampled(self) -> bool:
        return self._warped is not None

    @property
    def is_pyramid(self) -> bool:
        """Whether a decimated view is read from stored overviews, not from all of the file."""
        with self._lock:
            return self._warped is None and bool(self._dataset.overviews(1))

    def read(self, window: Window | None = None, indexes=None, shape: tuple | None = None):
        """Raw values (bands, rows, cols) of ``window``; ``shape`` (rows, cols) decimates.

        A resampled raster gives float32 with NaN where it has no data.
        """
        source = self._warped or self._dataset
        indexes = list(indexes) if indexes is not None else list(range(1, source.count + 1))
        out = (len(indexes), *shape) if shape else None
        try:
            with self._lock, environment():
                return source.read(indexes, window=native_window(window), out_shape=out)
        except RasterioError as error:
            raise self._damaged() from error

    def valid(self, window: Window | None = None, shape: tuple | None = None):
        """Where the file's own mask or alpha band lets data through, bool (rows, cols).

        None when the file has neither, and on another grid, where the warp has asked it already.
        """
        if not self.is_masked:
            return None
        if self._mask_band != masks.SHARED:
            return self.read(window, [int(self._mask_band)], shape)[0] > 0
        try:
            with self._lock, environment():
                return self._dataset.dataset_mask(window=native_window(window), out_shape=shape) > 0
        except RasterioError as error:
            raise self._damaged() from error

    @property
    def is_masked(self) -> bool:
        """Whether a mask or an alpha band of the file must be asked while reading its own grid."""
        return bool(self._mask_band)

    @property
    def _mask_band(self) -> str:
        # Not of a text that was opened instead: what hides pixels is NaN there.
        hides = self._warped is None and self.opened == self.path
        return masks.band_of(self._dataset, self.info.bands) if hides else ""

    def _damaged(self) -> ConcordError:
        return ConcordError(
            f"{self.path} cannot be read to its end; the file is damaged or cut short, "
            "get it again."
        )

    def close(self) -> None:
        with self._lock, environment():  # GDAL crashes when closed under a read
            if self._warped is not None:
                self._warped.close()
            self._dataset.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _describe(dataset, path: str) -> RasterInfo:
    bands = []
    for i in range(dataset.count):
        nodata = dataset.nodatavals[i]
        bands.append(
            BandInfo(
                i + 1,
                dataset.descriptions[i] or "",
                dataset.units[i] or "",
                dataset.dtypes[i],
                None if nodata is None else float(nodata),
                float(dataset.scales[i]),
                float(dataset.offsets[i]),
                dataset.colorinterp[i] == ColorInterp.alpha,
                *wavelengths.of_band(dataset, i + 1),
            )
        )
    colours = {}
    if dataset.count and dataset.dtypes[0] in ("uint8", "uint16"):
        with contextlib.suppress(ValueError):
            colours = {code: rgba[:3] for code, rgba in dataset.colormap(1).items()}
    tags = dataset.tags()
    categories = attributes.categories(path, tags)
    placed = bool(dataset.gcps[0])
    return RasterInfo(path, _grid_of(dataset), tuple(bands), colours, categories, tags, placed)


@in_environment
def info(path: str | Path) -> RasterInfo:
    """What a raster says of itself, without reading pixels."""
    with open_dataset(path) as dataset:
        return _describe(dataset, str(path))


def require_crs(described: RasterInfo) -> RasterInfo:
    """The same description, or a refusal when the raster has no CRS."""
    if not described.grid.crs and described.has_control_points:
        raise ConcordError(
            f"{described.path} is placed by control points only; warp it first (Georeferencer or "
            "gdalwarp)."
        )
    if not described.grid.crs:
        raise ConcordError(
            f"{described.path} has no coordinate reference system; assign one in the file with "
            "QGIS's tool Assign projection, as a layer's own CRS is not enough."
        )
    return described


def read(path: str | Path, names=None, indexes=None, window: Window | None = None) -> np.ndarray:
    """Raw values (bands, rows, cols) of some bands, by description or by 1-based index."""
    with Raster(path) as raster:
        if names is not None:
            known = {name: i + 1 for i, name in enumerate(raster.info.names)}
            absent = [name for name in names if name not in known]
            if absent:
                raise ConcordError(
                    f"{path} has no band named {absent[0]}; it has {', '.join(known)}."
                )
            indexes = [known[name] for name in names]
        return raster.read(window, indexes)
