"""The export section: formats, preview on the canvas, domains, what is handed to the algorithm."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import Qt

from concord.plugin.gui.campaign import CampaignPanel

LONG = 60_000


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=LONG)


def ready(open_panel, image):
    panel = open_panel(CampaignPanel)
    export = panel.export
    export.imagery.tick([image])
    export.size.setMinimum(8)
    export.size.setValue(8)
    export.buffer.setValue(0)
    return panel, export


def test_preview_colours_the_canvas_and_needs_no_licence(
    open_panel, image, classes, qtbot, messages
):
    panel, export = ready(open_panel, image)
    assert export._need_preview() == "" and "licence" in export._need()
    export.preview()
    finish(panel, qtbot)
    assert messages() == []
    (layer,) = QgsProject.instance().mapLayersByName("Split preview")
    assert {f["split"] for f in layer.getFeatures()} == {"train", "validate", "test"}
    assert {c.value() for c in layer.renderer().categories()} >= {"train", "validate", "test"}
    assert "train: " in export.summary.text()
    export.preview()
    finish(panel, qtbot)
    assert len(QgsProject.instance().mapLayersByName("Split preview")) == 1


def test_formats_are_ticked_and_written(open_panel, image, classes, qtbot, messages):
    panel, export = ready(open_panel, image)
    for index in range(export.formats.count()):
        wanted = export.formats.itemData(index) in ("coco", "yolo")
        state = Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
        export.formats.setItemCheckState(index, state)
    export.licence.setCurrentText("CC0-1.0")
    export.date.setText("2024-05-06")
    export.run()
    finish(panel, qtbot)
    assert messages() == []
    root = Path(export._last)
    assert (root / "coco").is_dir() and (root / "yolo" / "data.yaml").exists()
    assert not (root / "chips").exists()
    manifest = json.loads((root / "manifest.json").read_text("utf-8"))
    assert manifest["settings"]["formats"] == ["coco", "yolo"]
    assert manifest["inputs"][0]["date"] == "2024-05-06"


def test_no_format_and_a_wrong_date_are_said(open_panel, image, classes):
    _, export = ready(open_panel, image)
    export.licence.setCurrentText("CC0-1.0")
    export.date.setText("May")
    assert "2024-01-31" in export._need()
    export.date.setText("")
    for index in range(export.formats.count()):
        export.formats.setItemCheckState(index, Qt.CheckState.Unchecked)
    assert export._need() == "Tick at least one format."


def test_split_by_polygons_wants_a_layer(open_panel, image, classes):
    _, export = ready(open_panel, image)
    options = export.options
    assert not options.split_layer.isEnabled() and options.block.isEnabled()
    options.split_by.setCurrentIndex(options.split_by.findData("layer"))
    assert options.split_layer.isEnabled() and not options.block.isEnabled()
    assert "polygons" in export._need_preview()
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=zone:string", "zones", "memory")
    QgsProject.instance().addMapLayer(layer)
    options.split_layer.setLayer(layer)
    options.split_field.setField("zone")
    found = options.parameters()
    assert (found["SPLIT_LAYER"], found["SPLIT_FIELD"]) == (layer, "zone")
    assert export._need_preview() == ""


def test_unsure_pixels_need_a_consensus(open_panel, image, classes):
    _, export = ready(open_panel, image)
    export.options.low.setCurrentIndex(1)
    assert not export.options.low.isEnabled()
    assert export._parameters()["LOW"] == "keep"


def test_the_menu_opens_the_dialogs_of_the_algorithms_without_a_form(open_panel, image):
    from qgis.core import QgsApplication

    from concord.plugin.gui import tools

    panel = open_panel(CampaignPanel)
    (menu,) = panel.findChildren(tools.AlgorithmMenu)
    actions = menu.menu().actions()
    ids = [action.data() for action in actions]
    assert ids == ["concord:importchips", "concord:pointchips", "concord:parceltable"]
    registry = QgsApplication.processingRegistry()
    assert all(registry.algorithmById(name) is not None for name in ids)
    assert all(action.toolTip() != action.text() for action in actions)


def test_the_menu_hands_its_algorithm_to_qgis_own_dialog(open_panel, monkeypatch):
    import processing
    from qgis.PyQt.QtWidgets import QDialog

    from concord.plugin.gui import tools

    asked = []

    def dialog(name, parameters):
        asked.append((name, parameters))
        return QDialog()

    monkeypatch.setattr(processing, "createAlgorithmDialog", dialog)
    panel = open_panel(CampaignPanel)
    (menu,) = panel.findChildren(tools.AlgorithmMenu)
    menu.menu().actions()[1].trigger()
    assert asked == [("concord:pointchips", {})]
