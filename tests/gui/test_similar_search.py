"""A search for similar objects tells how far it is, ends when it is told to, and gives way."""

from __future__ import annotations

import time

import pytest
from qgis.core import QgsPointXY
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from concord.plugin.bridge import prompt_jobs
from concord.plugin.gui.annotate import AnnotatePanel
from tests.gui.conftest import LEFT, TOP
from tests.gui.test_annotate import INSIDE, settle
from tests.gui.test_annotate_more import click


@pytest.fixture
def searching(open_panel, image, tmp_path, qtbot, monkeypatch):
    """A panel in the middle of a search that would take a minute."""
    panel = open_panel(AnnotatePanel)
    panel.make_label_layer(str(tmp_path / "labels.gpkg"))
    panel.classes.schemes.reload("concord-sample")
    panel.image.setLayer(image)
    panel.model.reload("regions")
    panel.start_button.click()
    panel.session.add_point(INSIDE, 1)
    settle(panel, qtbot)
    assert panel.accept()
    panel.asked = []

    def slowly(desk, examples, bounds, scale, known, progress):
        panel.asked.append(known)
        for done in range(600):
            progress.report(done, 600, "Comparing")
            time.sleep(0.1)

    monkeypatch.setattr(prompt_jobs, "likened", slowly)
    panel.similar_button.click()
    return panel


def test_a_search_said_click_an_object_and_showed_no_progress(searching, qtbot):
    assert "Looking for objects like" in searching.state.text()
    assert not searching.similar_button.isEnabled() and searching.drop_button.isEnabled()
    qtbot.waitUntil(lambda: (searching.session.share or 0) > 0, timeout=10_000)
    qtbot.wait(400)
    assert searching.bar.isVisible() and searching.cancel_button.isVisible()
    searching.session.clear()


@pytest.mark.parametrize("how", ["key", "button", "drop"])
def test_a_search_went_on_whatever_was_pressed(searching, qtbot, how):
    qtbot.waitUntil(lambda: bool(searching.asked), timeout=10_000)
    if how == "key":
        QTest.keyClick(searching._canvas, Qt.Key.Key_Escape)
    else:
        (searching.cancel_button if how == "button" else searching.drop_button).click()
    assert "Click an object" in searching.state.text() and not searching.bar.isVisible()
    assert searching.similar_button.isEnabled()
    qtbot.waitUntil(lambda: searching.session.runner.idle, timeout=5_000)  # of a minute
    assert searching.status.text() == "" or "Accepted" in searching.status.text()


def test_a_click_waited_until_the_search_had_ended(searching, qtbot):
    qtbot.waitUntil(lambda: bool(searching.asked), timeout=10_000)
    click(searching._canvas, QgsPointXY(LEFT + 50, TOP - 50))
    started = time.monotonic()
    settle(searching, qtbot)
    assert searching.session.chosen is not None and time.monotonic() - started < 10
    assert not searching.session.alike and not searching.bar.isVisible()


def test_labels_in_the_view_are_not_looked_for_again(searching, qtbot):
    qtbot.waitUntil(lambda: bool(searching.asked), timeout=10_000)
    ((label,),) = searching.asked
    many = label["type"] == "MultiPolygon"
    ring = label["coordinates"][0][0] if many else label["coordinates"][0]
    assert all(LEFT < x < LEFT + 640 and TOP - 640 < y < TOP for x, y in ring)  # in the image
    searching.session.clear()
