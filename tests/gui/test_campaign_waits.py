"""The Campaign panel while its store is slow, and what it shows on the map."""

# ruff: noqa: F811 (fixtures are imported by name)

from __future__ import annotations

import time

from qgis.core import QgsProject, QgsRectangle
from qgis.PyQt.QtCore import QEvent
from qgis.PyQt.QtWidgets import QApplication

from tests.gui.campaign_steps import (  # noqa: F401
    PEOPLE,
    enter,
    label_everything,
    panel,
    settle,
    store_path,
)
from tests.gui.conftest import LEFT, TOP


def test_a_locked_geopackage_leaves_the_interface_alive(panel, messages, monkeypatch):
    import sqlite3

    from concord.plugin.bridge import campaign_db

    monkeypatch.setattr(campaign_db, "_WAIT", 1.0)
    enter(panel, panel.campaign.text, "ana")
    other = sqlite3.connect(panel.campaign.text, isolation_level=None)
    other.execute("begin immediate")
    turns, longest, last = 0, 0.0, time.monotonic()
    panel.work.next_button.click()
    panel.work.next_button.click()  # a second click is no second wish
    seen = set()
    while panel.campaign.calls.busy:
        QApplication.processEvents()
        now = time.monotonic()
        turns, longest, last = turns + 1, max(longest, now - last), now
        seen.add((panel.work.next_button.isEnabled(), panel.status.text()))
        time.sleep(0.005)
    other.execute("rollback")
    other.close()
    assert "in use by another program; try again in a moment." in messages()[-1]
    assert len(messages()) == 1 and turns > 50 and longest < 0.3
    assert (False, "Waiting for the campaign store…") in seen
    assert panel.work.next_button.isEnabled() and panel.work.task is None
    panel.work.next_button.click()
    settle(panel)
    assert panel.work.task is not None


def test_a_store_that_never_answers_is_left_with_one_sentence(panel, messages, monkeypatch):
    import threading

    release = threading.Event()
    monkeypatch.setattr(panel.campaign.store, "overview", lambda: release.wait(10))
    panel.campaign.calls._limit.setInterval(300)
    panel.campaign.refresh()
    settle(panel)
    assert panel.campaign.store is None and "does not answer" in messages()[-1]
    assert panel.campaign.new_button.isEnabled() and not panel.review.box.isVisibleTo(panel)
    release.set()


def test_votes_lie_side_by_side_and_move_together(panel, qtbot, messages):
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtWidgets import QDockWidget

    for name in PEOPLE:
        label_everything(panel, name, 1)
    enter(panel, panel.campaign.text, "lea")
    review = panel.review
    review.show_queue([{"task": 1, "state": "voted", "entropy": 0.5, "agreement": 0.5}])
    review.show_votes()
    settle(panel)
    assert [view.title.text() for view in review.views.views] == ["Vote A", "Vote B", "Vote C"]
    main = panel.iface.mapCanvas()
    for view in review.views.views:
        assert [layer.name() for layer in view.canvas.layers()][1:] == ["scene"]
    first, second = review.views.views[0].canvas, review.views.views[1].canvas
    box = main.extent()
    box.scale(0.5)
    main.setExtent(box)
    assert abs(second.extent().center().x() - box.center().x()) < 1
    first.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    box = QgsRectangle(LEFT, TOP - 200, LEFT + 200, TOP)
    first.setExtent(box)
    first.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    for canvas in (second, main):
        assert abs(canvas.extent().center().y() - box.center().y()) < 1
    QgsProject.instance().removeAllMapLayers()
    QApplication.processEvents()
    assert review.views.dock is None and review.views.views == []
    review.blind.setChecked(False)
    review.show_votes()
    settle(panel)
    assert [view.title.text() for view in review.views.views] == list(PEOPLE)
    review.views.dock.close()
    QApplication.processEvents()
    assert review.views.dock is None, "closed by hand, it is gone and not an empty dock"
    review.show_votes()
    settle(panel)
    dock = review.views.dock
    enter(panel, "")
    QApplication.processEvents()
    assert review.views.views == [] and review.views.dock is None
    assert dock not in panel.iface.mainWindow().findChildren(QDockWidget) or not dock.isVisible()
    assert messages() == []


def test_the_task_says_how_clear_its_dates_are(panel):
    from concord.plugin.engine.campaign.clear import ClearDate

    work = panel.work
    work.show_dates([ClearDate("2024-01-10", 0.5, "SCL"), ClearDate("2024-03-01", None, "SCL")])
    assert work.dates.text() == "2024-01-10: 50 % clear · 2024-03-01: no data"
    assert "2024-01-10: SCL" in work.dates.toolTip()
    work.show_dates([ClearDate("2024-01-10", 1.0, "data", known=False)])
    assert work.dates.text() == "2024-01-10: clouds unknown"
    work.show_dates([])
    assert not work.dates.isVisibleTo(panel)


def test_tasks_lie_above_the_imagery_and_tell_what_is_left(panel):
    tasks = panel.campaign.task_layer()
    assert tasks.name() == "Tasks, about 2.0 h left"
    assert [c.label() for c in tasks.renderer().categories()][0] == "Open (4)"
    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    order = [layer.name() for layer in QgsProject.instance().layerTreeRoot().layerOrder()]
    assert order.index("scene") > order.index(panel.campaign.task_layer().name())
    assert order[0] == "Labels of ana"


def test_unloading_with_votes_open_and_a_call_under_way_leaves_nothing(panel, monkeypatch):
    import threading

    from qgis.PyQt.QtWidgets import QDockWidget

    for name in PEOPLE:
        label_everything(panel, name, 1)
    enter(panel, panel.campaign.text, "lea")
    review = panel.review
    review.show_queue([{"task": 1, "state": "voted", "entropy": 0.5, "agreement": 0.5}])
    review.show_votes()
    settle(panel)
    assert review.views.dock.isVisibleTo(panel.iface.mainWindow())
    go, ended = threading.Event(), threading.Event()
    store = panel.campaign.store
    monkeypatch.setattr(store, "overview", lambda: go.wait(10))
    monkeypatch.setattr(store, "close", ended.set)
    panel.campaign.refresh()
    panel.release()
    assert panel.campaign.store is None and review.views.dock is None
    go.set()
    assert ended.wait(10)
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
    names = [d.objectName() for d in panel.iface.mainWindow().findChildren(QDockWidget)]
    assert "ConcordVotes" not in names
