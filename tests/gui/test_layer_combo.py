"""Which of several images is chosen before the user chooses one."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRasterLayer

from concord.plugin.bridge import layers
from concord.plugin.gui.widgets import LayerCombo
from tests.gui.conftest import write_raster


@pytest.fixture
def combo(qtbot, qgis_new_project):
    made = LayerCombo("raster", layers.is_imagery, likely=layers.likely_image)
    qtbot.addWidget(made)
    yield made
    made.release()


@pytest.fixture
def add(tmp_path):
    def added(name: str, bands: int = 3) -> QgsRasterLayer:
        names = ("red", "green", "blue", "nir")[:bands]
        path = write_raster(tmp_path / f"{name}.tif", np.full((bands, 8, 8), 0.3), names)
        layer = QgsRasterLayer(path, name)
        return QgsProject.instance().addMapLayer(layer)

    return added


def node(layer):
    return QgsProject.instance().layerTreeRoot().findLayer(layer.id())


def test_the_image_on_top_was_not_the_one_that_the_model_looked_at(combo, add, qtbot):
    older, newer = add("older", 4), add("newer", 4)
    assert combo.currentLayer() is newer
    node(newer).setItemVisibilityChecked(False)
    qtbot.waitUntil(lambda: combo.currentLayer() is older)
    node(newer).setItemVisibilityChecked(True)
    qtbot.waitUntil(lambda: combo.currentLayer() is newer)


def test_a_grey_layer_on_top_is_not_taken_for_the_picture(combo, add):
    picture = add("picture")
    add("index", 1)
    assert combo.currentLayer() is picture


def test_a_moved_layer_is_followed(combo, add, qtbot):
    one, two = add("one"), add("two")
    assert combo.currentLayer() is two
    root = QgsProject.instance().layerTreeRoot()
    below = node(two)
    root.insertChildNode(len(root.children()), below.clone())
    root.removeChildNode(below)
    qtbot.wait(20)
    assert combo.currentLayer() is one


def test_what_the_user_chose_stays_until_it_is_removed(combo, add, qtbot):
    one, two = add("one"), add("two")
    combo.setLayer(one)
    combo.activated.emit(combo.currentIndex())
    add("three")
    node(one).setItemVisibilityChecked(False)
    qtbot.wait(20)
    assert combo.currentLayer() is one
    QgsProject.instance().removeMapLayer(one.id())
    assert combo.currentLayer().name() == "three"
    node(combo.currentLayer()).setItemVisibilityChecked(False)
    qtbot.waitUntil(lambda: combo.currentLayer() is two)


def test_a_layer_that_left_was_chosen_on_its_way_out(combo, add, qtbot):
    """Whoever listened took the image for another one and forgot what was set for it."""
    under, top = add("under"), add("top")
    node(top).setItemVisibilityChecked(False)
    qtbot.waitUntil(lambda: combo.currentLayer() is under)
    heard = []
    combo.layerChanged.connect(lambda layer: heard.append(layer and layer.name()))
    QgsProject.instance().removeMapLayer(top.id())
    qtbot.wait(20)
    assert "top" not in heard and combo.currentLayer() is under


def test_unticking_a_group_asked_for_the_image_of_each_layer(qtbot, add, qgis_new_project):
    asked = []

    def likely(images):
        asked.append(len(images))
        return layers.likely_image(images)

    combo = LayerCombo("raster", layers.is_imagery, likely=likely)
    qtbot.addWidget(combo)
    root = QgsProject.instance().layerTreeRoot()
    group = root.addGroup("dates")
    for name in "abcdef":
        layer = add(name)
        group.insertChildNode(0, node(layer).clone())
        root.removeChildNode(node(layer))
    qtbot.wait(20)
    asked.clear()
    group.setItemVisibilityCheckedRecursive(False)
    qtbot.wait(20)
    combo.release()
    assert len(asked) == 1
