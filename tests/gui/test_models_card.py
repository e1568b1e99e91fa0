"""The card form: it asks for what is missing, saves it, and the model then runs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from qgis.core import QgsProject

from concord.plugin.bridge import layers, settings
from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import describe, session
from concord.plugin.gui.models import ModelsPanel


@pytest.fixture
def opened(tmp_path):
    """(a model without a card, a layer of three bytes a pixel)."""
    node = helper.make_node("Identity", ["in"], ["out"])
    source = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, None, None])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    graph = helper.make_graph([node], "g", [source], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "plain.onnx"))
    values = np.random.default_rng(0).integers(0, 255, (3, 60, 60)).astype(np.uint8)
    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 60, 60)
    path = str(tmp_path / "image.tif")
    rasters.write(path, values, grid, names=["red", "green", "blue"], units=["DN"] * 3)
    project = QgsProject.instance()
    settings.choose_folder(project, str(tmp_path / "results"))
    yield str(tmp_path / "plain.onnx"), layers.add_raster(path, "image", "scene", project)
    settings.choose_folder(QgsProject.instance(), "")


def test_form_completes_the_card_and_the_model_runs(open_panel, opened, qtbot, messages, tmp_path):
    path, image = opened
    panel = open_panel(ModelsPanel)
    panel.model.add(path)
    panel.input.setLayer(image)
    form = panel.checked.form
    assert not form.holder.isVisibleTo(panel)

    def finish():
        qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)

    panel.check()
    finish()
    assert form.holder.isVisibleTo(panel) and form.bands.isVisibleTo(panel)
    assert form.bands.placeholderText() == "red, green, blue"
    assert not form.button.isEnabled() and "Name the bands" in form._need()
    form.bands.setText("red, green, blue")
    assert "Name the classes" in form._need()
    form.classes.setText("r; g; b")
    form.activation.setCurrentIndex(form.activation.findData("logits"))
    assert form._need() == ""
    form.save()
    finish()
    assert messages() == [] and (tmp_path / "plain.mlm.json").exists()
    assert not form.holder.isVisibleTo(panel)
    assert panel.checked.received.pixmap() is not None and panel.checked.received.isVisibleTo(panel)
    assert (
        panel.checked.numbers.rowCount() == 3
        and float(panel.checked.numbers.item(0, 3).text()) <= 1
    )
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.unsure.setChecked(True)
    panel.run()
    finish()
    assert messages() == []
    names = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    assert {"plain", "plain, doubt"} <= names
    assert "r: " in panel.summary.text()


def test_a_result_of_numbers_was_taken_for_the_next_image(open_panel, opened, qtbot, messages):
    path, image = opened
    fields = {"task": "regression", "bands": ["red", "green", "blue"], "unit": "DN", "tile": 32,
              "halo": 0, "activation": "none", "pixel_size_range_m": [8, 12]}  # fmt: skip
    describe.save(session.Model(path).card, fields, path)
    panel = open_panel(ModelsPanel)
    panel.model.add(path)
    panel.extent.combo.setCurrentIndex(panel.extent.combo.findData("layer"))
    panel.run()
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=240_000)
    assert messages() == [] and QgsProject.instance().mapLayersByName("plain")
    assert panel.input.currentLayer() is image
    assert "mean" in panel.summary.text() and panel.summary.isVisibleTo(panel)
