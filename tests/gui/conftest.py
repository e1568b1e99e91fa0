"""A canvas over a small synthetic image, panels on it, and algorithms that behave on command."""

from __future__ import annotations

import time

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterNumber,
    QgsProcessingProvider,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)

LEFT, TOP, PIXEL, SIDE = 500000.0, 5400000.0, 10.0, 64


class Scripted(QgsProcessingAlgorithm):
    """Ends well, fails with a sentence, refuses, or waits for a cancel, as its name says."""

    ident = ""

    def createInstance(self):
        return type(self)()

    def name(self):
        return self.ident

    def displayName(self):
        return self.ident

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterNumber("N", "N", defaultValue=1, optional=True))

    def processAlgorithm(self, parameters, context, feedback):
        feedback.setProgressText("halfway")
        feedback.setProgress(50)
        return self.act(parameters, feedback)

    def act(self, parameters, feedback):
        return {"N": parameters.get("N", 1)}


class Good(Scripted):
    ident = "good"


class Bad(Scripted):
    ident = "bad"

    def act(self, parameters, feedback):
        raise QgsProcessingException("a.tif is truncated; download it again.")


class Broken(Scripted):
    ident = "broken"

    def act(self, parameters, feedback):
        raise ValueError("no such thing")


class Refusing(Scripted):
    ident = "refusing"

    def prepareAlgorithm(self, parameters, context, feedback):
        raise QgsProcessingException("The extent is empty; draw one.")


class Checking(Scripted):
    ident = "checking"

    def checkParameterValues(self, parameters, context):
        return False, "N must be even; choose another."


class Lacking(Scripted):
    ident = "lacking"

    def canExecute(self):
        return False, "This needs the Python package thing; install it."


class Slow(Scripted):
    ident = "slow"

    def act(self, parameters, feedback):
        end = time.monotonic() + 10
        while not feedback.isCanceled() and time.monotonic() < end:
            time.sleep(0.01)
        return {}


class ScriptedProvider(QgsProcessingProvider):
    def id(self):
        return "scripted"

    def name(self):
        return "Scripted"

    def loadAlgorithms(self):
        for kind in (Good, Bad, Broken, Refusing, Checking, Lacking, Slow):
            self.addAlgorithm(kind())


@pytest.fixture
def scripted(qgis_processing):
    """The algorithms above, as scripted:good and so on."""
    provider = ScriptedProvider()
    registry = QgsApplication.processingRegistry()
    registry.addProvider(provider)
    yield provider
    registry.removeProvider(provider)


def write_raster(path, bands, names=None, kind=gdal.GDT_Float32, epsg=32632):
    """A GeoTIFF with named bands at LEFT, TOP."""
    bands = np.atleast_3d(bands) if np.ndim(bands) == 2 else np.asarray(bands)
    if bands.shape[-1] == 1 and bands.ndim == 3 and bands.shape[0] != 1:
        bands = bands[..., 0][None]
    data = gdal.GetDriverByName("GTiff").Create(
        str(path), bands.shape[2], bands.shape[1], bands.shape[0], kind
    )
    data.SetGeoTransform((LEFT, PIXEL, 0, TOP, 0, -PIXEL))
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(epsg)
    data.SetProjection(crs.ExportToWkt())
    for number, plane in enumerate(bands, start=1):
        band = data.GetRasterBand(number)
        band.WriteArray(plane)
        if names:
            band.SetDescription(names[number - 1])
    data = None  # closes the file
    return str(path)


@pytest.fixture
def image_path(tmp_path):
    """Four reflectance bands: a bright square of 24 pixels on dark ground, with seeded noise."""
    random = np.random.default_rng(7)
    bands = np.full((4, SIDE, SIDE), 0.1) + random.normal(0, 0.003, (4, SIDE, SIDE))
    bands[:, 20:44, 20:44] += 0.4
    return write_raster(tmp_path / "scene.tif", bands, ("blue", "green", "red", "nir"))


@pytest.fixture
def class_path(tmp_path):
    """Two classes as bytes."""
    codes = np.ones((SIDE, SIDE), np.uint8)
    codes[20:44, 20:44] = 2
    return write_raster(tmp_path / "classes.tif", codes, kind=gdal.GDT_Byte)


@pytest.fixture
def image(image_path, qgis_new_project):
    layer = QgsRasterLayer(image_path, "scene")
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def classes(class_path, qgis_new_project):
    layer = QgsRasterLayer(class_path, "classes")
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def canvas(qgis_iface, qgis_new_project, qtbot):
    """A shown canvas in UTM over the image's extent."""
    canvas = qgis_iface.mapCanvas()
    canvas.resize(400, 400)
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    span = SIDE * PIXEL
    canvas.setExtent(QgsRectangle(LEFT, TOP - span, LEFT + span, TOP))
    yield canvas
    canvas.unsetMapTool(canvas.mapTool())


@pytest.fixture
def open_panel(provider, canvas, qgis_iface, qtbot, tmp_path):
    """open_panel(Class) -> a shown panel that saves below tmp_path; released afterwards."""
    from concord.plugin.bridge import settings

    # What another test chose is kept in the profile that they share.
    settings.set_value("label_taxonomy", "")
    settings.set_value("destination", "polygons")
    panels = []

    def make(kind):
        settings.choose_folder(QgsProject.instance(), str(tmp_path / "out"))
        panel = kind(qgis_iface)
        qtbot.addWidget(panel)
        panel.show()
        panels.append(panel)
        return panel

    yield make
    for panel in panels:
        busy = [r for r in (panel.runner, getattr(panel, "session", panel).runner) if r.busy]
        panel.release()
        for runner in busy:
            qtbot.waitUntil(lambda runner=runner: not runner.busy, timeout=5000)


@pytest.fixture
def prompting(open_panel, image):
    """An annotate panel of a fresh profile that takes prompts: no label layer, no class scheme."""
    from concord.plugin.gui.annotate import AnnotatePanel

    panel = open_panel(AnnotatePanel)
    panel.image.setLayer(image)
    panel.model.reload("regions")  # its outlines are exact on these squares
    panel.start_button.click()
    assert panel.prompting
    return panel


@pytest.fixture
def messages(qgis_iface):
    """Critical messages of the message bar."""
    from qgis.core import Qgis

    bar = qgis_iface.messageBar()
    bar.clear_messages()
    return lambda: list(bar.get_messages(Qgis.MessageLevel.Critical))
