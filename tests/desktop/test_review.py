"""The review queue in the real desktop: accept, reject, relabel, undo, apply, revert, resume."""

from __future__ import annotations

import os

import numpy as np
import pytest
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest


def place():
    from concord.plugin.engine.grid import Grid

    return Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 120, 90)


def truth() -> np.ndarray:
    rows, cols = np.mgrid[0:90, 0:120]
    return np.where(cols + 0 * rows < 60, 1, 2).astype(np.uint8)


@pytest.fixture
def review(plugin, iface, qtbot, new_project, tmp_path):
    """The Refine panel after a run on a map with five wrong patches, and its queue."""
    from concord.plugin.bridge import layers
    from concord.plugin.engine import rasters

    right = truth()
    noisy = right.copy()
    for number, (row, col) in enumerate(((8, 10), (30, 90), (50, 20), (70, 100), (20, 30))):
        size = 8 + number
        noisy[row : row + size, col : col + size] = 3 - right[row, col]
    noise = np.random.default_rng(0).normal(0, 3, (3, *right.shape))
    bands = np.stack([right * 80, 200 - right * 60, right * 40]) + noise
    rasters.write(tmp_path / "image.tif", bands.clip(0, 255).astype(np.uint8), place(),
                  names=["red", "green", "nir"], units=["DN"] * 3)  # fmt: skip
    names = {1: "field", 2: "forest"}
    rasters.write(tmp_path / "map.tif", noisy, place(), nodata=0, categories=names,
                  colours={1: (230, 200, 60), 2: (20, 110, 40)})  # fmt: skip
    image = layers.add_raster(tmp_path / "image.tif", "image", "scene", new_project)
    labels = layers.add_raster(tmp_path / "map.tif", "map", "classes", new_project)
    plugin.action.trigger()
    plugin.show_panel("refine")
    panel = plugin.panels["refine"]
    panel.folder.setFilePath(str(tmp_path))
    panel.labels.setLayer(labels)
    panel.image.setLayer(image)
    panel.engine.setCurrentIndex(panel.engine.findData("felzenszwalb"))
    panel.run()
    qtbot.waitUntil(lambda: not panel.runner.busy and bool(panel.review.items), timeout=60000)
    iface.messageBar().clearWidgets()
    yield panel
    panel.review.hide()
    panel.review.show()


def picture(iface, qtbot, name: str) -> None:
    """Keep a picture of the window where CONCORD_REVIEW_SHOTS says."""
    folder = os.environ.get("CONCORD_REVIEW_SHOTS")
    if folder:
        qtbot.waitUntil(lambda: not iface.mapCanvas().isDrawing(), timeout=30000)
        qtbot.wait(500)
        iface.mainWindow().grab().save(f"{folder}/{name}.png")


def statuses(layer) -> list:
    fresh = QgsVectorLayer(layer.source(), "fresh", "ogr")  # what another QGIS would read
    return sorted(str(f["status"]) for f in fresh.getFeatures())


def test_decisions_are_in_the_file_at_once_and_undo_takes_them_back(review, iface, qtbot):
    queue = review.review
    assert len(queue.items) == 5
    order = [i.confidence * i.area for i in queue.items]
    assert order == sorted(order, reverse=True), "the most worth it first"
    picture(iface, qtbot, "review-1-start")
    first, second = queue.items[0].fid, queue.items[1].fid
    queue.accept_button.click()
    assert queue.item.fid == second
    queue.reject_button.click()
    assert statuses(queue.layer) == ["accepted", "open", "open", "open", "rejected"]
    queue.undo_button.click()
    assert queue.item.fid == second
    assert statuses(queue.layer) == ["accepted", "open", "open", "open", "open"]
    queue.undo_button.click()
    assert queue.item.fid == first and set(statuses(queue.layer)) == {"open"}
    assert not queue.undo_button.isEnabled()


def test_the_map_goes_to_the_proposal(review, iface):
    queue = review.review
    for _ in range(3):
        box = queue.layer.getFeature(queue.item.fid).geometry().boundingBox()
        seen = iface.mapCanvas().extent()
        assert seen.contains(box) and seen.width() < 60 * box.width()
        queue.skip_button.click()


def test_keys_decide_with_the_focus_on_the_map(review, iface, qtbot):
    queue, canvas = review.review, iface.mapCanvas()
    iface.mainWindow().activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    QTest.keyClick(canvas, Qt.Key.Key_A)
    QTest.keyClick(canvas, Qt.Key.Key_R)
    assert statuses(queue.layer).count("accepted") == 1
    assert statuses(queue.layer).count("rejected") == 1
    QTest.keyClick(canvas, Qt.Key.Key_U)
    assert statuses(queue.layer).count("rejected") == 0


def test_a_key_on_the_map_decided_proposals_while_another_tab_was_in_front(
    review, plugin, iface, qtbot
):
    queue, canvas = review.review, iface.mapCanvas()
    for panel in plugin.panels.values():
        panel.show()
    plugin.show_panel("annotate")
    qtbot.waitUntil(lambda: not queue.in_sight, timeout=5000)
    iface.mainWindow().activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    QTest.keyClick(canvas, Qt.Key.Key_R)
    assert set(statuses(queue.layer)) == {"open"}
    assert queue.shown._highlight is None
    plugin.show_panel("refine")
    qtbot.waitUntil(lambda: queue.in_sight, timeout=5000)
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_R)
    assert statuses(queue.layer).count("rejected") == 1
    assert queue.shown._highlight is not None


def test_flipping_shows_before_after_and_image(review, iface, qtbot):
    queue, root = review.review, QgsProject.instance().layerTreeRoot()
    seen = []
    for _ in range(3):
        queue.flip_button.click()
        shown = [
            v for v, i in queue.shown.maps.items() if root.findLayer(i).itemVisibilityChecked()
        ]
        seen.append((queue.shown.view, sorted(shown)))
        picture(iface, qtbot, f"review-2-{queue.shown.view}")
    assert seen == [
        ("before", ["before", "image"]), ("after", ["after", "image"]), ("image", ["image"]),
    ]  # fmt: skip


def test_accepting_all_above_a_confidence_of_one_change(review):
    queue = review.review
    queue.many.pairs.setCurrentIndex(queue.many.pairs.findData("1>2"))
    queue.many.least.setValue(0)
    wanted = sum((i.old_class, i.new_class) == (1, 2) for i in queue.items)
    assert 0 < wanted < 5 and queue.accept_all() == wanted
    assert statuses(queue.layer).count("accepted") == wanted
    queue.undo()
    assert set(statuses(queue.layer)) == {"open"}
    queue.many.least.setValue(100)
    queue.many.pairs.setCurrentIndex(0)
    sure = sum(round(100 * i.confidence) >= 100 for i in queue.items)
    assert queue.accept_all() == sure


def test_the_queue_goes_on_where_it_stopped_after_a_restart(review):
    queue = review.review
    queue.accept()
    queue.skip()
    stood, source = queue.item.fid, queue.layer.source()
    fresh = QgsVectorLayer(source, "again", "ogr")
    for key in queue.layer.customPropertyKeys():
        fresh.setCustomProperty(key, queue.layer.customProperty(key))  # as a saved project does
    QgsProject.instance().addMapLayer(fresh)
    from concord.plugin.gui.panel import box_of

    queue.start(fresh)
    review.refresh()
    assert queue.item.fid == stood
    assert [i.status for i in queue.items].count("accepted") == 1
    assert queue.shown.views() == ["before", "after", "image"], "flip and swipe had nothing to show"
    assert queue.flip_button.isEnabled() and queue.swipe.isEnabled()
    assert not box_of(review.review_column).isCollapsed()
    assert "1 of 5 are decided" in review.status.text()


def test_apply_and_revert_after_a_restart(review, iface, qtbot, tmp_path):
    from concord.plugin.engine import rasters

    queue = review.review
    assert "Accept at least one" in review._need_accepted()
    queue.accept()
    queue.classes.setCurrentIndex(queue.classes.findData(queue.item.new_class))
    queue.relabel()
    queue.reject()
    taken = [i for i in queue.items if i.status == "accepted"]
    before = rasters.read(tmp_path / "map.tif")[0]
    review.apply()
    qtbot.waitUntil(lambda: not review.runner.busy, timeout=30000)
    logs = list(tmp_path.glob("*.changes.json"))
    assert len(logs) == 1, review.status.text()
    applied = str(logs[0]).replace(".changes.json", ".tif")
    after = rasters.read(applied)[0]
    assert (before != after).sum() == sum(i.pixels for i in taken) > 0
    picture(iface, qtbot, "review-3-applied")
    iface.newProject(False)  # nothing of the session is left but the two files
    review.revert(str(logs[0]))
    qtbot.waitUntil(lambda: not review.runner.busy, timeout=30000)
    assert "pixel for pixel" in review.status.text()
    found = [
        layer for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer) and "reverted" in layer.name()
    ]  # fmt: skip
    restored = rasters.read(found[0].source())[0]
    np.testing.assert_array_equal(restored, before)
