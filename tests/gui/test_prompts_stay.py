"""What the user did not change costs no prompt; what is said is true of what is shown."""

from __future__ import annotations

import pytest
from qgis.core import QgsPointXY, QgsProject, QgsRasterLayer

from concord.plugin.bridge import layers
from tests.gui.conftest import LEFT, TOP
from tests.gui.test_annotate import INSIDE, propose, settle
from tests.gui.test_label_layer_choice import by_hand, polygons


def test_any_layer_that_came_ended_prompting_and_took_the_proposal(prompting, class_path, qtbot):
    panel = prompting
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    polygons("parcels")
    layers.add_raster(class_path, "a model's result", "classes", QgsProject.instance())
    qtbot.wait(20)
    assert panel.prompting and panel.session.chosen is not None
    assert [point for point, _ in panel.session.points] == [INSIDE]


def test_an_image_that_came_was_prompted_instead(prompting, image, image_path, qtbot):
    panel = prompting
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    QgsProject.instance().addMapLayer(QgsRasterLayer(image_path, "on top"))
    qtbot.wait(20)
    assert panel.image.currentLayer() is image and panel.session.chosen is not None


def test_a_layer_that_cannot_take_labels_ends_prompting_with_a_word(prompting, qtbot):
    panel = prompting
    propose(panel)
    by_hand(panel.labels, polygons("parcels"))
    assert not panel.prompting
    qtbot.waitUntil(lambda: "parcels has no field class" in panel.status.text())
    assert panel.session.chosen is not None, "the proposal waits"


def test_another_tool_lost_the_open_points(prompting, canvas, qtbot):
    panel = prompting
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    canvas.unsetMapTool(panel.tool)
    assert not panel.prompting and panel.session.chosen is not None
    assert panel.state.text().startswith("Object 1 waits") and panel.drop_button.isEnabled()
    panel.start_button.click()
    assert [point for point, _ in panel.session.points] == [INSIDE]
    assert panel.session.chosen is not None and "score" in panel.state.text()


def test_another_model_or_composite_dropped_the_points(prompting, qtbot):
    panel = prompting
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    bands = panel.session.chosen.composite
    panel.composite.setCurrentIndex(1)
    assert panel.session.busy
    settle(panel, qtbot)
    assert panel.session.chosen.composite != bands and len(panel.session.points) == 1
    panel.model.reload("concord-prompt")
    settle(panel, qtbot)
    assert panel.session.chosen.model != "regions" and len(panel.session.points) == 1


def test_another_image_drops_the_points(prompting, image_path, qtbot):
    by_hand(prompting.image, prompting.image.currentLayer())
    other = QgsRasterLayer(image_path, "other")
    QgsProject.instance().addMapLayer(other)
    prompting.session.add_point(INSIDE, 1)
    prompting.image.setLayer(other)
    qtbot.wait(20)
    assert prompting.session.empty and prompting.prompting
    assert prompting.status.text() == "The image is other now; the points on scene were dropped."


@pytest.mark.parametrize("others", [0, 1])
def test_prompting_went_on_without_its_image(prompting, image, image_path, qtbot, others):
    by_hand(prompting.image, image)
    for _ in range(others):
        QgsProject.instance().addMapLayer(QgsRasterLayer(image_path, "other"))
    propose(prompting)
    prompting.session.settings = prompting.image_box.wish()
    QgsProject.instance().removeMapLayer(image)
    qtbot.wait(20)
    assert not prompting.prompting and not prompting.start_button.isChecked()
    assert "scene is no longer in the project" in prompting.status.text()
    assert prompting.session.empty


def test_no_object_there_stayed_under_a_good_proposal(prompting, qtbot):
    panel = prompting
    panel.session.add_point(QgsPointXY(LEFT - 500, TOP + 500), 1)
    assert "click on the image" in panel.status.text()
    panel.session.add_point(INSIDE, 1)
    assert panel.status.text() == ""
    settle(panel, qtbot)
    panel.session._take([])
    assert "No object there" in panel.status.text()
    panel.session.changed.emit()
    assert "No object there" in panel.status.text(), "it is true of these points"
    panel.session.add_point(INSIDE, 1)
    assert panel.status.text() == ""


def test_words_and_numbers_of_one_project_stayed_in_the_next(prompting, qtbot):
    panel = prompting
    panel.fail("scene.tif is truncated; download it again.")
    panel.session.object = 7
    QgsProject.instance().clear()
    qtbot.wait(20)
    assert panel.status.text() == "" and panel.session.object == 1 and not panel.prompting
