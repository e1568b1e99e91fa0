"""The map before is pulled over the map after."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtGui import QColor

from concord.plugin.gui.review_map import ReviewMap

LEFT, TOP, SIDE = 500_000, 5_400_000, 64


@pytest.fixture
def two_maps(tmp_path, qgis_new_project):
    """A map that is black everywhere, and one that is white."""
    made = []
    for name, value in (("before", 0), ("after", 255)):
        path = str(tmp_path / f"{name}.tif")
        data = gdal.GetDriverByName("GTiff").Create(path, SIDE, SIDE, 3, gdal.GDT_Byte)
        data.SetGeoTransform((LEFT, 10, 0, TOP, 0, -10))
        data.SetProjection(QgsCoordinateReferenceSystem("EPSG:32632").toWkt())
        for band in (1, 2, 3):
            data.GetRasterBand(band).WriteArray(np.full((SIDE, SIDE), value, np.uint8))
        del data
        layer = QgsRasterLayer(path, name)
        layer.renderer().setRedContrastEnhancement(None)
        layer.renderer().setGreenContrastEnhancement(None)
        layer.renderer().setBlueContrastEnhancement(None)
        made.append(QgsProject.instance().addMapLayer(layer))
    return made


def shades(canvas) -> list:
    """Brightness of the canvas at a quarter and at three quarters of its width."""
    picture = canvas.grab().toImage()
    spots = [int(picture.width() * part) for part in (0.25, 0.75)]
    return [QColor(picture.pixel(x, picture.height() // 2)).lightness() for x in spots]


def test_the_slider_uncovers_the_map_before(two_maps, canvas, qtbot):
    before, after = two_maps
    canvas.setLayers([after])
    canvas.setExtent(QgsRectangle(LEFT, TOP - SIDE * 10, LEFT + SIDE * 10, TOP))
    canvas.refresh()
    qtbot.waitUntil(lambda: shades(canvas) == [255, 255], timeout=5000)
    shown = ReviewMap(canvas)
    shown.choose(before, after)
    shown.swipe(0.5)
    qtbot.waitUntil(lambda: shades(canvas) == [0, 255], timeout=5000)
    shown.swipe(1.0)
    qtbot.waitUntil(lambda: shades(canvas) == [0, 0], timeout=5000)
    shown.swipe(0.0)
    qtbot.waitUntil(lambda: shades(canvas) == [255, 255], timeout=5000)
    shown.swipe(0.5)
    shown.release()
    assert shades(canvas) == [255, 255]


def test_a_map_that_was_taken_away_is_not_drawn(two_maps, canvas, qtbot):
    before, after = two_maps
    canvas.setLayers([after])
    canvas.setExtent(QgsRectangle(LEFT, TOP - SIDE * 10, LEFT + SIDE * 10, TOP))
    shown = ReviewMap(canvas)
    shown.choose(before, after)
    shown.swipe(0.4)
    qtbot.waitUntil(lambda: shades(canvas) == [0, 255], timeout=5000)
    QgsProject.instance().removeMapLayer(before)
    shown.swipe(0.6)
    qtbot.waitUntil(lambda: shades(canvas) == [255, 255], timeout=5000)
    shown.release()
    assert shades(canvas) == [255, 255]
