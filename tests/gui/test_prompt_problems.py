"""What the Annotate panel says before the first click when that could not be answered."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsPointXY, QgsProject, QgsRasterLayer
from qgis.PyQt.QtWidgets import QLabel

from concord.plugin.engine import packages
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.scene import Scene
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import LEFT, PIXEL, SIDE, TOP, write_raster
from tests.gui.test_annotate import INSIDE, need, settle


def shown(panel) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if label.isVisibleTo(panel)]


@pytest.fixture
def without_onnxruntime(monkeypatch):
    there = packages.missing
    monkeypatch.setattr(
        packages,
        "missing",
        lambda *names: ["onnxruntime"] if "onnxruntime" in names else there(*names),
    )


def test_without_onnxruntime_nobody_learnt_that_there_is_a_network(
    without_onnxruntime, open_panel, image
):
    panel = open_panel(AnnotatePanel)
    panel.image.setLayer(image)
    titles = [panel.model.combo.itemText(i) for i in range(panel.model.combo.count())]
    assert titles[:2] == ["Regions (no model)", "Concord prompt (needs onnxruntime)"]
    assert panel.model.value() == "regions" and need(panel) == ""
    panel.model.combo.setCurrentIndex(1)
    assert any("pip install onnxruntime" in text for text in shown(panel))
    assert "onnxruntime" in need(panel) and not panel.start_button.isEnabled()
    panel.model.combo.setCurrentIndex(0)
    panel.start_button.click()
    panel.model.combo.setCurrentIndex(1)
    assert panel.prompting and panel.start_button.isEnabled(), "one must be able to stop"


def test_a_click_without_data_stayed_with_the_object_and_spoilt_the_next(
    open_panel, tmp_path, qtbot
):
    bands = np.full((3, SIDE, SIDE), 0.1) + np.random.default_rng(7).normal(0, 0.003, (SIDE, SIDE))
    bands[:, 20:44, 20:44] += 0.4
    bands[:, :, :16] = np.nan
    layer = QgsRasterLayer(write_raster(tmp_path / "half.tif", bands), "half")
    QgsProject.instance().addMapLayer(layer)
    panel = open_panel(AnnotatePanel)
    panel.image.setLayer(layer)
    panel.model.reload("regions")
    panel.start_button.click()
    session = panel.session
    session.add_point(QgsPointXY(LEFT + 5 * PIXEL, TOP - 32 * PIXEL), 1)
    settle(panel, qtbot)
    assert "no image here" in panel.status.text() and session.empty
    session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    chosen = session.chosen
    assert chosen is not None and len(session.points) == 1
    session.add_point(QgsPointXY(LEFT + 5 * PIXEL, TOP - 32 * PIXEL), 1)
    settle(panel, qtbot)
    assert session.chosen is chosen and len(session.points) == 1, "the proposal stays"


def test_a_crs_that_only_the_layer_was_given_led_to_a_dead_end(open_panel, tmp_path, provider):
    """'Assign its projection first' was said again after Set Layer CRS, and after the click."""
    path = str(tmp_path / "picture.png")
    data = gdal.GetDriverByName("MEM").Create("", SIDE, SIDE, 3, gdal.GDT_Byte)
    gdal.GetDriverByName("PNG").CreateCopy(path, data)
    layer = QgsRasterLayer(path, "picture")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    QgsProject.instance().addMapLayer(layer)
    panel = open_panel(AnnotatePanel)
    panel.image.setLayer(layer)
    assert "Assign projection" in need(panel) and "picture" in need(panel)
    assert not panel.start_button.isEnabled()
    with pytest.raises(ConcordError, match="Assign projection"):
        Scene([path])
    data = gdal.Open(path)
    data.SetProjection(QgsCoordinateReferenceSystem("EPSG:32632").toWkt())
    data.FlushCache()
    data = None  # what the tool does: the CRS stands in a file beside the picture
    panel.refresh()
    assert need(panel) == "" and panel.start_button.isEnabled()
    assert Scene([path]).grid.crs == "EPSG:32632"
