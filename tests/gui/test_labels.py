"""Accepting a proposal: one feature, one undo step, nothing left on failure."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsGeometry,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)

from concord.plugin.bridge import labels
from concord.plugin.engine.errors import ConcordError

UTM = QgsCoordinateReferenceSystem("EPSG:32632")
CONTEXT = QgsCoordinateTransformContext()
SQUARE = QgsGeometry.fromRect(QgsRectangle(500100, 5399700, 500300, 5399900))


def values(**more):
    return {"class": 3, "class_name": "trees", "score": 0.9, "object": 7, **more}


@pytest.fixture
def layer(tmp_path, qgis_app):
    return labels.create_label_layer(tmp_path / "labels.gpkg", UTM, "Labels")


def test_new_layer_has_the_fields(layer):
    assert [field.name() for field in layer.fields()] == ["fid", *(n for n, _ in labels.FIELDS)]
    assert layer.crs() == UTM and labels.problem(layer) == ""


def test_new_layer_does_not_overwrite(layer, tmp_path):
    with pytest.raises(ConcordError, match="exists already"):
        labels.create_label_layer(tmp_path / "labels.gpkg", UTM, "Labels")


def test_unwritable_folder_is_one_sentence(tmp_path, qgis_app):
    with pytest.raises(ConcordError, match="choose another folder"):
        labels.create_label_layer(tmp_path / "none" / "labels.gpkg", UTM, "Labels")


def test_accept_is_one_undo_step_and_redo_brings_it_back(layer):
    labels.accept(layer, SQUARE, UTM, values(), CONTEXT)
    (feature,) = layer.getFeatures()
    assert feature["class"] == 3 and feature["class_name"] == "trees" and feature["object"] == 7
    assert feature.geometry().area() == pytest.approx(SQUARE.area())
    assert layer.undoStack().count() == 1
    layer.undoStack().undo()
    assert layer.featureCount() == 0
    layer.undoStack().redo()
    assert layer.featureCount() == 1
    assert layer.commitChanges()
    assert layer.featureCount() == 1


def test_accept_transforms_into_the_layers_crs(tmp_path, qgis_app):
    wgs = QgsCoordinateReferenceSystem("EPSG:4326")
    layer = labels.create_label_layer(tmp_path / "wgs.gpkg", wgs, "Labels")
    labels.accept(layer, SQUARE, UTM, values(), CONTEXT)
    (feature,) = layer.getFeatures()
    wanted = QgsGeometry(SQUARE)
    wanted.transform(QgsCoordinateTransform(UTM, wgs, QgsProject.instance()))
    assert feature.geometry().centroid().asPoint().distance(
        wanted.centroid().asPoint()
    ) == pytest.approx(0, abs=1e-9)


def test_fields_that_the_layer_lacks_are_skipped(qgis_app):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "own", "memory")
    labels.accept(layer, SQUARE, UTM, values(), CONTEXT)
    assert [feature["class"] for feature in layer.getFeatures()] == [3]


def test_failure_destroys_the_edit_command(layer, monkeypatch):
    monkeypatch.setattr(layer, "addFeature", lambda feature: False)
    with pytest.raises(ConcordError, match="did not take the change"):
        labels.accept(layer, SQUARE, UTM, values(), CONTEXT)
    assert not layer.isEditCommandActive()
    assert layer.undoStack().count() == 0 and layer.featureCount() == 0


def test_an_exception_destroys_the_edit_command_too(layer, monkeypatch):
    def broken(feature):
        raise RuntimeError("provider gone")

    monkeypatch.setattr(layer, "addFeature", broken)
    with pytest.raises(RuntimeError):
        labels.accept(layer, SQUARE, UTM, values(), CONTEXT)
    assert not layer.isEditCommandActive() and layer.undoStack().count() == 0


def test_two_parts_do_not_fit_a_single_polygon_layer(qgis_app):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "own", "memory")
    two = QgsGeometry.collectGeometry(
        [SQUARE, QgsGeometry.fromRect(QgsRectangle(500400, 5399700, 500500, 5399900))]
    )
    with pytest.raises(ConcordError, match="2 parts; leave one part, or choose a layer of multi"):
        labels.accept(layer, two, UTM, values(), CONTEXT)
    assert not layer.isEditable() or layer.undoStack().count() == 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("Point?field=class:integer", "no polygons"),
        ("Polygon?field=kind:integer", "no field class"),
    ],
)
def test_unfit_layers_are_named(qgis_app, spec, words):
    assert words in labels.problem(QgsVectorLayer(spec, "own", "memory"))


def test_next_object(layer):
    assert labels.next_object(layer) == 1
    labels.accept(layer, SQUARE, UTM, values(object=4), CONTEXT)
    assert labels.next_object(layer) == 5
