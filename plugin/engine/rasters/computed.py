"""Rasters read through one of GDAL's own pixel functions, as an inline virtual raster."""

from __future__ import annotations

from xml.sax.saxutils import escape

from ..files import absolute


def computed_xml(dataset, function: str, nodata: float | None) -> str:
    """A virtual raster of float32 in which ``function`` is applied to every band of a dataset.

    ``nodata`` counts where the dataset itself does not say; it becomes NaN.
    """
    transform = ", ".join(repr(value) for value in dataset.transform.to_gdal())
    name = absolute(dataset.name)
    size = f'xSize="{dataset.width}" ySize="{dataset.height}"'
    parts = [
        f'<VRTDataset rasterXSize="{dataset.width}" rasterYSize="{dataset.height}">',
        f'<SRS dataAxisToSRSAxisMapping="2,1">{escape(dataset.crs.to_wkt())}</SRS>'
        if dataset.crs.is_geographic
        else f'<SRS dataAxisToSRSAxisMapping="1,2">{escape(dataset.crs.to_wkt())}</SRS>',
        f"<GeoTransform>{transform}</GeoTransform>",
    ]
    for index in range(1, dataset.count + 1):
        own = dataset.nodatavals[index - 1]
        empty = own if own is not None else nodata
        told = "" if empty is None else f"<NODATA>{float(empty)!r}</NODATA>"
        parts.append(
            f'<VRTRasterBand dataType="Float32" band="{index}" subClass="VRTDerivedRasterBand">'
            f"<PixelFunctionType>{function}</PixelFunctionType><NoDataValue>nan</NoDataValue>"
            "<SourceTransferType>Float32</SourceTransferType><ComplexSource>"
            f'<SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>'
            f"<SourceBand>{index}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="0" yOff="0" {size}/>{told}'
            "</ComplexSource></VRTRasterBand>"
        )
    return "".join([*parts, "</VRTDataset>"])
