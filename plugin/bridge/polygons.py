"""Outlines of a class raster, traced by QGIS's own GDAL.

Tracing millions of pixels in rasterio would hold Python's lock for seconds, and with it every
slot of the user interface; osgeo's functions let go of it and ask whether to go on.
"""

from __future__ import annotations

from osgeo import gdal, ogr
from qgis.core import QgsGeometry

from ..engine.errors import Cancelled, ConcordError


def of_raster(path: str, progress):
    """Yield (multipolygon, code) for every 4-connected region of equal codes but 0.

    Raises:
        Cancelled: the user stopped the run.
        ConcordError: the raster cannot be traced.
    """
    stopped = []

    def go_on(*_) -> int:
        try:
            progress.check()
        except Cancelled:
            stopped.append(True)
        return 0 if stopped else 1

    raster = gdal.OpenEx(path, gdal.OF_RASTER)
    store = ogr.GetDriverByName("Memory").CreateDataSource("regions")
    try:
        regions = store.CreateLayer("regions")
        regions.CreateField(ogr.FieldDefn("code", ogr.OFTInteger))
        band = raster.GetRasterBand(1)
        traced = _quietly(
            lambda: gdal.Polygonize(band, band.GetMaskBand(), regions, 0, [], callback=go_on)
        )
        if stopped:
            raise Cancelled
        if not traced:
            raise ConcordError(f"{path} cannot be traced; check that it is whole.")
        for region in regions:
            progress.check()
            code, geometry = region.GetField(0), QgsGeometry()
            geometry.fromWkb(bytes(region.GetGeometryRef().ExportToWkb()))
            geometry.convertToMultiType()
            if code:
                yield geometry, code
    finally:
        band = regions = None  # before their datasets, which own them
        store = raster = None


def _quietly(call) -> bool:
    """True when a GDAL call succeeds; the user stopping it is no message for the log."""
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        return call() == gdal.CE_None
    except RuntimeError:  # where another plugin has called gdal.UseExceptions()
        return False
    finally:
        gdal.PopErrorHandler()
