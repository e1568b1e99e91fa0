"""Rasters read through inline virtual rasters: a pixel function, or NaN where there is no data."""

from __future__ import annotations

from xml.sax.saxutils import escape

from ..files import absolute


def computed_xml(dataset, function: str, nodata: float | None) -> str:
    """A virtual raster of float32 in which ``function`` is applied to every band of a dataset.

    ``nodata`` counts where the dataset itself does not say; it becomes NaN.
    """
    name, bands = absolute(dataset.name), []
    for index in range(1, dataset.count + 1):
        bands.append(
            f'<VRTRasterBand dataType="Float32" band="{index}" subClass="VRTDerivedRasterBand">'
            f"<PixelFunctionType>{function}</PixelFunctionType><NoDataValue>nan</NoDataValue>"
            "<SourceTransferType>Float32</SourceTransferType>"
            f"{_complex(dataset, name, index, _told(dataset, index, nodata))}</VRTRasterBand>"
        )
    return _whole(dataset, bands)


def marked_xml(dataset, nodata: float | None, mask: str) -> str:
    """A virtual raster of float32 with NaN where a band is no data, or the file's mask hides it.

    GDAL's warper and its virtual rasters ask a mask or a value, never both.

    Args:
        nodata: counts where the dataset itself does not say.
        mask: which band of the dataset is asked: ``mask,1`` or an alpha band's number; '' none.
    """
    name, indexes = absolute(dataset.name), range(1, dataset.count + 1)
    if mask:
        name = _whole(dataset, [_shown(dataset, name, i) for i in indexes], _mask(name, mask))
        name = _whole(dataset, [_nan(dataset, name, i, _USE_MASK) for i in indexes])
    return _whole(dataset, [_nan(dataset, name, i, _told(dataset, i, nodata)) for i in indexes])


_USE_MASK = "<UseMaskBand>true</UseMaskBand>"


def _whole(dataset, bands: list, mask: str = "") -> str:
    transform = ", ".join(repr(value) for value in dataset.transform.to_gdal())
    axes = "2,1" if dataset.crs.is_geographic else "1,2"
    return "".join(
        [
            f'<VRTDataset rasterXSize="{dataset.width}" rasterYSize="{dataset.height}">',
            f'<SRS dataAxisToSRSAxisMapping="{axes}">{escape(dataset.crs.to_wkt())}</SRS>',
            f"<GeoTransform>{transform}</GeoTransform>",
            *bands,
            mask,
            "</VRTDataset>",
        ]
    )


def _told(dataset, index: int, nodata: float | None) -> str:
    own = dataset.nodatavals[index - 1]
    empty = own if own is not None else nodata
    return "" if empty is None else f"<NODATA>{float(empty)!r}</NODATA>"


def _source(dataset, name: str, band) -> str:
    size = f'xSize="{dataset.width}" ySize="{dataset.height}"'
    return (
        f'<SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand>"
        f'<SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="0" yOff="0" {size}/>'
    )


def _complex(dataset, name: str, index: int, told: str) -> str:
    return f"<ComplexSource>{_source(dataset, name, index)}{told}</ComplexSource>"


def _nan(dataset, name: str, index: int, told: str) -> str:
    return (
        f'<VRTRasterBand dataType="Float32" band="{index}"><NoDataValue>nan</NoDataValue>'
        f"{_complex(dataset, name, index, told)}</VRTRasterBand>"
    )


def _shown(dataset, name: str, index: int) -> str:
    """A band as it is, without the value that stands for no data."""
    return (
        f'<VRTRasterBand dataType="Float32" band="{index}">'
        f"<SimpleSource>{_source(dataset, name, index)}</SimpleSource></VRTRasterBand>"
    )


def _mask(name: str, band: str) -> str:
    return (
        '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand></MaskBand>"
    )
