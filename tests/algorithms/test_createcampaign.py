"""concord:createcampaign: what it makes, and bad input as one sentence."""

from __future__ import annotations

import gc
import json
import os

import numpy as np
import pytest
from qgis.core import QgsProcessingException, QgsVectorLayer


@pytest.fixture(autouse=True)
def no_qgis_objects_left():
    """Tracebacks of refusals hold QGIS objects in cycles; they must go before QGIS does."""
    yield
    gc.collect()


@pytest.fixture
def scene(tmp_path):
    from concord.plugin.engine import grid, rasters

    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 128, 96)
    rows, cols = np.mgrid[:96, :128]
    classes = (1 + (rows // 21 + cols // 27) % 3).astype(np.uint8)
    rasters.write(tmp_path / "scene.tif", classes * 50, place, names=["red"])
    rasters.write(tmp_path / "map.tif", classes, place)
    known = classes.copy()
    known[32:] = 0
    rasters.write(tmp_path / "gold.tif", known, place)
    rasters.write(tmp_path / "doubt.tif", (cols / 128).astype(np.float32), place)
    return tmp_path


@pytest.fixture
def create(scene, run_algorithm):
    def run(**changes):
        values = {"IMAGERY": str(scene / "scene.tif"), "TAXONOMY": "dynamicworld",
                  "CHIP_SIZE": 32, "ANNOTATORS": "ana; ben; cy", "COPIES": 2,
                  "STORE": str(scene / "campaign.gpkg"), "REPORT": str(scene / "plan.json"),
                  **changes}  # fmt: skip
        result = run_algorithm("concord:createcampaign", values)
        return result, json.loads((scene / "plan.json").read_text())

    return run


def test_makes_a_geopackage_that_qgis_opens(create, scene):
    result, plan = create(GOLD=str(scene / "gold.tif"))
    assert result["STORE"] == str(scene / "campaign.gpkg")
    assert plan["tasks"] == 12 and plan["gold"] == 1
    assert plan["copies"] == 11 * 2 + 3
    assert max(plan["work"].values()) - min(plan["work"].values()) <= 1
    layer = QgsVectorLayer(f"{result['STORE']}|layername=task", "tasks", "ogr")
    assert layer.isValid() and layer.featureCount() == 12
    assert layer.crs().authid() == "EPSG:32632"
    box = layer.extent()
    assert (box.xMinimum(), box.yMaximum(), box.width()) == (5e5, 54e5, 1280.0)
    areas = {round(f.geometry().area()) for f in layer.getFeatures()}
    assert areas == {320 * 320}


def test_sampling(create, scene):
    _, plan = create(SAMPLING="random", SITES_COUNT=5, STORE=str(scene / "a.gpkg"), SEED=3)
    assert plan["tasks"] == 5
    _, plan = create(SAMPLING="stratified", SITES_COUNT=6, STRATA=str(scene / "map.tif"),
                     STORE=str(scene / "b.gpkg"))  # fmt: skip
    assert set(plan["strata"].values()) == {2} and len(plan["strata"]) == 3
    doubt = {"SAMPLING": "uncertainty", "UNCERTAINTY": str(scene / "doubt.tif")}
    result, plan = create(SITES_COUNT=3, STORE=str(scene / "c.gpkg"), **doubt)
    layer = QgsVectorLayer(f"{result['STORE']}|layername=task", "tasks", "ogr")
    assert {f["col_off"] for f in layer.getFeatures()} == {96}


def test_sites_from_polygons(create, scene):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "sites", "memory")
    from qgis.core import QgsFeature, QgsGeometry, QgsRectangle

    for x in (0, 100, 600):  # the first two overlap: one place
        feature = QgsFeature()
        box = QgsRectangle(500000 + x, 5399700, 500200 + x, 5399900)
        feature.setGeometry(QgsGeometry.fromRect(box))
        layer.dataProvider().addFeature(feature)
    result, plan = create(SITES=layer, COPIES=1)
    assert plan["tasks"] == 3
    tasks = QgsVectorLayer(f"{result['STORE']}|layername=task", "tasks", "ogr")
    places = [f["place"] for f in tasks.getFeatures()]
    assert places[0] == places[1] != places[2]


BAD = [
    ({"ANNOTATORS": "ana; Ana "}, "same name"),
    ({"ANNOTATORS": "ana"}, "at least two annotators"),
    ({"ANNOTATORS": "ana;;ben"}, "empty"),
    ({"REVIEWERS": "BEN"}, "same name"),
    ({"COPIES": 4}, "copies"),
    ({"CHIP_SIZE": 500}, "smaller than one chip"),
    ({"TAXONOMY": "nonesuch"}, "not known"),
    ({"SAMPLING": "stratified"}, "STRATA"),
    ({"SAMPLING": "uncertainty"}, "UNCERTAINTY"),
    ({"STORE": "somewhere"}, "neither a .gpkg file nor"),
    ({"COSTS": "lava=2"}, "The cost 'lava=2' is not understood"),
    ({"MIN_POSTERIOR": 1.5}, "MIN_POSTERIOR"),
    ({"EXTENT": "0,10,0,10 [EPSG:32632]"}, "does not overlap"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD)
def test_bad_input_is_one_sentence(create, scene, run_algorithm, changes, sentence):
    with pytest.raises(QgsProcessingException) as caught:
        create(**changes)
    said = [str(caught.value), *(text for kind, text in run_algorithm.messages if kind == "error")]
    assert any(sentence in text for text in said), said
    assert not (scene / "campaign.gpkg").exists()


def test_missing_imagery_and_gold_without_answers(create, scene):
    with pytest.raises(QgsProcessingException, match="does not exist"):
        create(IMAGERY=str(scene / "gone.tif"))
    from concord.plugin.engine import grid, rasters

    empty = scene / "empty.tif"
    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 128, 96)
    rasters.write(empty, np.zeros((96, 128), np.uint8), place)
    with pytest.raises(QgsProcessingException, match="knows no chip"):
        create(GOLD=str(empty))


def test_a_store_is_never_overwritten(create, scene):
    create()
    before = (scene / "campaign.gpkg").read_bytes()
    with pytest.raises(QgsProcessingException, match="exists already"):
        create(ANNOTATORS="dora;emil")
    assert (scene / "campaign.gpkg").read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(create, scene):
    locked = scene / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    with pytest.raises(QgsProcessingException, match="read-only"):
        create(STORE=str(locked / "c.gpkg"))


def test_a_layer_of_sites_without_polygons_meant_the_whole_image(create, scene, run_algorithm):
    empty = QgsVectorLayer("Polygon?crs=EPSG:32632", "my sites", "memory")
    with pytest.raises(QgsProcessingException, match="my sites has no polygon"):
        create(SITES=empty)
    assert not (scene / "campaign.gpkg").exists()


def test_a_wrong_choice_names_the_choices(create, run_algorithm):
    with pytest.raises(QgsProcessingException):
        create(SAMPLING="strata")
    said = " ".join(text for _, text in run_algorithm.messages)
    assert "SAMPLING is 'strata'; choose one of all, random, stratified, uncertainty." in said
