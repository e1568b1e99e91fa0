"""Layers are added and styled without widgets, as headless runs need it."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)

from concord.plugin.bridge import layers
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.taxonomy import ClassDef, Taxonomy
from tests.gui.conftest import SIDE, write_raster

SCHEME = Taxonomy("t", "T", (ClassDef(1, "water", "#419bdf"), ClassDef(2, "trees", "#397d49")))


def test_scene_gets_a_stretched_true_colour(image_path, qgis_new_project):
    layer = layers.add_raster(image_path, "Scene", "scene", QgsProject.instance())
    renderer = layer.renderer()
    assert isinstance(renderer, QgsMultiBandColorRenderer)
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == (3, 2, 1)
    enhancement = renderer.redContrastEnhancement()
    assert 0.05 < enhancement.minimumValue() < enhancement.maximumValue() < 0.6
    assert QgsProject.instance().layerTreeRoot().findLayer(layer.id()).itemVisibilityChecked()


def test_composites_by_name(image):
    titles = [item.title for item in layers.composites(image)]
    assert titles[:2] == ["True colour", "Near infrared"]
    assert layers.band_names(image) == ["blue", "green", "red", "nir"]


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("elevation", "slope", "hillshade"), "Terrain (hillshade, slope, height)"),
        (("pca_1", "pca_2", "pca_3"), "Principal components"),
        (("vv", "vh", "vv_vh"), "SAR (VV, VH, ratio)"),
    ],
)
def test_composites_of_derived_bands(tmp_path, qgis_app, names, title):
    path = write_raster(tmp_path / "derived.tif", np.zeros((3, 8, 8)), names)
    (first, *_) = layers.composites(QgsRasterLayer(path, "derived"))
    assert first.title == title and set(first.bands) == set(names)


def test_classes_without_a_table_are_named_by_code(class_path, qgis_new_project):
    layer = layers.add_raster(class_path, "Map", "classes", QgsProject.instance())
    assert isinstance(layer.renderer(), QgsPalettedRasterRenderer)
    assert [(c.value, c.label) for c in layer.renderer().classes()] == [
        (1, "class 1"), (2, "class 2"),
    ]  # fmt: skip


def test_classes_by_taxonomy_and_back(class_path, qgis_new_project):
    layer = layers.add_raster(class_path, "Map", "classes", QgsProject.instance(), SCHEME)
    entries = layers.class_entries(layer)
    assert [(e.code, e.name, e.colour.name()) for e in entries] == [
        (1, "water", "#419bdf"), (2, "trees", "#397d49"),
    ]  # fmt: skip


def test_colour_table_with_names_is_read(tmp_path, class_path, qgis_new_project):
    data = gdal.Open(class_path, gdal.GA_Update)
    table = gdal.ColorTable()
    table.SetColorEntry(1, (10, 20, 30, 255))
    table.SetColorEntry(2, (40, 50, 60, 255))
    data.GetRasterBand(1).SetColorTable(table)
    data.GetRasterBand(1).SetCategoryNames(["", "sea", "land"])
    data = None
    layer = layers.add_raster(class_path, "Map", "classes", QgsProject.instance())
    assert [(e.code, e.name) for e in layers.class_entries(layer)] == [(1, "sea"), (2, "land")]


def test_consensus_and_posterior(tmp_path, qgis_new_project):
    bands = np.stack([np.ones((SIDE, SIDE)), np.full((SIDE, SIDE), 80)]).astype(np.uint8)
    path = write_raster(tmp_path / "c.tif", bands, ("class", "posterior"), gdal.GDT_Byte)
    project = QgsProject.instance()
    top = layers.add_raster(path, "Consensus", "consensus", project, SCHEME)
    share = layers.add_raster(path, "Posterior", "posterior", project, group="More", visible=False)
    assert isinstance(top.renderer(), QgsPalettedRasterRenderer) and top.renderer().band() == 1
    assert isinstance(share.renderer(), QgsSingleBandPseudoColorRenderer)
    assert share.renderer().band() == 2 and share.renderer().classificationMax() == 100
    node = project.layerTreeRoot().findLayer(share.id())
    assert node.parent().name() == "More" and not node.itemVisibilityChecked()


def test_what_counts_as_classes(image, classes, tmp_path):
    assert layers.is_class_raster(classes) and not layers.is_class_raster(image)
    assert layers.is_imagery(image)
    path = write_raster(tmp_path / "dem.tif", np.ones((SIDE, SIDE)), kind=gdal.GDT_Int16)
    dem = QgsRasterLayer(path, "dem")
    assert layers.is_imagery(dem) and not layers.is_class_raster(dem)
    layers.style_classes(classes, SCHEME)
    assert not layers.is_imagery(classes)


def test_missing_file_is_one_sentence(tmp_path, qgis_app):
    with pytest.raises(ConcordError, match=r"Cannot open .*none\.tif"):
        layers.add_raster(tmp_path / "none.tif", "x", "scene", QgsProject.instance())


def test_vector_styles(qgis_app):
    layer = QgsVectorLayer("Polygon?field=class:integer&field=confidence:double", "p", "memory")
    layers.style_vector_proposals(layer)
    assert len(layer.renderer().ranges()) == 4
    layers.style_labels(layer, SCHEME)
    assert [e.name for e in layers.entries_of_labels(layer)] == ["water", "trees"]
    layers.style_chips(layer)
    assert [c.label() for c in layer.renderer().categories()][:3] == ["train", "validate", "test"]
