"""Open prompts while label layers, images and composites change under them."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsFillSymbol,
    QgsGeometry,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)

from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import write_raster
from tests.gui.test_annotate import INSIDE, settle
from tests.gui.test_label_layer_choice import by_hand

SQUARE = "MultiPolygon(((500000 5400000,500010 5400000,500010 5399990,500000 5400000)))"


@pytest.fixture
def panel(prompting, tmp_path):
    """Prompts are taken, with a label layer."""
    panel = prompting
    panel.make_label_layer(str(tmp_path / "labels.gpkg"))
    panel.iface.messageBar().clear_messages()
    return panel


def ask(panel, qtbot):
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)


def warnings(panel) -> list:
    return list(panel.iface.messageBar().get_messages(Qgis.MessageLevel.Warning))


def test_a_refined_label_overwrote_another_one_in_the_next_layer(panel, tmp_path, qtbot):
    ask(panel, qtbot)
    assert panel.accept()
    panel.save()
    panel.refine_at(INSIDE)
    settle(panel, qtbot)
    assert panel.session.refined is not None
    panel.make_label_layer(str(tmp_path / "others.gpkg"))
    assert panel.session.refined is None and panel.session.empty
    assert "The label layer is another one" in panel.status.text()


def test_a_label_that_was_saved_while_refined_could_not_be_accepted_any_more(panel, qtbot):
    ask(panel, qtbot)
    assert panel.accept()
    panel.refine_at(INSIDE)
    settle(panel, qtbot)
    panel.save()  # it has another number from now on
    assert not panel.accept() and "saved or removed meanwhile" in panel.status.text()
    assert panel.accept() and panel.labels.currentLayer().featureCount() == 2


@pytest.mark.parametrize(("kind", "values"), [("string", ("water", "forest")),
                                              ("double", (1.0, 2.0))])  # fmt: skip
def test_prompting_took_a_layer_its_own_colours(panel, qtbot, kind, values):
    layer = QgsVectorLayer(f"MultiPolygon?crs=EPSG:32632&field=class:{kind}", "own", "memory")
    shown = [QgsRendererCategory(value, QgsFillSymbol(), f"{value}") for value in values]
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", shown))
    QgsProject.instance().addMapLayer(layer)
    by_hand(panel.labels, layer)
    panel.toggle()
    panel.toggle()
    qtbot.wait(20)
    assert [c.label() for c in layer.renderer().categories()] == [str(v) for v in values]
    if kind == "double":
        assert [entry.code for entry in panel.classes.entries] == [1, 2]


def test_a_composite_without_data_left_the_answer_of_the_one_before(
    open_panel, tmp_path, qtbot, qgis_new_project
):
    bands = np.full((4, 64, 64), 0.1) + np.random.default_rng(7).normal(0, 0.003, (4, 64, 64))
    bands[:, 20:44, 20:44] += 0.4
    bands[3, 15:50, 15:50] = np.nan  # near infrared
    path = write_raster(tmp_path / "holed.tif", bands, ("blue", "green", "red", "nir"))
    QgsProject.instance().addMapLayer(QgsRasterLayer(path, "holed"))
    panel = open_panel(AnnotatePanel)
    panel.model.reload("regions")
    panel.start_button.click()
    ask(panel, qtbot)
    assert panel.session.chosen is not None
    panel.composite.setCurrentIndex(1)
    settle(panel, qtbot)
    assert panel.session.chosen is None and not panel.accept_button.isEnabled()
    assert len(panel.session.points) == 1 and "no image here" in panel.status.text()
    panel.composite.setCurrentIndex(0)
    settle(panel, qtbot)
    assert panel.session.chosen is not None, "the point was kept"


def test_another_raster_that_left_changed_the_composite(panel, class_path, qtbot):
    other = QgsProject.instance().addMapLayer(QgsRasterLayer(class_path, "classes"))
    panel.composite.setCurrentIndex(1)
    ask(panel, qtbot)
    turn = panel.session.turn
    QgsProject.instance().removeMapLayer(other.id())
    qtbot.wait(20)
    assert panel.composite.currentIndex() == 1 and panel.session.turn == turn


def test_undoing_a_drawn_polygon_was_called_the_undoing_of_a_label(panel, classes, qtbot):
    layer = panel.labels.currentLayer()
    layer.startEditing()
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromWkt(SQUARE))
    layer.beginEditCommand("Add feature")
    layer.addFeature(feature)
    layer.endEditCommand()
    panel.destination.kind.setCurrentIndex(panel.destination.kind.findData("pixels"))
    panel.classes.schemes.reload("")
    if not panel.prompting:
        panel.toggle()
    ask(panel, qtbot)
    assert panel.accept(), panel.status.text()
    panel.say("")
    layer.undoStack().undo()
    assert panel.status.text() == ""


def test_a_closed_project_asked_for_a_class_raster(panel, class_path, qtbot):
    QgsProject.instance().addMapLayer(QgsRasterLayer(class_path, "classes"))
    panel.destination.kind.setCurrentIndex(panel.destination.kind.findData("pixels"))
    if not panel.prompting:
        panel.toggle()
    panel.iface.messageBar().clear_messages()
    QgsProject.instance().clear()
    qtbot.wait(20)
    assert warnings(panel) == []


def test_an_image_that_left_was_told_twice(panel, image, image_path, qtbot):
    QgsProject.instance().addMapLayer(QgsRasterLayer(image_path, "other"))
    ask(panel, qtbot)
    QgsProject.instance().removeMapLayer(image)
    qtbot.wait(20)
    (one,) = warnings(panel)
    assert "scene is no longer in the project" in one and not panel.prompting
