"""Ponds of real aerial imagery in the real desktop: clicks, rules, edges."""

from __future__ import annotations

import numpy as np
import pytest
from ponds import (
    HOLE,
    LONG,
    REAL,
    RIGHT,
    box_of,
    click,
    drag,
    errors_of_topology_checker,
    middle,
    moved,
    on_map,
    overlap_with,
    picture,
    rings_of,
    set_rule,
    shifted,
    zoom_to,
)
from qgis.core import (
    Qgis,
    QgsGeometry,
    QgsProject,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAction,
)

pytestmark = REAL


def test_the_topology_checker_sees_what_is_wrong(prompting, iface, desktop, qtbot):
    """The oracle itself: an overlap and a gap are found, so silence means something."""
    if Qgis.QGIS_VERSION_INT >= 34000:
        pytest.skip("QGIS 3.40's checker finds nothing when its rules are set from outside")
    from concord.plugin.bridge import labels

    layer, project = prompting.labels.currentLayer(), QgsProject.instance()
    ring = "Polygon ((0 0,30 0,30 30,0 30,0 0),(10 10,20 10,20 20,10 20,10 10))"
    for text in (ring, "Polygon ((25 5,50 5,50 25,25 25,25 5))"):
        shape = QgsGeometry.fromWkt(text)
        shape.translate(490_000, 5_207_000)
        labels.accept(layer, shape, layer.crs(), {"class": 1}, project.transformContext())
    labels.save(layer)
    found = " ".join(errors_of_topology_checker(iface, layer, desktop, qtbot))
    assert "overlap" in found and "gap" in found


def test_prompts_at_ponds_become_features_that_undo_takes_back(
    prompting, iface, qtbot, scene, ponds
):
    panel, canvas = prompting, prompting._canvas
    layer, scores = panel.labels.currentLayer(), []
    for number, pond in enumerate(ponds[:6]):
        point = middle(scene, pond)
        zoom_to(canvas, qtbot, point, 1200)
        click(panel, qtbot, point)
        assert panel.session.chosen is not None, number
        QTest.keyClick(canvas, Qt.Key.Key_1)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        newest = max(layer.getFeatures(), key=lambda f: f["object"])
        scores.append(overlap_with(scene, newest.geometry(), pond))
        x, y = (float(v) for v in newest["points"].split(": ")[1].split()[:2])
        assert newest["points"].startswith("EPSG:3857") and newest["composite"].startswith("nir")
        assert abs(x - point.x()) < 5 and abs(y - point.y()) < 5
    assert layer.featureCount() == 6 and layer.crs().authid() == "EPSG:32614"
    assert np.median(scores) > 0.6, scores
    undo = iface.mainWindow().findChild(QAction, "mActionUndo")
    redo = iface.mainWindow().findChild(QAction, "mActionRedo")
    for left in (5, 4):
        undo.trigger()
        assert layer.featureCount() == left
    redo.trigger()
    assert layer.featureCount() == 5
    picture(iface, qtbot, canvas, "6-ponds")


@pytest.mark.parametrize("rule", ["cut_new", "cut_old"])
def test_shared_edges_pass_qgis_own_topology_checker(
    prompting, iface, qtbot, desktop, scene, ponds, rule
):
    """Ponds, land around them and strokes over both: no overlap, no gap, nothing invalid."""
    panel, canvas = prompting, prompting._canvas
    layer = panel.labels.currentLayer()
    set_rule(panel, rule, True)
    panel.touch.unit.setCurrentIndex(panel.touch.unit.findData("map"))
    panel.touch.size.setValue(60)
    for pond in ponds[:3]:
        point = middle(scene, pond)
        zoom_to(canvas, qtbot, point, 1200)
        click(panel, qtbot, point)
        QTest.keyClick(canvas, Qt.Key.Key_1)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        # A box around the pond: what is proposed there meets the first label.
        drag(canvas, shifted(point, -120, 90), shifted(point, 120, -90))
        qtbot.waitUntil(lambda: not panel.session.busy, timeout=LONG)
        QTest.keyClick(canvas, Qt.Key.Key_2)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
        QTest.keyClick(canvas, Qt.Key.Key_B)
        QTest.keyClick(canvas, Qt.Key.Key_3)
        drag(canvas, shifted(point, -100, 0), shifted(point, -250, 60))
        drag(canvas, shifted(point, 0, 60), shifted(point, 200, 90))
        drag(canvas, shifted(point, -150, -60), shifted(point, 100, -80), RIGHT)
        QTest.keyClick(canvas, Qt.Key.Key_P)
    panel.save()
    count = layer.featureCount()
    assert count >= 6
    picture(iface, qtbot, canvas, f"7-shared-edges-{rule}")
    found = errors_of_topology_checker(iface, layer, desktop, qtbot)
    # Holes that no label fills are islands, not gaps between neighbours: the checker names both.
    assert not [text for text in found if "gap" not in text], found
    shapes = [f.geometry() for f in layer.getFeatures()]
    union = QgsGeometry.unaryUnion(shapes)
    holes = [g for part in union.asGeometryCollection() for g in rings_of(part)]
    thin = [h for h in holes if 2 * h.area() / h.length() < 1.0]
    assert not thin, [h.asWkt(2) for h in thin]


def test_edges_and_places_without_data_say_so_and_lose_nothing(prompting, qtbot, scene, ponds):
    panel, canvas = prompting, prompting._canvas
    layer, said = panel.labels.currentLayer(), []
    panel.session.failed.connect(said.append)
    point = middle(scene, ponds[0])
    zoom_to(canvas, qtbot, point, 1200)
    click(panel, qtbot, point)
    panel.accept()
    from concord.plugin.engine import rasters

    grid = rasters.info(scene).grid
    for col, row in ((grid.width / 2, HOLE / 2), (-60, 300), (grid.width + 60, grid.height + 60)):
        place = on_map(scene, col, row)
        zoom_to(canvas, qtbot, place, 1200)
        before = len(said)
        click(panel, qtbot, place)
        assert panel.session.chosen is None and len(said) == before + 1, (col, row)
        assert said[-1].endswith(".") and "Traceback" not in said[-1]
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert layer.featureCount() == 1
    for col, row in ((1.5, 400.5), (grid.width - 1.5, 400.5), (400.5, grid.height - 1.5)):
        place = on_map(scene, col, row)
        zoom_to(canvas, qtbot, place, 1200)
        click(panel, qtbot, place)
        assert panel.session.chosen is not None, (col, row)
        assert panel.accept()
    frame = QgsGeometry.fromWkt(box_of(grid))
    for feature in layer.getFeatures():
        inside = moved(feature.geometry(), "EPSG:32614", "EPSG:26914")
        assert inside.difference(frame.buffer(0.01, 2)).area() < 1
