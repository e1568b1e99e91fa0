"""What the Models panel shows belongs to what is chosen, and it helps to choose what fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt

from concord.plugin.bridge import layers, settings
from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import session
from concord.plugin.gui import models_result
from concord.plugin.gui.models import ModelsPanel

S2, AERIAL, ROOFS, STAND_IN = (
    str(session.BUNDLED / f"concord-{name}.onnx")
    for name in ("landcover-s2", "landcover-aerial", "buildings", "spectral")
)


@pytest.fixture
def picture(tmp_path, qgis_new_project):
    """picture(name, metres, bands) -> a layer of 8 bits in the project."""

    def make(name, metres, bands=("red", "green", "blue"), unit="DN"):
        values = np.random.default_rng(1).integers(0, 255, (len(bands), 48, 64)).astype(np.uint8)
        grid = Grid("EPSG:32632", (metres, 0.0, 5e5, 0.0, -metres, 5.4e6), 64, 48)
        path = str(tmp_path / f"{name}.tif")
        rasters.write(path, values, grid, names=list(bands), units=[unit] * len(bands))
        return layers.add_raster(path, name, "scene", QgsProject.instance())

    return make


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=60_000)


def ticked(panel) -> list:
    combo, role = panel.model.combo, Qt.ItemDataRole.ToolTipRole
    return [combo.itemData(place) for place in range(combo.count())
            if combo.itemData(place, role).endswith("Fits the image")]  # fmt: skip


def test_the_first_run_on_a_drone_picture_was_a_refusal(open_panel, picture):
    panel = open_panel(ModelsPanel)
    order = [panel.model.combo.itemData(i) for i in range(panel.model.combo.count())]
    assert panel.model.value() == S2 and ticked(panel) == []
    picture("drone", 0.15)
    assert panel.model.value() == ROOFS and ticked(panel) == [ROOFS]
    assert "Roofs" in panel.about.text() and panel._need_run() == ""
    assert order == [panel.model.combo.itemData(i) for i in range(panel.model.combo.count())]


def test_a_choice_of_the_user_stays_and_says_that_it_does_not_fit(open_panel, picture):
    panel = open_panel(ModelsPanel)
    panel.model.combo.setCurrentIndex(panel.model.combo.findData(AERIAL))
    picture("drone", 0.15)
    assert panel.model.value() == AERIAL
    assert "made for 0.7 to 1.5 m" in panel._need_run()
    run = next(step for step in panel._steps if step.algorithm == "concord:runmodel")
    assert not run.button.isEnabled() and run.says.text() == panel._need_run()


def test_a_stand_in_is_not_taken_for_want_of_anything_better(open_panel, picture):
    panel = open_panel(ModelsPanel)
    picture("planet", 3.5, ("red", "green", "blue", "nir"), "reflectance")
    assert ticked(panel) == [STAND_IN] and panel.model.value() == S2
    panel.model.reload(STAND_IN)
    assert "real images mean nothing" in panel.about.text()


def test_an_image_that_was_open_before_the_panel_counts(open_panel, picture):
    picture("drone", 0.15)
    panel = open_panel(ModelsPanel)
    assert panel.model.value() == ROOFS and panel.about.isVisibleTo(panel)


def test_the_encoder_of_a_pair_was_offered_a_card(open_panel, picture):
    panel = open_panel(ModelsPanel)
    picture("drone", 0.15)
    panel.model.reload(ROOFS)
    settings.add_path(settings.MODELS, str(session.BUNDLED / "concord-prompt" / "encoder.onnx"))
    try:
        panel.model.reload(settings.models()[-1])
        assert "Annotate panel" in panel._need_model() and panel._need_run()
    finally:
        settings.set_value(settings.MODELS, [])


def test_shares_of_one_model_stayed_below_the_name_of_another(open_panel, image, qtbot):
    panel = open_panel(ModelsPanel)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    finish(panel, qtbot)
    assert "%" in panel.summary.text() and panel.summary.isVisibleTo(panel)
    panel.fail("concord-landcover-s2.onnx does not fit.")
    panel.model.combo.setCurrentIndex(panel.model.combo.findData(STAND_IN))
    assert not panel.summary.isVisibleTo(panel) and panel.status.text() == ""


def test_shares_outlived_the_project(open_panel, image, qtbot):
    panel = open_panel(ModelsPanel)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    finish(panel, qtbot)
    assert panel.summary.isVisibleTo(panel) and panel.status.text()
    QgsProject.instance().clear()
    assert not panel.summary.isVisibleTo(panel) and panel.status.text() == ""


def test_a_run_that_ends_under_another_choice_keeps_its_shares_to_itself(open_panel, image, qtbot):
    panel = open_panel(ModelsPanel)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    panel.model.combo.setCurrentIndex(panel.model.combo.findData(STAND_IN))
    finish(panel, qtbot)
    assert not panel.summary.isVisibleTo(panel)
    assert panel.status.text().startswith("concord-landcover-s2: done in")
    assert QgsProject.instance().mapLayersByName("concord-landcover-s2")


def test_a_check_vanished_when_its_own_run_added_a_layer(open_panel, image, qtbot):
    panel = open_panel(ModelsPanel)
    panel.check()
    finish(panel, qtbot)
    said = panel.checked.verdicts
    assert said.isVisibleTo(panel) and said.verticalScrollBar().maximum() == 0
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    finish(panel, qtbot)
    assert panel.checked.verdicts.isVisibleTo(panel) and panel.summary.isVisibleTo(panel)


def test_run_stayed_open_after_a_stop(open_panel, picture, qtbot):
    panel = open_panel(ModelsPanel)
    panel.model.reload(STAND_IN)
    picture("ten", 10.0, ("red", "green", "blue", "nir"), "reflectance")  # but it holds 0 to 255
    assert panel._need_run() == ""
    panel.check()
    finish(panel, qtbot)
    assert "Stop" in panel._need_run()
    panel.model.reload(S2)
    assert "Stop" not in panel._need_run()


def test_layers_of_two_runs_had_one_name(open_panel, image, qtbot):
    panel = open_panel(ModelsPanel)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.unsure.setChecked(True)
    for _ in range(2):
        panel.run()
        finish(panel, qtbot)
    names = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    stem = Path(S2).stem
    assert names == {"scene", stem, f"{stem}, doubt", f"{stem} 2", f"{stem} 2, doubt"}


def test_an_area_began_as_a_point_at_0_0(open_panel, canvas):
    chooser = open_panel(ModelsPanel).extent
    chooser.combo.setCurrentIndex(chooser.combo.findData(chooser.AREA))
    assert chooser.problem() == ""
    assert chooser.value().center().distance(canvas.extent().center()) < 1
    assert chooser.value().crs() == canvas.mapSettings().destinationCrs()


def test_polygons_are_on_for_things_and_the_wish_for_areas_waits(open_panel):
    panel = open_panel(ModelsPanel)
    box = panel.polygons

    def choose(path):
        panel.model.combo.setCurrentIndex(panel.model.combo.findData(path))

    assert not box.isChecked()
    choose(ROOFS)
    assert box.isChecked()
    box.click()
    choose(S2)
    assert not box.isChecked()
    box.click()
    choose(ROOFS)
    choose(AERIAL)
    assert box.isChecked()


@pytest.fixture
def roofs(tmp_path, qgis_new_project):
    """(results, report) of a run that found a roof with an edge."""
    codes = np.ones((20, 30), np.uint8)
    codes[5:15, 5:15], codes[5:15, 15] = 2, 3
    path, table = str(tmp_path / "map.tif"), {1: (9, 9, 9), 2: (200, 0, 0), 3: (90, 0, 0)}
    names = {1: "not building", 2: "building", 3: "edge of building"}
    grid = Grid("EPSG:32632", (0.3, 0.0, 5e5, 0.0, -0.3, 5.4e6), 30, 20)
    rasters.write(path, codes, grid, nodata=0, colours=table, categories=names)
    classes = [{"code": code, "name": name, "pixels": n, "share": n / 600}
               for (code, name), n in zip(names.items(), (490, 100, 10))]  # fmt: skip
    wanted = {"interior": 2, "boundary": 3, "least_m2": 1.1}
    return {"OUTPUT": path}, {"classes": classes, "code_shift": 0, "parcels": wanted}


def test_what_is_no_building_hid_the_picture(roofs):
    made = models_result.add(*roofs, "roofs", QgsProject.instance())
    drawn = {int(c.value): c.color for c in made.renderer().classes()}
    assert drawn[1].alpha() == 0 and drawn[3] == drawn[2] and drawn[2].alpha() == 255
    assert [entry.name for entry in layers.class_entries(made)] == [
        "not building", "building", "edge of building",
    ]  # fmt: skip


def test_the_edge_of_a_building_stood_in_the_legend(roofs):
    project = QgsProject.instance()
    made = models_result.add(*roofs, "roofs", project)
    from qgis.core import QgsLayerTreeModel

    tree = QgsLayerTreeModel(project.layerTreeRoot())
    nodes = tree.layerLegendNodes(project.layerTreeRoot().findLayer(made.id()), True)
    assert [node.data(Qt.ItemDataRole.DisplayRole) for node in nodes] == ["building"]


def test_the_words_count_a_building_with_its_edge(roofs):
    _, report = roofs
    report["polygons"] = {"drawn": 7, "left_out": 5}
    assert list(models_result.lines({**report, "overlap_agreement": 1.0})) == [
        "not building: 81.7 %", "building: 18.3 %", "7 polygons; 5 specks under 1.1 m² left out",
    ]  # fmt: skip
    (seams,) = models_result.lines({"overlap_agreement": 0.968})
    assert "differ on 3.2 %" in seams
