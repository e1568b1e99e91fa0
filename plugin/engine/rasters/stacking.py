"""Stacks of bands as GDAL virtual rasters: one grid, physical values, nothing copied."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import rasterio
import rasterio.shutil

from ..errors import ConcordError
from ..files import absolute, write_text
from ..grid import Grid
from .environment import in_environment, wkt
from .reading import Raster

_BLOCK = 512


@dataclass(frozen=True)
class StackBand:
    """One band of a stack: where its raw values are, and how they become physical ones.

    ``resampling`` is the method used when the file lies on another grid; ``transparent`` tells
    that the file's mask or alpha band says where data are.
    """

    name: str
    unit: str
    path: str
    index: int
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    resampling: str = "bilinear"
    transparent: bool = False


@in_environment
def write_stack(path: str | Path, grid: Grid, bands, tags=None) -> None:
    """Write a VRT of float32 bands on ``grid``, NaN for no data.

    Bands on another grid are read through a warped VRT that stands inside the file. Sources are
    named by absolute paths.

    Raises:
        ConcordError: a source cannot be opened, or ``path`` cannot be written.
    """
    warped = {}
    parts = [
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">',
        f' <SRS dataAxisToSRSAxisMapping="{_axes(grid)}">{escape(wkt(grid.crs))}</SRS>',
        f" <GeoTransform>{_geotransform(grid)}</GeoTransform>",
    ]
    if tags:
        items = [f"<MDI key={quoteattr(k)}>{escape(str(v))}</MDI>" for k, v in tags.items()]
        parts.append(f" <Metadata>{''.join(items)}</Metadata>")
    for number, band in enumerate(bands, 1):
        key = (band.path, band.resampling, band.nodata)
        if key not in warped:
            warped[key] = _source(band, grid)
        parts.append(_band_xml(number, band, warped[key], grid))
    write_text(path, "\n".join([*parts, "</VRTDataset>", ""]))


def _axes(grid: Grid) -> str:
    crs = rasterio.crs.CRS.from_string(grid.crs)
    return "2,1" if crs.is_geographic and "EPSG" in grid.crs else "1,2"


def _geotransform(grid: Grid) -> str:
    a, b, c, d, e, f = grid.transform
    return ", ".join(repr(float(value)) for value in (c, a, b, f, d, e))


def _source(band: StackBand, grid: Grid) -> tuple:
    """(file name or inline VRT, nodata to look for, whether its mask is asked)."""
    with Raster(
        band.path, grid, band.resampling, nodata=band.nodata, transparent=band.transparent
    ) as raster:
        if raster.is_resampled:
            return _warped_xml(raster), "nan", False
        masked = band.transparent and raster.is_masked
    if band.nodata is None:
        return absolute(band.path), "", masked
    return absolute(band.path), repr(float(band.nodata)), masked


def _warped_xml(raster: Raster) -> str:
    """The warped VRT that reads a raster on another grid, as XML without line breaks."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "warped.vrt"
        rasterio.shutil.copy(raster.virtual, place, driver="VRT")
        text = place.read_text(encoding="utf-8")
    source = escape(absolute(raster.opened))
    text, changed = re.subn(
        r"<SourceDataset relativeToVRT=\"[01]\"[^>]*>[^<]*</SourceDataset>",
        lambda _match: f'<SourceDataset relativeToVRT="0">{source}</SourceDataset>',
        text,
    )
    if changed != 1:
        raise ConcordError(
            f"{raster.path} cannot stand in a virtual raster; choose an output that ends in .tif."
        )
    return re.sub(r">\s+<", "><", text)


def _band_xml(number: int, band: StackBand, source: tuple, grid: Grid) -> str:
    name, nodata, masked = source
    window = f'xOff="0" yOff="0" xSize="{grid.width}" ySize="{grid.height}"'
    scaling = ""
    if (band.scale, band.offset) != (1.0, 0.0):
        scaling = (
            f"<ScaleOffset>{band.offset!r}</ScaleOffset><ScaleRatio>{band.scale!r}</ScaleRatio>"
        )
    return "\n".join(
        [
            f' <VRTRasterBand dataType="Float32" band="{number}" blockXSize="{_BLOCK}" '
            f'blockYSize="{_BLOCK}">',
            f"  <Description>{escape(band.name)}</Description>",
            f"  <UnitType>{escape(band.unit)}</UnitType>",
            "  <NoDataValue>nan</NoDataValue>",
            "  <ComplexSource>",
            f'   <SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>',
            f"   <SourceBand>{band.index}</SourceBand>",
            f"   <SrcRect {window}/><DstRect {window}/>",
            f"   {scaling}{f'<NODATA>{nodata}</NODATA>' if nodata else ''}",
            *(["   <UseMaskBand>true</UseMaskBand>"] if masked else []),
            "  </ComplexSource>",
            " </VRTRasterBand>",
        ]
    )
