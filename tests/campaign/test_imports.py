"""Work made elsewhere: class rasters, polygons, COCO, CVAT; and copies by algorithm."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest
from qgis.core import QgsFeature, QgsGeometry, QgsProcessingException, QgsRectangle, QgsVectorLayer


@pytest.fixture(autouse=True)
def no_qgis_objects_left():
    yield
    gc.collect()


@pytest.fixture
def enter(campaign):
    return campaign()


pytestmark = pytest.mark.parametrize("campaign", ["file"], indirect=True)


def run(run_algorithm, enter, **values):
    return run_algorithm(
        "concord:importwork", {"STORE": enter.where.target, "PERSON": "ana", **values}
    )


def said(run_algorithm, caught):
    return " ".join([str(caught.value), *(t for k, t in run_algorithm.messages if k == "error")])


def test_a_class_raster_becomes_submitted_work(enter, run_algorithm, scene):
    from concord.plugin.engine import rasters

    codes = np.zeros((128, 128), np.uint8)
    codes[:64, :] = 2
    path = str(scene["folder"] / "work.tif")
    rasters.write(path, codes, scene["grid"])
    assert run(run_algorithm, enter, RASTER=path)["TASKS"] == 8
    votes = enter().votes()
    assert {v.person for v in votes} == {"ana"} and len(votes) == 8
    with pytest.raises(QgsProcessingException) as caught:
        run(run_algorithm, enter, RASTER=path)
    assert "open task" in said(run_algorithm, caught)
    codes[64:] = 9
    rasters.write(path, codes, scene["grid"])
    with pytest.raises(QgsProcessingException, match="does not know"):
        run(run_algorithm, enter, RASTER=path)


def test_polygons_with_a_class(enter, run_algorithm):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:integer", "w", "memory")
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000, 5399840, 500320, 5400000)))
    feature["class"] = 3
    layer.dataProvider().addFeature(feature)
    assert run(run_algorithm, enter, POLYGONS=layer, SUBMIT=False)["TASKS"] == 1
    kept = enter("ana").latest(1)
    assert (kept.mask[:16] == 3).all() and (kept.mask[16:] == 0).all()
    assert json.loads(kept.shapes)["features"][0]["properties"] == {"class": 3}


@pytest.mark.parametrize(
    ("kind", "value"), [("string", "3"), ("double", 3.0), ("string", "Built"), ("integer", 3)]
)
def test_polygons_whose_class_was_no_whole_number_were_left_out(enter, run_algorithm, kind, value):
    layer = QgsVectorLayer(f"PolygonZ?crs=EPSG:32632&field=class:{kind}", "w", "memory")
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000, 5399840, 500320, 5400000)))
    feature["class"] = value
    empty = QgsFeature(feature)
    empty["class"] = None
    layer.dataProvider().addFeatures([feature, empty])
    assert run(run_algorithm, enter, POLYGONS=layer)["TASKS"] == 1
    assert (enter("ana").latest(1).mask[:16] == 3).all()


def test_a_class_name_that_the_campaign_lacks_was_left_out_silently(enter, run_algorithm):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632&field=class:string", "odd layer", "memory")
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000, 5399840, 500320, 5400000)))
    feature["class"] = "lava"
    layer.dataProvider().addFeature(feature)
    with pytest.raises(QgsProcessingException) as caught:
        run(run_algorithm, enter, POLYGONS=layer)
    told = said(run_algorithm, caught)
    assert "'lava'" in told and "odd layer" in told and "1 water" in told


def test_polygons_of_another_crs_are_moved_to_the_campaign(enter, run_algorithm):
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsProject

    there = QgsCoordinateReferenceSystem("EPSG:4326")
    move = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32632"), there, QgsProject.instance()
    )
    layer = QgsVectorLayer("MultiPolygon?crs=EPSG:4326&field=class:integer", "w", "memory")
    feature = QgsFeature(layer.fields())
    shape = QgsGeometry.fromRect(QgsRectangle(500000, 5399840, 500320, 5400000))
    shape.transform(move)
    shape.convertToMultiType()
    feature.setGeometry(shape)
    feature["class"] = 3
    layer.dataProvider().addFeature(feature)
    assert run(run_algorithm, enter, POLYGONS=layer, SUBMIT=False)["TASKS"] == 1
    kept = enter("ana").latest(1)
    assert (kept.mask[:16] == 3).all() and (kept.mask[16:] == 0).all()


def test_coco_polygons_in_chip_pixels(enter, run_algorithm, scene):
    content = {
        "images": [{"id": 7, "file_name": "chips/task-6.png", "width": 32, "height": 32}],
        "categories": [{"id": 40, "name": "Trees"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 40,
             "segmentation": [[4, 8, 20, 8, 20, 16, 4, 16]]}
        ],
    }  # fmt: skip
    path = scene["folder"] / "coco.json"
    path.write_text(json.dumps(content))
    assert run(run_algorithm, enter, FILE=str(path))["TASKS"] == 1
    (vote,) = enter().votes(6)
    assert (vote.mask[8:16, 4:20] == 2).all() and vote.mask.astype(bool).sum() == 8 * 16
    ring = json.loads(vote.shapes)["features"][0]["geometry"]["coordinates"][0]
    assert ring[0] == [5e5 + 10 * (32 + 4), 54e5 - 10 * (32 + 8)]
    content["categories"][0]["name"] = "lava"
    path.write_text(json.dumps(content).replace("task-6", "task-7"))
    with pytest.raises(QgsProcessingException, match="'lava'"):
        run(run_algorithm, enter, FILE=str(path))


def test_coco_run_lengths_of_both_forms_as_pycocotools_writes_them(enter, run_algorithm, scene):
    from pycocotools import mask as oracle

    rng = np.random.default_rng(4)
    masks = {6: np.kron(rng.random((8, 8)) < 0.4, np.ones((4, 4), bool)),
             7: rng.random((32, 32)) < 0.5}  # fmt: skip
    packed = {k: oracle.encode(np.asfortranarray(m.astype(np.uint8))) for k, m in masks.items()}
    loose, value, length = [], 0, 0
    for pixel in masks[7].T.ravel():
        if int(pixel) != value:
            loose.append(length)
            value, length = int(pixel), 0
        length += 1
    loose.append(length)
    size = [32, 32]
    segmentations = {6: {"size": size, "counts": packed[6]["counts"].decode()},
                     7: {"size": size, "counts": loose}}  # fmt: skip
    content = {
        "images": [{"id": k, "file_name": f"task-{k}.png"} for k in masks],
        "categories": [{"id": 2, "name": "trees"}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 2, "iscrowd": 1, "segmentation": s}
            for k, s in segmentations.items()
        ],
    }  # fmt: skip
    path = scene["folder"] / "rle.json"
    path.write_text(json.dumps(content))
    assert run(run_algorithm, enter, FILE=str(path))["TASKS"] == 2
    for task, drawn in masks.items():
        (vote,) = enter().votes(task)
        assert np.array_equal(vote.mask, np.where(drawn, 2, 0))
    shapes = json.loads(enter().votes(6)[0].shapes)["features"]
    area = sum(QgsGeometry.fromWkt(_wkt(f["geometry"])).area() for f in shapes)
    assert area == pytest.approx(masks[6].sum() * 100)
    content["annotations"] = [
        {"id": 1, "image_id": 8, "category_id": 2, "segmentation": {"size": [64, 64], "counts": []}}
    ]
    content["images"] = [{"id": 8, "file_name": "task-8.png"}]
    path.write_text(json.dumps(content))
    with pytest.raises(QgsProcessingException, match="a mask of another size"):
        run(run_algorithm, enter, FILE=str(path))


def _wkt(geometry) -> str:
    rings = ", ".join(
        "(" + ", ".join(f"{x} {y}" for x, y in ring) + ")" for ring in geometry["coordinates"]
    )
    return f"Polygon({rings})"


def test_cvat_masks_as_run_lengths(enter, run_algorithm, scene):
    xml = (
        '<annotations><version>1.1</version><image id="0" name="5.png" width="32" height="32">'
        '<mask label="water" source="manual" rle="1, 2, 1, 4" left="4" top="6" width="4" '
        'height="2"/></image></annotations>'
    )
    path = scene["folder"] / "masks.xml"
    path.write_text(xml)
    assert run(run_algorithm, enter, FILE=str(path))["TASKS"] == 1
    (vote,) = enter().votes(5)
    assert vote.mask[6:8, 4:8].tolist() == [[0, 1, 1, 0], [1, 1, 1, 1]]
    assert vote.mask.astype(bool).sum() == 6
    path.write_text(xml.replace('left="4"', 'left="30"').replace("5.png", "9.png"))
    with pytest.raises(QgsProcessingException, match="a mask outside its image"):
        run(run_algorithm, enter, FILE=str(path))


CVAT = """<?xml version="1.0"?><annotations><version>1.1</version>
<image id="0" name="3.png" width="32" height="32">
<polygon label="water" points="0,0;10,0;10,10;0,10"/>
<box label="built" xtl="20" ytl="20" xbr="30" ybr="30"/></image></annotations>"""


def test_cvat_polygons_and_boxes(enter, run_algorithm, scene):
    path = scene["folder"] / "cvat.xml"
    path.write_text(CVAT)
    assert run(run_algorithm, enter, FILE=str(path))["TASKS"] == 1
    (vote,) = enter().votes(3)
    assert (vote.mask[:10, :10] == 1).all() and (vote.mask[20:30, 20:30] == 3).all()
    path.write_text(
        CVAT.replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>').replace("3.png", "4.png")
    )
    with pytest.raises(QgsProcessingException, match="entities"):
        run(run_algorithm, enter, FILE=str(path))
    path.write_text("<annotations")
    with pytest.raises(QgsProcessingException, match="no CVAT"):
        run(run_algorithm, enter, FILE=str(path))


def test_copy_and_merge_by_algorithm(enter, run_algorithm, scene):
    from concord.plugin.bridge import campaign_db
    from concord.plugin.bridge.campaign_store import Store

    away = str(scene["folder"] / "away.gpkg")
    made = run_algorithm(
        "concord:copycampaign", {"STORE": enter.where.target, "PERSON": "ana", "OUTPUT": away}
    )
    assert made["TASKS"] == 16
    with Store(campaign_db.address(away), "ana") as store:
        task = store.next_task()
        store.submit(task.id, np.full((32, 32), 1, np.uint8))
    merge = {"STORE": enter.where.target, "INPUT": away}
    assert run_algorithm("concord:mergecampaign", merge) == {"ADDED": 1, "CONFLICTS": 0}
    assert run_algorithm("concord:mergecampaign", merge)["ADDED"] == 0


def test_annotations_or_store_but_not_both_or_neither(enter, run_algorithm, scene):
    out = str(scene["folder"] / "o.tif")
    for values, words in (
        ({}, "No annotation was given"),
        ({"STORE": enter.where.target, "ANNOTATIONS": [scene["image"]]}, "not both"),
    ):
        with pytest.raises(QgsProcessingException) as caught:
            run_algorithm("concord:consensus", {"OUTPUT": out, **values})
        assert words in said(run_algorithm, caught)
