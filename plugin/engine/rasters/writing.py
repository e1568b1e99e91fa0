"""GeoTIFFs that appear under their name only when they are complete, and PNG pictures."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from .. import attributes
from ..errors import ConcordError
from ..files import atomic_file
from ..grid import Grid, Window
from .environment import affine, environment, in_environment, native_window, parse_crs

_BLOCK = 256


class Writer:
    """A GeoTIFF that appears under its name only when it is complete.

    ``scales`` is (scale, offset) a band: physical = raw * scale + offset.
    Use as a context manager; ``write`` takes (bands, rows, cols) or (rows, cols) for a window.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        count: int,
        dtype: str,
        *,
        names=None,
        units=None,
        nodata=None,
        colours=None,
        categories=None,
        tags=None,
        sidecar: bool = True,
        scales=None,
    ):
        self.path = Path(path)
        self.grid, self.count, self.dtype = grid, count, dtype
        self._names, self._units, self._nodata = names, units, nodata
        self._colours, self._categories, self._scales = colours, categories, scales
        self._tags, self._sidecar = dict(tags or {}), sidecar
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_file(self.path))
            stack.enter_context(environment())
            self._dataset = rasterio.open(self._temporary, "w", **self._profile())
            stack.callback(self._dataset.close)
            self._describe()
            self._stack = stack.pop_all()
        return self

    def _profile(self) -> dict:
        profile = {
            "driver": "GTiff",
            "width": self.grid.width,
            "height": self.grid.height,
            "count": self.count,
            "dtype": self.dtype,
            "crs": parse_crs(self.grid.crs),
            "transform": affine(self.grid.transform),
            "nodata": self._nodata,
            "compress": "deflate",
            "predictor": 3 if self.dtype.startswith("float") else 2,
            "zlevel": 6,
            "interleave": "band",
            "bigtiff": "if_safer",
        }
        if self.count == 4:  # GDAL would take the fourth band of bytes, near infrared, for alpha
            profile["alpha"] = "no"
        if self.grid.width >= _BLOCK and self.grid.height >= _BLOCK:
            profile.update(tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK)
        return profile

    def _describe(self) -> None:
        dataset = self._dataset
        if self._names:
            dataset.descriptions = tuple(self._names)
        if self._units:
            dataset.units = tuple(unit or "" for unit in self._units)
        if self._scales and any(pair != (1.0, 0.0) for pair in self._scales):
            dataset.scales = tuple(scale for scale, _ in self._scales)
            dataset.offsets = tuple(offset for _, offset in self._scales)
        if self._colours and self.dtype in ("uint8", "uint16"):
            dataset.write_colormap(1, {int(k): (*v[:3], 255) for k, v in self._colours.items()})
        if self._categories:
            self._tags[attributes.TAG] = attributes.encode(self._categories)
        if self._tags:
            dataset.update_tags(**self._tags)

    def write(self, array: np.ndarray, window: Window | None = None) -> None:
        array = array[None] if array.ndim == 2 else array
        self._dataset.write(array.astype(self.dtype, copy=False), window=native_window(window))

    def __exit__(self, kind, error, trace):
        if kind is None:
            try:
                self._dataset.close()
                self._verify()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        if kind is not None and issubclass(kind, RasterioError):
            self._stack.__exit__(kind, error, trace)
            raise self._not_written() from error
        result = self._stack.__exit__(kind, error, trace)
        if kind is None and self._sidecar:
            attributes.write_sidecar(self.path, self._categories)
        return result

    def _not_written(self) -> ConcordError:
        return ConcordError(
            f"The disk is full or failed while writing {self.path}; free some space or choose "
            "another folder."
        )

    def _verify(self) -> None:
        # GDAL may lose the error of the last flush, so a full disk shows only on reading back.
        try:
            with rasterio.open(self._temporary) as dataset:
                for index in range(1, dataset.count + 1):
                    for _, block in dataset.block_windows(index):
                        dataset.read(index, window=block)
        except RasterioError as error:
            raise self._not_written() from error


def write(path: str | Path, array: np.ndarray, grid: Grid, **description) -> None:
    """Write a whole array (bands, rows, cols) or (rows, cols); see ``Writer`` for the rest."""
    array = array[None] if array.ndim == 2 else array
    with Writer(path, grid, array.shape[0], array.dtype.name, **description) as writer:
        writer.write(array)


@in_environment
def encode(array: np.ndarray, grid: Grid, **description) -> bytes:
    """The bytes of a GeoTIFF of a whole array, as ``write`` would store it; see ``Writer``."""
    array = array[None] if array.ndim == 2 else array
    writer = Writer("", grid, array.shape[0], array.dtype.name, **description)
    with MemoryFile() as memory:
        with memory.open(**writer._profile()) as dataset:
            writer._dataset = dataset
            writer._describe()
            dataset.write(array)
        return bytes(memory.getbuffer())


@in_environment
def png(rgb: np.ndarray) -> bytes:
    """An RGB array (rows, cols, 3) of uint8 as PNG bytes."""
    rows, cols, _ = rgb.shape
    with MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture has no place
        with memory.open(driver="PNG", width=cols, height=rows, count=3, dtype="uint8") as out:
            out.write(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
        return memory.read()
