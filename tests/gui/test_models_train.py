"""The training page: what it needs, and from labels to a model on the list."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsProject

from concord.plugin.bridge import layers, settings
from concord.plugin.engine import rasters
from concord.plugin.engine.sample import scene as sample_scene
from concord.plugin.gui.models import ModelsPanel

LAND_COVER = "Concord land cover, Sentinel-2"  # as the lists call it


@pytest.fixture
def opened(tmp_path):
    """Image and labels of the sample scene as layers of the project."""
    made = sample_scene.generate(2, 192)
    image, labels = str(tmp_path / "optical.tif"), str(tmp_path / "labels.tif")
    rasters.write(
        image, made.optical, made.grid, names=["blue", "green", "red", "nir"],
        units=["reflectance"] * 4, nodata=np.nan,
    )  # fmt: skip
    rasters.write(labels, made.truth, made.grid, nodata=0)
    settings.choose_folder(QgsProject.instance(), str(tmp_path / "results"))
    project = QgsProject.instance()
    labelled = layers.add_raster(labels, "labels", "classes", project)
    pictured = layers.add_raster(image, "image", "scene", project)
    yield pictured, labelled
    settings.choose_folder(QgsProject.instance(), "")


def test_page_trains_and_offers_the_model(open_panel, opened, qtbot, messages):
    image, labels = opened
    panel = open_panel(ModelsPanel)
    page = panel.training
    panel.input.setLayer(image)
    page.labels.setLayer(image)
    assert "same layer" in page._need()
    page.labels.setLayer(labels)
    assert page._need() == "" and not page.field.isEnabled()
    assert page.bands.count() == 4
    page.next.setChecked(True)
    page.method.setCurrentIndex(page.method.findData("linear"))
    page.run()
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)
    assert messages() == []
    assert panel.model.value().endswith("classifier-1.onnx")
    assert page.classes.rowCount() >= 4 and "% right" in page.figures.text()
    names = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    assert "Label here next" in names
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)
    assert messages() == [] and panel.summary.text()


def test_unfolding_a_section_shows_nothing_that_was_hidden(open_panel):
    from qgis.gui import QgsCollapsibleGroupBox

    panel = open_panel(ModelsPanel)
    for box in panel.findChildren(QgsCollapsibleGroupBox):
        box.setCollapsed(True)
        box.setCollapsed(False)
    hidden = (
        panel.training.classes,
        panel.training.open_report,
        panel.checked.holder,
        panel.checked.form.holder,
    )
    assert not any(widget.isVisibleTo(panel) for widget in hidden)
    assert panel.training.method.isVisibleTo(panel)


def test_page_trains_on_an_encoder_and_a_gate_looks_first(open_panel, opened, qtbot, messages):
    image, labels = opened
    panel = open_panel(ModelsPanel)
    page, gate = panel.training, panel.gate
    panel.input.setLayer(image)
    page.labels.setLayer(labels)
    page.method.setCurrentIndex(page.method.findData("linear"))
    try:
        page.encoder.combo.setCurrentIndex(page.encoder.combo.findText(LAND_COVER))
        page.run()
        qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)
        assert messages() == [] and "% right" in page.figures.text()
        card = settings.model_classes(panel.model.value())
        assert len(card) >= 4
        gate.model.combo.setCurrentIndex(gate.model.combo.findText(LAND_COVER))
        gate.classes.setCheckedItems(["snow and ice"])
        gate.least.setValue(90)
        panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
        panel.run()
        qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)
        assert messages() == []
        made = QgsProject.instance().mapLayersByName("classifier-1")[0]
        assert not rasters.read(made.source()).any()  # the gate found no snow in summer
    finally:
        gate.model.combo.setCurrentIndex(0)
        page.encoder.combo.setCurrentIndex(0)
