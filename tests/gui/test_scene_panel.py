"""The Scene panel's own fields: derived bands, CRS, virtual stack, views, spectrum and dates."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsPointXY, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.gui import scene_profile
from concord.plugin.gui.scene import ScenePanel

LONG = 60_000
GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 64, 64)
NAME = "S2A_MSIL2A_{}T100031_N0214_R122_T32TQM"


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    for day, cloud in (("20200601", 40), ("20200611", 0)):
        place = folder / NAME.format(day)
        place.mkdir(parents=True)
        for band, value in (("B02", 500), ("B03", 700), ("B04", 600), ("B08", 3000)):
            plane = np.full((64, 64), value, np.uint16)
            plane[:cloud] = 6000
            rasters.write(place / f"{band}.tif", plane, GRID)
    return folder


@pytest.fixture
def panel(open_panel):
    return open_panel(ScenePanel)


def layer_crs(group):
    return group.findLayers()[0].layer().crs()


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=LONG)


def test_derived_bands_crs_and_virtual_stack_reach_the_scene(panel, series, qtbot, messages):
    panel.files.setFilePath(f'"{series / NAME.format("20200611")}"')
    panel.derived.add("ndvi")
    panel.derived.add("ndvi")
    panel.derived.add("evi")
    assert panel.derived.edit.text() == "ndvi; evi"
    panel.crs.setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    panel.virtual.setChecked(True)
    panel.load()
    finish(panel, qtbot)
    assert messages() == []
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.source().endswith(".vrt") and layer.crs().authid() == "EPSG:3857"
    assert layer.bandCount() == 6
    assert layer.customProperty("concord/sensor") == "sentinel-2-l2a"
    assert "folder name fits" in panel.why.text() and panel.why.isVisibleTo(panel)
    assert panel.composite.findText("ndvi") >= 0
    panel.composite.setCurrentIndex(panel.composite.findText("ndvi"))
    panel._show_composite(0)
    assert layer.renderer().type() == "singlebandpseudocolor"


def test_an_unknown_derived_band_is_a_sentence(panel, series, qtbot, messages):
    panel.files.setFilePath(f'"{series / NAME.format("20200611")}"')
    panel.derived.edit.setText("nvdi")
    panel.load()
    finish(panel, qtbot)
    (message,) = messages()
    assert "'nvdi' is not known" in message


def test_the_menu_knows_every_index(panel):
    panel.derived._fill()
    titles = [action.text() for action in panel.derived._menu.actions()]
    assert "ndvi" in titles and "Radar" in titles
    everything = next(a.menu() for a in panel.derived._menu.actions() if a.text() == "All indices")
    count = sum(len(action.menu().actions()) for action in everything.actions())
    assert count == 280
    everything.actions()[0].menu().actions()[0].trigger()
    assert len(panel.derived.names()) == 1


def test_all_views_and_the_spectrum_of_a_pixel(panel, series, qtbot, canvas):
    panel.files.setFilePath(f'"{series / NAME.format("20200611")}"')
    panel.derived.add("ndvi")
    panel.load()
    finish(panel, qtbot)
    layer = panel.shown.currentLayer()
    rows = scene_profile.values_at(layer, QgsPointXY(5e5 + 305, 5e6 - 305))
    assert [name for name, _, _ in rows] == ["blue", "green", "red", "nir", "ndvi"]
    assert rows[0][1] == pytest.approx(0.05) and rows[0][2] == pytest.approx(0.49)
    assert scene_profile.values_at(layer, QgsPointXY(0, 0)) == []
    panel.looks.spectrum.click()
    assert panel.looks.profile.isVisibleTo(panel)
    panel.looks.tool.picked.emit(rows)
    assert len(panel.looks.profile.lines) == 1 and len(panel.looks.profile.lines[0]) == 4
    panel.looks.profile.grab()
    panel.looks.add_views.click()
    group = QgsProject.instance().layerTreeRoot().children()[0]
    assert [node.name().split(" · ")[0] for node in group.findLayers()] == [
        "True colour",
        "Near infrared",
        "ndvi",
    ]


def test_dates_are_counted_joined_and_grouped(panel, series, qtbot, messages):
    panel.dates.folder.setFilePath(str(series))
    panel.dates.cover()
    finish(panel, qtbot)
    table = panel.dates.table
    assert [table.item(line, 2).text() for line in range(2)] == ["low", "high"]
    assert "draft" in panel.dates.notes.text()
    table.grab()
    panel.dates.compose()
    finish(panel, qtbot)
    layers = QgsProject.instance().mapLayers().values()
    assert sorted(layer.name() for layer in layers) == ["Clear share", "Composite (median)"]
    panel.dates.add_dates()
    qtbot.waitUntil(lambda: "temporal controller" in panel.status.text(), timeout=LONG)
    assert messages() == []
    group = QgsProject.instance().layerTreeRoot().findGroup("Dates of series")
    spans = {}
    for node in group.findLayers():
        span = node.layer().temporalProperties().fixedTemporalRange()
        spans[node.name()] = span.begin().date().toString(Qt.DateFormat.ISODate)
        assert node.layer().temporalProperties().isActive()
    panel.looks.spectrum.click()
    point = QgsPointXY(5e5 + 305, 5e6 - 605)
    rows = scene_profile.over_time(QgsProject.instance(), point, layer_crs(group))
    assert [date for date, _, _ in rows] == ["2020-06-01", "2020-06-11"]
    assert [value for _, value, _ in rows] == [pytest.approx(2 / 3, abs=1e-4)] * 2
    panel.looks.tool.picked_dates.emit(rows)
    assert panel.looks.time.isVisibleTo(panel)
    panel.looks.time.grab()
    assert spans == {"2020-06-01": "2020-06-01", "2020-06-11": "2020-06-11"}


def test_a_sensor_chosen_by_hand_is_kept_by_the_open_layer(panel, tmp_path, qtbot):
    path = tmp_path / "plain.tif"
    rasters.write(path, np.full((12, 64, 64), 900, np.uint16), GRID)
    layer = QgsRasterLayer(str(path), "plain")
    QgsProject.instance().addMapLayer(layer)
    panel.add_file(str(path))
    panel.sensor.setCurrentIndex(panel.sensor.findData("sentinel-2-l2a"))
    panel.load()
    finish(panel, qtbot)
    assert layer.customProperty("concord/sensor") == "sentinel-2-l2a"
    assert "chosen by the user" in panel.why.text()
