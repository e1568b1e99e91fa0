"""Into which polygon layer labels go: only into one that was made or chosen for it."""

from __future__ import annotations

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsVectorFileWriter, QgsVectorLayer
from qgis.PyQt.QtWidgets import QFileDialog

from concord.plugin.bridge import labels, layers, settings
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.test_annotate import need

UTM = QgsCoordinateReferenceSystem("EPSG:32632")
RESULT = "field=class:integer&field=class_name:string&field=score:double&field=source:string"


def polygons(name: str, fields: str = "field=owner:string") -> QgsVectorLayer:
    layer = QgsVectorLayer(f"Polygon?crs=EPSG:32632&{fields}", name, "memory")
    QgsProject.instance().addMapLayer(layer)
    return layer


def by_hand(combo, layer) -> None:
    texts = [combo.itemText(index) for index in range(combo.count())]
    index = texts.index(layer.name())
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


@pytest.fixture
def panel(open_panel, image):
    return open_panel(AnnotatePanel)


def test_a_layer_of_parcels_was_taken_for_the_label_layer(panel):
    parcels = polygons("parcels")
    assert panel.labels.currentLayer() is None and need(panel) == ""
    assert panel.start_button.isEnabled() and "New layer" in panel.labels.currentText()
    by_hand(panel.labels, parcels)
    assert panel.labels.currentLayer() == parcels and "no field class" in need(panel)


def test_a_models_result_took_labels_without_a_word(panel, tmp_path):
    result = polygons("concord-buildings, polygons", RESULT)
    layers.style_labels(result)
    assert labels.problem(result) == "" and panel.labels.currentLayer() is None
    own = labels.create_label_layer(tmp_path / "own.gpkg", UTM, "own")
    QgsProject.instance().addMapLayer(own)
    assert panel.labels.currentLayer() == own, "a label layer is chosen when it comes"


def test_a_removed_label_layer_handed_its_place_to_the_next_one(panel, tmp_path):
    own = panel.make_label_layer(str(tmp_path / "own.gpkg"))
    polygons("a"), polygons("z")
    seen = []
    panel.labels.layerChanged.connect(seen.append)
    QgsProject.instance().removeMapLayer(own)
    assert panel.labels.currentLayer() is None and set(seen) == {None}


def test_another_label_layer_took_the_place_of_a_new_one_that_was_wished(panel, tmp_path):
    first = panel.make_label_layer(str(tmp_path / "first.gpkg"))
    panel.labels.setCurrentIndex(0)
    panel.labels.activated.emit(0)
    second = labels.create_label_layer(tmp_path / "second.gpkg", UTM, "second")
    QgsProject.instance().addMapLayer(second)
    assert panel.labels.currentLayer() is None and first.isValid()


def test_the_project_remembers_a_layer_that_was_chosen(panel, tmp_path):
    panel.make_label_layer(str(tmp_path / "own.gpkg"))
    path = str(tmp_path / "foreign.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    project = QgsProject.instance()
    memory = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "m", "memory")
    QgsVectorFileWriter.writeAsVectorFormatV3(memory, path, project.transformContext(), options)
    foreign = QgsVectorLayer(path, "foreign", "ogr")
    project.addMapLayer(foreign)
    by_hand(panel.labels, foreign)
    project.write(str(tmp_path / "p.qgz"))
    project.clear()
    assert panel.labels.currentLayer() is None
    project.read(str(tmp_path / "p.qgz"))
    assert panel.labels.currentLayer().name() == "foreign"


def test_the_classes_of_a_label_layer_were_lost_when_its_project_was_opened_again(panel, tmp_path):
    panel.classes.schemes.reload("water2")
    panel.make_label_layer(str(tmp_path / "own.gpkg"))
    panel.classes.schemes.combo.setCurrentIndex(0)
    project, path = QgsProject.instance(), str(tmp_path / "p.qgz")
    project.write(path)
    project.clear()
    project.read(path)
    assert panel.labels.currentLayer().name() == "own"
    assert [entry.name for entry in panel.classes.entries] == ["not water", "water"]
    assert panel.classes.schemes.combo.currentText() == "From the layer"


def test_the_question_for_a_file_began_in_a_folder_that_qgis_empties(
    panel, image_path, monkeypatch
):
    offered = []

    def ask(_parent, _title, path, _kinds) -> tuple:
        offered.append(path)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    settings.choose_folder(QgsProject.instance(), "")
    panel.destination.new_button.click()
    beside = image_path.replace("scene.tif", "labels-1.gpkg")
    assert offered == [beside]
    panel.refresh()
    assert panel.folder.lineEdit().placeholderText() == beside.replace("/labels-1.gpkg", "")
