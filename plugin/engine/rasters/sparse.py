"""A raster of which only the written tiles take room: what was painted over a class map."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from ..errors import ConcordError
from ..files import atomic_file
from ..grid import Grid, Window
from .environment import affine, in_environment, native_window, parse_crs, wkt

EMPTY = 65535  # not painted; class codes end at 255
_BLOCK = 256


class SparseCodes:
    """A uint16 GeoTIFF on a grid, EMPTY where nothing was written; each write is on disk at once.

    Raises:
        ConcordError: the file cannot be written.
    """

    def __init__(self, path: str | Path, grid: Grid, fresh: bool = True):
        self.path, self.grid = Path(path), grid
        if fresh:
            self._create()

    @in_environment
    def _create(self) -> None:
        profile = {
            "driver": "GTiff",
            "width": self.grid.width,
            "height": self.grid.height,
            "count": 1,
            "dtype": "uint16",
            "crs": parse_crs(self.grid.crs),
            "transform": affine(self.grid.transform),
            "nodata": EMPTY,
            "tiled": True,
            "blockxsize": _BLOCK,
            "blockysize": _BLOCK,
            "sparse_ok": True,
            "bigtiff": "if_safer",
        }
        try:
            with rasterio.open(self.path, "w", **profile):
                pass
        except RasterioError as error:
            raise self._not_written() from error

    @in_environment
    def read(self, window: Window) -> np.ndarray:
        """Codes (rows, cols) as uint16."""
        with rasterio.open(self.path) as dataset:
            return dataset.read(1, window=native_window(window))

    @in_environment
    def write_all(self, pieces: Iterable) -> None:
        """Write (codes (rows, cols), window) one after the other."""
        try:
            with rasterio.open(self.path, "r+") as dataset:
                for codes, window in pieces:
                    codes = codes.astype("uint16", copy=False)
                    dataset.write(codes, 1, window=native_window(window))
        except RasterioError as error:
            raise self._not_written() from error

    def _not_written(self) -> ConcordError:
        return ConcordError(
            f"{self.path} cannot be written; free some space or choose another output folder."
        )


def overlay_vrt(path: str | Path, below: str, above: str, grid: Grid, nodata) -> None:
    """Write a VRT of bytes that shows ``above`` (EMPTY lets through) over ``below``.

    Args:
        nodata: the value of ``below`` that means no data; it reads as 0.
    """
    root = ElementTree.Element(
        "VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height)
    )
    if grid.crs:
        ElementTree.SubElement(root, "SRS").text = wkt(grid.crs)
    a, b, c, d, e, f = grid.transform
    ElementTree.SubElement(root, "GeoTransform").text = ", ".join(map(repr, (c, a, b, f, d, e)))
    band = ElementTree.SubElement(root, "VRTRasterBand", dataType="Byte", band="1")
    ElementTree.SubElement(band, "NoDataValue").text = "0"
    for name, gap in ((below, nodata), (above, EMPTY)):
        source = ElementTree.SubElement(band, "ComplexSource")
        file = ElementTree.SubElement(source, "SourceFilename", relativeToVRT="0", shared="0")
        file.text = os.path.join(os.getcwd(), name)  # as it is spelt
        ElementTree.SubElement(source, "SourceBand").text = "1"
        if gap is not None and gap == gap:
            ElementTree.SubElement(source, "NODATA").text = f"{gap:g}"
    with atomic_file(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8")
