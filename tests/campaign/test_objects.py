"""Consensus of the outlines that annotators drew."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest
from qgis.core import QgsProcessingException, QgsVectorLayer

pytestmark = pytest.mark.parametrize("campaign", ["file"], indirect=True)


@pytest.fixture(autouse=True)
def no_qgis_objects_left():
    yield
    gc.collect()


def hand_in(store, boxes):
    """Submit the next task with boxes (col, row, width, height, code) in chip pixels."""
    from concord.plugin.engine.campaign import imports

    task = store.next_task()
    drawn = {task.id: [([[[c, r], [c + w, r], [c + w, r + h], [c, r + h], [c, r]]], code)
                       for c, r, w, h, code in boxes]}  # fmt: skip
    found = imports._painted(drawn, {task.id: task.window}, store.settings.grid)
    mask, shapes = found[task.id]
    store.submit(task.id, mask, shapes)
    return task.id


def test_objects_of_three_people(campaign, run_algorithm, scene):
    enter = campaign(count=1, sampling="random", gold=None)
    hand_in(enter("ana"), [(2, 2, 10, 10, 1), (18, 18, 10, 10, 2)])
    hand_in(enter("ben"), [(3, 2, 10, 10, 1), (18, 19, 10, 10, 3)])
    hand_in(enter("cy"), [(2, 3, 10, 10, 1)])
    out, page = str(scene["folder"] / "objects.gpkg"), str(scene["folder"] / "objects.html")
    run_algorithm(
        "concord:objectconsensus", {"STORE": enter.where.target, "OUTPUT": out, "REPORT": page}
    )
    layer = QgsVectorLayer(out, "objects", "ogr")
    rows = {f["class"]: f for f in layer.getFeatures()}
    assert set(rows) == {1, 255}
    assert rows[1]["support"] == 1 and rows[1]["class_name"] == "water"
    assert rows[255]["class_name"] == "undecided"
    assert rows[1].geometry().area() == pytest.approx(100 * 10 * 10, rel=0.1)
    values = json.loads((scene["folder"] / "objects.json").read_text())
    pair = next(p for p in values["pairs"] if (p["one"], p["other"]) == ("ana", "ben"))
    assert pair["count"] == 1 and pair["same_class"] == 0.5 and 0.7 < pair["extent"] < 1
    assert values["drew"] == {"ana": 2, "ben": 2, "cy": 1}


def test_masks_without_outlines_serve_too_and_one_vote_is_a_sentence(
    campaign, run_algorithm, scene
):
    enter = campaign(count=1, sampling="random", gold=None)
    values = {"STORE": enter.where.target, "OUTPUT": str(scene["folder"] / "o.gpkg")}
    mask = np.zeros((32, 32), np.uint8)
    mask[4:20, 4:20] = 2
    ana = enter("ana")
    ana.submit(ana.next_task().id, mask)
    with pytest.raises(QgsProcessingException, match="two submitted votes"):
        run_algorithm("concord:objectconsensus", values)
    ben = enter("ben")
    ben.submit(ben.next_task().id, mask)
    run_algorithm("concord:objectconsensus", values)
    layer = QgsVectorLayer(values["OUTPUT"], "objects", "ogr")
    (feature,) = layer.getFeatures()
    assert feature["class"] == 2 and feature["overlap"] == 1
