"""Band names and composites of layers that were dragged into QGIS, not loaded as a scene."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsRasterLayer

from concord.plugin.bridge import layers
from concord.plugin.engine.scene import Scene


def plain_file(path, names=(), count=3, kind=gdal.GDT_Byte) -> str:
    """A raster as other programs write it: without names of bands, or with the sensor's own."""
    made = gdal.GetDriverByName("GTiff").Create(str(path), 8, 8, count, kind, ["ALPHA=NO"])
    made.SetGeoTransform((5e5, 10, 0, 5e6, 0, -10))
    made.SetProjection(_utm())
    for index in range(1, count + 1):
        made.GetRasterBand(index).WriteArray(np.full((8, 8), 40 * index, np.uint8))
        if names:
            made.GetRasterBand(index).SetDescription(names[index - 1])
    made.FlushCache()
    return str(path)


def _utm() -> str:
    from osgeo import osr

    place = osr.SpatialReference()
    place.ImportFromEPSG(32632)
    return place.ExportToWkt()


@pytest.mark.parametrize(
    ("names", "count", "kind"),
    [
        ((), 3, gdal.GDT_Byte),  # any photo
        ((), 4, gdal.GDT_Byte),  # NAIP
        (("B2", "B3", "B4", "B8"), 4, gdal.GDT_UInt16),
    ],
)
def test_the_panel_named_bands_that_the_scene_does_not_have(tmp_path, names, count, kind):
    path = plain_file(tmp_path / "picture.tif", names, count, kind)
    layer = QgsRasterLayer(path, "picture")
    first = layers.composites(layer)[0]
    assert first.bands == ("red", "green", "blue")
    with Scene([path]) as scene:
        assert scene.require(first.bands) == list(first.bands)
        assert layers.band_names(layer) == scene.names


def test_a_band_that_no_scene_knows_keeps_the_name_that_qgis_shows(tmp_path):
    path = plain_file(tmp_path / "five.tif", ("a", "b"), 2, gdal.GDT_Float32)
    assert layers.band_names(QgsRasterLayer(path, "five")) == ["a", "b"]
