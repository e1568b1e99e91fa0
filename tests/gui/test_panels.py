"""Panels: what they say when they have nothing, and that their step runs when they have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtWidgets import QAbstractButton, QLabel, QWidget

from concord.plugin.gui.annotate import AnnotatePanel
from concord.plugin.gui.campaign import CampaignPanel
from concord.plugin.gui.models import ModelsPanel
from concord.plugin.gui.refine import RefinePanel
from concord.plugin.gui.scene import ScenePanel
from tests.gui.conftest import SIDE, write_raster

LONG = 60_000  # a loaded machine with one core


def needs(panel) -> list[str]:
    """The sentences a panel shows about what is missing."""
    labels = panel.findChildren(QLabel, "ConcordNeed")
    return [label.text() for label in labels if label.isVisibleTo(panel)]


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=LONG)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ScenePanel, "Choose files or a folder, or try the sample scene."),
        (RefinePanel, "Open a class map"),
        (ModelsPanel, "Open an image, or load a scene first."),
        (CampaignPanel, "Open the annotators' class maps"),
    ],
)
def test_empty_panel_says_what_it_needs(open_panel, kind, words):
    panel = open_panel(kind)
    assert words in needs(panel)[0]
    blocked = [step for step in panel._steps if step.says.text()]
    assert blocked
    for step in blocked:
        assert not step.button.isEnabled() and step.button.toolTip() == step.says.text()


def test_missing_package_is_said_and_blocks(open_panel, scripted):
    panel = open_panel(RefinePanel)
    panel._steps[0].algorithm = "scripted:lacking"
    panel.refresh()
    assert needs(panel) == ["This needs the Python package thing; install it."]
    assert not panel._steps[0].button.isEnabled()


def test_scene_loads_and_shows_what_was_assumed(open_panel, image_path, qtbot, messages):
    panel = open_panel(ScenePanel)
    panel.add_file(image_path)
    step = next(step for step in panel._steps if step.algorithm == "concord:loadscene")
    assert panel.chosen_files() == [image_path] and step.button.isEnabled()
    step.button.click()
    assert panel.runner.busy and not step.button.isEnabled()
    finish(panel, qtbot)
    assert messages() == []
    (layer,) = QgsProject.instance().mapLayers().values()
    assert isinstance(layer, QgsRasterLayer) and layer.bandCount() == 4
    assert panel.table.rowCount() == 4 and panel.table.isVisibleTo(panel)
    names = {panel.table.item(line, 0).text() for line in range(4)}
    assert names == {"blue", "green", "red", "nir"}
    assert panel.shown.currentLayer() == layer
    panel.composite.setCurrentIndex(panel.composite.findText("Near infrared"))
    panel._show_composite(0)
    assert layer.renderer().redBand() == 4


def test_bad_file_reaches_panel_and_message_bar(open_panel, tmp_path, qtbot, messages):
    bad = tmp_path / "bad.tif"
    bad.write_text("no raster")
    panel = open_panel(ScenePanel)
    panel.add_file(str(bad))
    panel.load()
    finish(panel, qtbot)
    (message,) = messages()
    assert "bad.tif" in message and "\n" not in message
    assert message.endswith(panel.status.text())  # the stub puts the title before it
    assert not QgsProject.instance().mapLayers()


def test_results_are_numbered_and_never_overwritten(open_panel, image_path, qtbot, tmp_path):
    panel = open_panel(ScenePanel)
    panel.add_file(image_path)
    for _ in range(2):
        panel.load()
        finish(panel, qtbot)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tif")) == [
        "scene-1.tif", "scene-2.tif",
    ]  # fmt: skip


def test_cancel_button_stops_the_run(open_panel, scripted, qtbot):
    panel = open_panel(RefinePanel)
    panel.launch("scripted:slow", {}, lambda outcome: pytest.fail("it was cancelled"))
    assert panel.cancel_button.isVisibleTo(panel)
    panel.cancel_button.click()
    finish(panel, qtbot)
    assert panel.status.text() == "Cancelled; nothing was written."
    assert not panel.bar.isVisibleTo(panel)


def test_refine_adds_proposals_and_numbers(open_panel, image, classes, qtbot, messages):
    panel = open_panel(RefinePanel)
    assert needs(panel) == []
    assert panel.labels.currentLayer() == classes and panel.image.currentLayer() == image
    assert panel.protect.count() == 2
    panel.engine.setCurrentIndex(panel.engine.findData("mode"))
    panel.run()
    finish(panel, qtbot)
    assert messages() == []
    names = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    assert {"classes, corrected", "classes, proposals"} <= names
    assert "%" in panel.numbers.text()


def test_models_checks_and_runs(open_panel, image, qtbot, messages):
    panel = open_panel(ModelsPanel)
    panel.check()
    finish(panel, qtbot)
    assert messages() == [] and panel.checked.verdicts.count() > 0
    said = panel.checked.verdicts
    words = {said.item(i).text().split(" · ")[0] for i in range(said.count())}
    assert words <= {"OK", "Look", "Stop"}
    assert "<table" in panel.checked.card.text()


def test_campaign_brings_annotators_together(open_panel, class_path, tmp_path, qtbot, messages):
    project = QgsProject.instance()
    random = np.random.default_rng(3)
    for number in range(3):
        codes = np.ones((SIDE, SIDE), np.uint8)
        codes[20:44, 20:44] = 2
        wrong = random.random((SIDE, SIDE)) < 0.05 * number
        codes[wrong] = 3 - codes[wrong]
        path = write_raster(tmp_path / f"ann{number}.tif", codes, kind=gdal.GDT_Byte)
        project.addMapLayer(QgsRasterLayer(path, f"ann{number}"))
    panel = open_panel(CampaignPanel)
    assert needs(panel)[0] == "Tick at least two annotators."
    panel.annotators.tick(project.mapLayers().values())
    panel.refresh()
    panel.run()
    finish(panel, qtbot)
    assert messages() == []
    assert panel.people.rowCount() == 3 and "Agreement" in panel.numbers.text()
    names = {layer.name() for layer in project.mapLayers().values()}
    assert {"Consensus", "Posterior", "Agreement"} <= names
    assert panel.export.consensus.currentLayer().name() == "Consensus"


def test_export_wants_images_labels_split_and_licence(open_panel, image, classes):
    panel = open_panel(CampaignPanel)
    export = panel.export
    assert export._need() == "Tick the images that go into the chips."
    export.imagery.tick([image])
    assert "licence" in export._need()
    export.licence.setCurrentText("CC-BY-4.0")
    assert export._need() == ""
    export.split.setText("most")
    assert "70/15/15" in export._need()


def test_export_writes_chips_that_pass_the_check(open_panel, image, classes, qtbot, messages):
    panel = open_panel(CampaignPanel)
    export = panel.export
    export.imagery.tick([image])
    export.size.setMinimum(8)
    export.size.setValue(8)
    export.buffer.setValue(0)
    export.licence.setCurrentText("CC0-1.0")
    export.run()
    finish(panel, qtbot)
    assert messages() == []
    assert "Chips of chips-1" in {x.name() for x in QgsProject.instance().mapLayers().values()}
    export.check()
    finish(panel, qtbot)
    assert messages() == [] and panel.status.text() == "The set is sound."
    assert export.verdicts.count() > 0
    mask = next(Path(export._last).rglob("*.tif"))
    mask.unlink()
    export.check()
    finish(panel, qtbot)
    (message,) = messages()
    assert mask.name in message
    assert export.verdicts.item(0).text().startswith("Stop")


def test_release_leaves_no_listener(open_panel, qgis_iface):
    project = QgsProject.instance()
    signals = (project.layersAdded, project.layersRemoved, project.readProject, project.cleared)
    before = [project.receivers(signal) for signal in signals]
    kinds = (ScenePanel, RefinePanel, ModelsPanel, CampaignPanel)
    panels = [kind(qgis_iface) for kind in kinds]
    for panel in panels:
        panel.release()
        panel.release()  # twice does no harm
    for panel in panels:
        panel.deleteLater()
    from qgis.PyQt.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert [project.receivers(signal) for signal in signals] == before


@pytest.mark.parametrize(
    "kind", [ScenePanel, AnnotatePanel, RefinePanel, ModelsPanel, CampaignPanel]
)
def test_every_mnemonic_leads_somewhere_and_to_one_place(open_panel, kind):
    panel = open_panel(kind)
    texts = []
    for label in panel.findChildren(QLabel):
        if "&" in label.text() and not label.text().startswith("<"):
            assert label.buddy() is not None, label.text()
            texts.append(label.text())
    texts += [button.text() for button in panel.findChildren(QAbstractButton)]
    letters = [text[text.index("&") + 1].lower() for text in texts if "&" in text]
    assert letters and len(letters) == len(set(letters)), sorted(texts)


@pytest.mark.parametrize(
    "kind", [ScenePanel, AnnotatePanel, RefinePanel, ModelsPanel, CampaignPanel]
)
def test_folding_and_unfolding_shows_nothing_that_was_hidden(open_panel, kind):
    panel = open_panel(kind)
    folded = [box for box in panel.findChildren(QgsCollapsibleGroupBox) if box.isCollapsed()]
    for box in folded:
        box.setCollapsed(False)
    before = {w for w in panel.findChildren(QWidget) if w.isVisibleTo(panel)}
    for box in panel.findChildren(QgsCollapsibleGroupBox):
        box.setCollapsed(True)
        box.setCollapsed(False)
    after = {w for w in panel.findChildren(QWidget) if w.isVisibleTo(panel)}
    assert before == after
