"""HDF5 containers through GDAL's driver: their metadata, and cubes read by rows of the image."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from ..errors import ConcordError
from .environment import in_environment


@in_environment
def hdf_tags(path: str | Path) -> dict:
    """Metadata of the file and its groups as text.

    Raises:
        ConcordError: this GDAL cannot read HDF5, or the file is none.
    """
    with rasterio.Env() as env:
        if "HDF5" not in env.drivers():
            raise ConcordError(
                f"{path} is HDF5, which this installation cannot read; install the rasterio wheel "
                "of PyPI, or convert the file to GeoTIFF first."
            )
    try:
        with _open(str(path), driver="HDF5") as dataset:
            return dict(dataset.tags())
    except RasterioError as error:
        raise ConcordError(f"{path} cannot be read as HDF5; get the file again.") from error


def _open(path: str, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the caller knows the place
        return rasterio.open(path, **how)


class HdfCube:
    """A cube stored as (rows, bands, columns), which GDAL shows as rows of (bands, columns).

    Args:
        path: the file.
        inside: the cube's path in it, spaces as underscores.
    """

    def __init__(self, path: str | Path, inside: str):
        self.path = str(path)
        self._name = f'HDF5:"{path}"://{inside}'

    @in_environment
    def __enter__(self):
        try:
            self._dataset = _open(self._name)
        except RasterioError as error:
            raise ConcordError(
                f"{self.path} lacks the cube {self._name.rsplit('/', 1)[-1]}; get the file again."
            ) from error
        self.rows, self.count, self.columns = (
            self._dataset.count, self._dataset.height, self._dataset.width,
        )  # fmt: skip
        return self

    @in_environment
    def read(self, first: int, last: int) -> np.ndarray:
        """(bands, rows, columns) of some rows of the image."""
        try:
            return self._dataset.read(list(range(first + 1, last + 1))).transpose(1, 0, 2)
        except RasterioError as error:
            raise ConcordError(
                f"{self.path} cannot be read to its end; the file is damaged, get it again."
            ) from error

    @in_environment
    def __exit__(self, *_):
        self._dataset.close()
