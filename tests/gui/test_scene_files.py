"""Correcting what files were taken for, STAC, thumbnails and the heat map of clear coverage."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt

from concord.plugin.bridge import scenes
from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.gui import scene_files, scene_inputs, thumbnails
from concord.plugin.gui.scene import ScenePanel

LONG = 60_000
GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 64, 64)
NAME = "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM"


@pytest.fixture
def product(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    for band, value in (("B02", 500), ("B03", 700), ("B04", 600), ("B08", 3000)):
        ramp = np.linspace(value, 2 * value, 64 * 64).reshape(64, 64).astype(np.uint16)
        rasters.write(folder / f"{band}.tif", ramp, GRID)
    return folder


@pytest.fixture
def panel(open_panel):
    return open_panel(ScenePanel)


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=LONG)


def look(panel, qtbot, path):
    panel.files.setFilePath(f'"{path}"')
    panel.recognised.look()
    finish(panel, qtbot)
    return panel.recognised.table


def line_of(table, name):
    return next(n for n in range(table.rowCount()) if table.item(n, 0).text() == name)


def test_files_are_listed_with_what_they_were_taken_for(panel, product, qtbot, messages):
    (product / "empty.tif").write_bytes(b"")
    table = look(panel, qtbot, product)
    assert messages() == []
    assert [table.item(n, 0).text() for n in range(5)] == [
        "B02.tif", "B03.tif", "B04.tif", "B08.tif", "empty.tif",
    ]  # fmt: skip
    row = line_of(table, "B04.tif")
    cells = [table.item(row, column).text() for column in (1, 2, 3)]
    assert cells[0].startswith("Sentinel-2 L2A") and cells[1:] == ["2020-06-01", "red"]
    assert "folder name fits" in table.item(row, 0).toolTip()
    assert table.item(4, 0).checkState() == Qt.CheckState.Unchecked
    assert "• empty.tif: the file is empty" in panel.recognised.notes.text()
    assert panel.recognised.corrections() == {}


def test_a_correction_reaches_the_scene_and_is_remembered_by_its_layer(
    panel, product, qtbot, messages
):
    table = look(panel, qtbot, product)
    row = line_of(table, "B08.tif")
    table.item(row, scene_files.BANDS).setText("nir08")
    table.item(row, scene_files.DATE).setText("2020-06-02")
    table.item(line_of(table, "B02.tif"), 0).setCheckState(Qt.CheckState.Unchecked)
    wanted = {
        str(product / "B08.tif"): {"date": "2020-06-02", "bands": "nir08"},
        str(product / "B02.tif"): {"use": False},
    }
    assert panel.recognised.corrections() == wanted
    panel.load()
    finish(panel, qtbot)
    assert messages() == []
    layer = panel.shown.currentLayer()
    names = [layer.bandName(n + 1).split(": ")[-1] for n in range(layer.bandCount())]
    assert names == ["green", "red", "nir08"]
    assert json.loads(layer.customProperty("concord/corrections")) == wanted
    # Choosing the files again, in this session or in the saved project, brings them back.
    panel.files.setFilePath("")
    panel.files.setFilePath(f'"{product}"')
    assert panel.recognised.corrections() == wanted
    table = look(panel, qtbot, product)
    assert table.item(line_of(table, "B08.tif"), scene_files.BANDS).text() == "nir08"
    assert panel.recognised.corrections() == wanted


def test_a_sensor_is_chosen_from_the_list(panel, product, qtbot):
    table = look(panel, qtbot, product)
    row = line_of(table, "B04.tif")
    index = table.model().index(row, scene_files.SENSOR)
    delegate = table.itemDelegateForColumn(scene_files.SENSOR)
    editor = delegate.createEditor(table, None, index)
    delegate.setEditorData(editor, index)
    assert editor.currentData() == "sentinel-2-l2a"
    editor.setCurrentIndex(editor.findData("sentinel-2-l1c"))
    delegate.setModelData(editor, table.model(), index)
    path = str(product / "B04.tif")
    assert panel.recognised.corrections() == {path: {"sensor": "sentinel-2-l1c"}}


def test_a_wrong_correction_is_a_sentence(panel, product, qtbot, messages):
    table = look(panel, qtbot, product)
    table.item(line_of(table, "B08.tif"), scene_files.DATE).setText("in June")
    panel.load()
    finish(panel, qtbot)
    (message,) = messages()
    assert "'in June' of B08.tif is no day" in message


def test_corrections_of_other_folders_are_not_taken_over(product, tmp_path, qgis_new_project):
    layer = QgsRasterLayer(str(product / "B04.tif"), "red")
    told = {str(product / "B04.tif"): {"date": "2020-06-02"}, "/elsewhere/a.tif": {"use": False}}
    scenes.remember(layer, {}, told)
    QgsProject.instance().addMapLayer(layer)
    found = scenes.remembered_corrections(QgsProject.instance(), [str(product)])
    assert found == {str(product / "B04.tif"): {"date": "2020-06-02"}}
    assert scenes.remembered_corrections(QgsProject.instance(), [str(tmp_path / "b")]) == {}


def titles(panel):
    panel.inputs.fill_menu()
    return [action.text() for action in panel.inputs.menu.actions() if action.text()]


def test_stac_search_is_offered_only_where_qgis_has_it(panel, monkeypatch):
    monkeypatch.setattr(scene_inputs, "stac_page", lambda: "")
    assert titles(panel)[:2] == ["Folder…", "STAC item or catalogue…"]
    assert "Search STAC with QGIS…" not in titles(panel)
    monkeypatch.setattr(scene_inputs, "stac_page", lambda: "stac")
    asked = []
    monkeypatch.setattr(panel, "iface", type("I", (), {
        "openDataSourceManagerPage": lambda _self, name: asked.append(name)})())  # fmt: skip
    search = next(a for a in _actions(panel) if a.text() == "Search STAC with QGIS…")
    search.trigger()
    assert asked == ["stac"]


def _actions(panel):
    panel.inputs.fill_menu()
    return panel.inputs.menu.actions()


def test_the_page_is_found_by_its_name(monkeypatch):
    class Provider:
        def __init__(self, name):
            self._name = name

        def name(self):
            return self._name

    class Registry:
        @staticmethod
        def providers():
            return [Provider("ogr"), Provider("STAC")]

    monkeypatch.setattr(
        scene_inputs.QgsGui, "sourceSelectProviderRegistry", staticmethod(Registry), raising=True
    )
    assert scene_inputs.stac_page() == "STAC"


def test_a_stac_item_of_this_machine_loads(panel, product, qtbot, messages):
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "a", "links": [], "geometry": None,
        "collection": "sentinel-2-l2a", "properties": {"datetime": "2020-06-01T10:00:00Z"},
        "assets": {b: {"href": f"./{b}.tif"} for b in ("B02", "B03", "B04", "B08")},
    }  # fmt: skip
    (product / "item.json").write_text(json.dumps(item), "utf-8")
    panel.files.setFilePath(f'"{product / "item.json"}"')
    panel.load()
    finish(panel, qtbot)
    assert messages() == []
    assert panel.shown.currentLayer().bandCount() == 4


def test_a_layer_of_a_stac_search_lies_on_the_network_and_is_no_missing_file(panel, qtbot):
    panel.files.setFilePath('"/vsicurl/https://example.invalid/B04.tif"')
    assert panel.inputs.problem() == ""
    panel.files.setFilePath('"/nowhere/B04.tif"')
    assert "does not exist" in panel.inputs.problem()


def test_composites_have_a_picture_of_what_a_model_sees(panel, product, qtbot, messages):
    panel.files.setFilePath(f'"{product}"')
    panel.load()
    finish(panel, qtbot)
    combo = panel.composite
    qtbot.waitUntil(lambda: not any(combo.itemIcon(n).isNull() for n in range(combo.count())))
    assert combo.count() >= 2
    side = thumbnails.SIDE
    picture = combo.itemIcon(0).pixmap(side, side).toImage()
    dark, light = picture.pixelColor(2, 1), picture.pixelColor(side - 3, side - 2)
    assert dark.lightness() < 60 and light.lightness() > 190  # the ramp of the planes


def test_a_band_that_is_gone_has_no_picture(product, qgis_new_project):
    layer = QgsRasterLayer(str(product / "B04.tif"), "red")
    assert thumbnails.picture(layer, ("swir16",)) is None


def test_clear_coverage_is_a_heat_map_on_the_canvas(panel, product, qtbot, messages):
    clouds = np.zeros((64, 64), np.uint8)
    clouds[:32] = 9
    clouds[32:] = 4
    rasters.write(product / "SCL.tif", clouds, GRID)
    panel.dates.folder.setFilePath(str(product.parent))
    panel.dates.cover()
    finish(panel, qtbot)
    assert messages() == []
    (layer,) = QgsProject.instance().mapLayersByName("Clear share")
    renderer = layer.renderer()
    assert renderer.type() == "singlebandpseudocolor"
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    assert (items[0].value, items[-1].value) == (0.0, 100.0)
    assert items[0].color.red() > items[0].color.green()
    assert items[-1].color.green() > items[-1].color.red()
    assert layer.dataProvider().sourceHasNoDataValue(1)
