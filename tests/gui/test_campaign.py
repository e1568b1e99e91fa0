"""The Campaign panel with a store: plan, label, review, seal, consensus."""

from __future__ import annotations

import time

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsGeometry, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtWidgets import QApplication

from concord.plugin.bridge import labels
from concord.plugin.gui.campaign import CampaignPanel
from concord.plugin.gui.campaign_wizard import CampaignWizard
from tests.gui.conftest import LEFT, PIXEL, SIDE, TOP, write_raster

PEOPLE = ("ana", "ben", "cy")


def settle(panel):
    """Until the store has answered."""
    end = time.monotonic() + 30
    while panel.campaign.calls.busy:
        assert time.monotonic() < end, "the store does not answer"
        QApplication.processEvents()
        time.sleep(0.002)


def enter(panel, *what):
    panel.campaign.open(*what)
    settle(panel)


def finish(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.runner.busy, timeout=60_000)
    settle(panel)


@pytest.fixture
def store_path(provider, image_path, tmp_path):
    """A campaign of four tasks with a known answer for one."""
    from concord.plugin.bridge import campaign_create, campaign_db
    from concord.plugin.engine.campaign import setup

    known = np.zeros((SIDE, SIDE), np.uint8)
    known[:32, :32] = 1
    gold = write_raster(tmp_path / "gold.tif", known, kind=gdal.GDT_Byte)
    wishes = setup.Wishes(
        (image_path,), "water2", PEOPLE, chip=32, lead="lea", gold=gold, title="Test"
    )
    path = str(tmp_path / "campaign.gpkg")
    campaign_create.create(campaign_db.address(path), setup.plan(wishes))
    return path


@pytest.fixture
def panel(open_panel, store_path):
    made = open_panel(CampaignPanel)
    enter(made, store_path)
    return made


def draw(layer, store, task, code):
    """One label over the whole task, as the annotate panel would accept it."""
    window = task.window
    left, top = LEFT + window.col * PIXEL, TOP - window.row * PIXEL
    box = QgsRectangle(left, top - window.height * PIXEL, left + window.width * PIXEL, top)
    labels.accept(layer, QgsGeometry.fromRect(box), layer.crs(), {"class": code},
                  QgsProject.instance().transformContext())  # fmt: skip


def label_everything(panel, name, code):
    enter(panel, panel.campaign.text, name)
    for _ in range(4):
        panel.work.next_task()
        settle(panel)
        draw(panel.work.layer, panel.campaign.store, panel.work.task, code)
        panel.work.submit()
        settle(panel)


def test_without_a_campaign_the_panel_stays_small(open_panel):
    panel = open_panel(CampaignPanel)
    assert not panel.work.box.isVisibleTo(panel) and not panel.review.box.isVisibleTo(panel)
    assert not panel.from_store.isVisibleTo(panel)


def test_lead_and_annotator_see_their_own_part(panel):
    assert panel.review.box.isVisibleTo(panel) and not panel.work.box.isVisibleTo(panel)
    assert "4 tasks" in panel.campaign.state.text()
    assert panel.campaign.task_layer().featureCount() == 4
    enter(panel, panel.campaign.text, "ana")
    assert panel.work.box.isVisibleTo(panel) and not panel.review.box.isVisibleTo(panel)


def test_next_task_opens_only_ones_own_labels(panel):
    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    names = [layer.name() for layer in QgsProject.instance().mapLayers().values()]
    assert "Labels of ana" in names and not any("ben" in name for name in names)
    assert "scene" in names
    canvas = panel.iface.mapCanvas()
    assert canvas.extent().height() < SIDE * PIXEL
    assert "Task" in panel.work.status.text()


def test_submit_and_resume(panel, messages):
    enter(panel, panel.campaign.text, "ana")
    work = panel.work
    work.next_task()
    settle(panel)
    number = work.task.id
    work.submit_button.click()
    settle(panel)
    assert "no label yet" in messages()[-1]
    draw(work.layer, panel.campaign.store, work.task, 1)
    work.save_button.click()
    settle(panel)
    enter(panel, panel.campaign.text, "ana")
    work.next_task()
    settle(panel)
    assert work.task.id == number
    work.flag.setCurrentIndex(1)
    work.submit_button.click()
    settle(panel)
    assert "reason for the flag" in messages()[-1]
    work.reason.setText("haze")
    work.submit_button.click()
    settle(panel)
    assert work.task is None
    versions = panel.campaign.store.versions(number)
    assert [v[2] for v in versions] == ["saved", "submitted"]
    assert panel.campaign.people.item(0, 1).text() == "1 / 4"


def test_labels_come_back_from_the_store_on_another_desk(panel, tmp_path):
    from concord.plugin.bridge import settings

    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    draw(panel.work.layer, panel.campaign.store, panel.work.task, 1)
    panel.work.save()
    settle(panel)
    settings.choose_folder(QgsProject.instance(), str(tmp_path / "elsewhere"))
    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    assert panel.work.layer.featureCount() == 1
    feature = next(panel.work.layer.getFeatures())
    assert feature["class"] == 1 and feature["annotator"] == "ana"


def test_review_from_queue_to_seal_and_consensus(panel, qtbot, messages):
    for name, code in zip(PEOPLE, (1, 1, 2)):
        label_everything(panel, name, code)
    enter(panel, panel.campaign.text, "lea")
    review = panel.review
    review.find_button.click()
    settle(panel)
    finish(panel, qtbot)
    assert review.queue.rowCount() == 4 and messages() == []
    assert [review.people.item(i, 0).text() for i in range(3)] == list(PEOPLE)
    assert review.people.item(0, 1).text() == "100.0 %"
    assert review.people.item(2, 1).text() == "0.0 %"
    titles = [review.plots.combo.itemText(i) for i in range(review.plots.combo.count())]
    assert "Agreement of pairs over time" in titles and review.plots.isVisibleTo(panel)
    assert "cy against known answers, % of a row" in titles
    assert any(title.startswith("Posterior and truth on known answers") for title in titles)
    assert review.plots.picture.heightForWidth(300) > 100
    review.show_button.click()
    settle(panel)
    titles = [vote.title for vote in review.votes]
    assert titles == ["Vote A", "Vote B", "Vote C"]
    group = QgsProject.instance().layerTreeRoot().findGroup(f"Votes on task {review.task.id}")
    assert len(group.findLayers()) == 3
    review.decision.setCurrentIndex(review.decision.findData("merge"))
    review.decide_button.click()
    settle(panel)
    assert "reason" in messages()[-1]
    review.reason.setText("two of three")
    review.decide_button.click()
    settle(panel)
    assert review.task.state == "reviewed"
    review.seal_button.click()
    settle(panel)
    assert review.task.state == "sealed" and not review.decide_button.isEnabled()
    review.reason.setText("a pond was missed")
    review.unseal_button.click()
    settle(panel)
    assert review.task.state == "reviewed"
    panel.refresh()
    assert panel.from_store.isChecked()
    panel.run()
    finish(panel, qtbot)
    assert panel.people.rowCount() == 3
    names = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    assert {"Consensus", "Posterior", "Agreement"} <= names


def test_seal_all_that_people_agree_on(panel, qtbot, messages):
    for name in PEOPLE:
        label_everything(panel, name, 1)
    enter(panel, panel.campaign.text, "lea")
    panel.review.find_button.click()
    settle(panel)
    finish(panel, qtbot)
    panel.review.agreed_button.click()
    settle(panel)
    assert {t.state for t in panel.campaign.store.tasks()} == {"sealed"}
    assert "4 tasks are sealed" in panel.status.text()
    panel.review.agreed_button.click()
    settle(panel)
    assert "No listed task" in messages()[-1]


def test_return_needs_a_person_and_a_reason(panel, messages):
    for name in PEOPLE:
        label_everything(panel, name, 1)
    enter(panel, panel.campaign.text, "lea")
    review = panel.review
    review.show_queue([{"task": 1, "state": "voted", "entropy": 0.5, "agreement": 0.5}])
    review.show_votes()
    settle(panel)
    review.return_button.click()
    settle(panel)
    assert "reason" in messages()[-1]
    person = review.decision.currentData()
    review.reason.setText("edges")
    review.return_button.click()
    settle(panel)
    enter(panel, panel.campaign.text, person)
    panel.work.next_task()
    settle(panel)
    assert panel.work.task.id == 1
    assert panel.status.text() == "Returned: edges"


def test_wizard_says_what_is_missing_and_makes_a_campaign(open_panel, image, qtbot, tmp_path):
    panel = open_panel(CampaignPanel)
    wizard = CampaignWizard(panel.iface, panel)
    qtbot.addWidget(wizard)
    places, people, quality = wizard.places, wizard.people, wizard.quality
    assert places.says() == "Tick at least one image."
    places.imagery.tick([image])
    assert places.says() == "Choose a class scheme."
    places.scheme.reload("water2")
    places.chip.setValue(16)
    assert places.isComplete()
    people.names.setPlainText("ana\nAna\nben")
    assert "same name" in people.says()
    people.names.setPlainText("ana\nben")
    assert "copies" in people.says()
    people.copies.setValue(2)
    people.lead.setText("lea")
    assert people.isComplete()
    quality.initializePage()
    quality.costs.cellWidget(0, 1).setValue(3)
    quality.posterior.setValue(90)
    wizard.known.tolerance.setValue(2)
    assert "file" in wizard.keep.says()
    wizard.keep.file.setFilePath(str(tmp_path / "new"))
    assert wizard.keep.isComplete()
    panel.campaign.create(wizard.parameters())
    finish(panel, qtbot)
    assert panel.campaign.store is not None, panel.status.text()
    assert len(panel.campaign.store.tasks()) == 16 and panel.campaign.store.me == "lea"
    kept = panel.campaign.store.settings
    assert (kept.costs, kept.min_posterior, kept.tolerance) == ({1: 3.0}, 0.9, 2)


def test_wizard_takes_polygons_and_shows_what_a_crosswalk_loses(open_panel, image, qtbot,
                                                                 image_path, tmp_path):  # fmt: skip
    from qgis.core import QgsFeature, QgsVectorLayer

    sites = QgsVectorLayer("Polygon?crs=EPSG:32632", "fields", "memory")
    sites.setCrs(image.crs())
    for left in (LEFT, LEFT + 30 * PIXEL):
        feature = QgsFeature()
        box = QgsRectangle(left, TOP - 20 * PIXEL, left + 20 * PIXEL, TOP)
        feature.setGeometry(QgsGeometry.fromRect(box))
        sites.dataProvider().addFeature(feature)
    sites.updateExtents()
    known = np.full((SIDE, SIDE), 80, np.uint8)  # permanent water bodies of WorldCover
    known[:, 40:] = 95  # mangroves
    gold = write_raster(tmp_path / "worldcover.tif", known, kind=gdal.GDT_Byte)
    QgsProject.instance().addMapLayers([sites, QgsRasterLayer(gold, "worldcover")])
    panel = open_panel(CampaignPanel)
    wizard = CampaignWizard(panel.iface, panel)
    qtbot.addWidget(wizard)
    places, people, quality = wizard.places, wizard.people, wizard.quality
    places.imagery.tick([image])
    places.scheme.reload("esri-lulc")
    places.kind.setCurrentIndex(places.kind.findData("polygons"))
    assert places.says() == "Choose the layer of polygons."
    assert not places.chip.isVisibleTo(places) and places.sites.isVisibleTo(places)
    places.sites.setLayer(sites)
    for method in ("stratified", "uncertainty"):
        places.sampling.setCurrentIndex(places.sampling.findData(method))
        assert places.guide.isVisibleTo(places) and places.guide.toolTip()
        offered = [places.guide.itemText(i) for i in range(places.guide.count())]
        assert "worldcover" in offered and "scene" not in offered
    places.sampling.setCurrentIndex(0)
    assert places.isComplete()
    people.names.setPlainText("ana\nben\ncy")
    people.lead.setText("lea")
    quality.initializePage()
    known = wizard.known
    known.initializePage()
    assert not known.losses.isVisibleTo(known)
    known.gold.setLayer(QgsProject.instance().mapLayersByName("worldcover")[0])
    known.scheme.reload("worldcover")
    lost = [known.losses.item(i).text() for i in range(known.losses.count())]
    assert any("cannot be told apart as" in text for text in lost)
    assert known.losses.isVisibleTo(known) and known.isComplete()
    wizard.keep.file.setFilePath(str(tmp_path / "sites.gpkg"))
    panel.campaign.create(wizard.parameters())
    finish(panel, qtbot)
    store = panel.campaign.store
    assert [(t.window.width, t.window.height) for t in store.tasks()] == [(20, 20), (20, 20)]
    answers = {int(code) for mask in store.gold().values() for code in np.unique(mask)}
    assert answers and answers <= {1, 4}, "gold is in the campaign's classes"


def test_the_next_person_at_the_desk_does_not_see_my_labels(panel):
    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    draw(panel.work.layer, panel.campaign.store, panel.work.task, 1)
    panel.work.save()
    settle(panel)
    enter(panel, panel.campaign.text, "ben")
    names = [layer.name() for layer in QgsProject.instance().mapLayers().values()]
    assert "Labels of ana" not in names


def test_copies_and_people(panel, qtbot, tmp_path, messages):
    section = panel.campaign
    section.copy_for("ana", str(tmp_path / "away.gpkg"))
    finish(panel, qtbot)
    assert "4 tasks for ana" in panel.status.text()
    section.merge(str(tmp_path / "away.gpkg"))
    finish(panel, qtbot)
    assert panel.status.text().startswith("0 versions were added")
    section.drop("cy")
    settle(panel)
    assert "4 tasks are free" in panel.status.text()
    section.add("Dora")
    settle(panel)
    assert section.person.findData("Dora") >= 0 and messages() == []
    section.open(section.text, "Dora")
    settle(panel)
    assert not section.more_button.isEnabled()
    panel.work.next_task()
    settle(panel)
    assert panel.work.task is not None


def test_missing_imagery_is_said_and_work_goes_on(panel, image_path):
    import os

    os.remove(image_path)
    QgsProject.instance().removeAllMapLayers()
    enter(panel, panel.campaign.text, "ana")
    panel.work.next_task()
    settle(panel)
    assert "is missing" in panel.status.text() and panel.work.task is not None


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
    review.blind.setChecked(False)
    review.show_votes()
    settle(panel)
    assert [view.title.text() for view in review.views.views] == list(PEOPLE)
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
