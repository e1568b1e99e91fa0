"""The Campaign panel with a store: plan, label, review, seal, consensus."""

# ruff: noqa: F811 (fixtures are imported by name)

from __future__ import annotations

from qgis.core import QgsProject

from concord.plugin.gui.campaign import CampaignPanel
from tests.gui.campaign_steps import (  # noqa: F401
    PEOPLE,
    draw,
    enter,
    finish,
    label_everything,
    panel,
    settle,
    store_path,
)
from tests.gui.conftest import PIXEL, SIDE


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
    enter(panel, panel.campaign.text, "ana")
    assert panel.people.rowCount() == 0 and not panel.open_report.isVisibleTo(panel)
    assert not panel.numbers.isVisibleTo(panel) and review.plots.combo.count() == 0


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


def test_agreed_is_not_enough_where_the_campaign_asks_for_a_posterior(panel, messages):
    from dataclasses import replace

    for name in PEOPLE:
        label_everything(panel, name, 1)
    enter(panel, panel.campaign.text, "lea")
    store, review = panel.campaign.store, panel.review
    store.settings = replace(store.settings, min_posterior=0.9)
    doubt = {"task": 1, "state": "voted", "entropy": 0.5, "agreement": 1.0, "undecided": 0.0,
             "flags": 0, "posterior": 0.8}  # fmt: skip
    review.show_queue([doubt, {**doubt, "task": 2}])
    review.agreed_button.click()
    settle(panel)
    assert messages()[-1].endswith(
        "No listed task reaches 80 % agreement and 90 % posterior without a flag."
    )
    review.show_queue([doubt, {**doubt, "task": 2, "posterior": 0.95}])
    review.agreed_button.click()
    settle(panel)
    assert [t.state for t in store.tasks()][:2] == ["voted", "sealed"]
    assert store.events(2)[-1][5] == "at least 80 % agreement and 90 % posterior"


def test_two_annotators_were_both_said_to_be_right_in_every_vote(open_panel):
    panel = open_panel(CampaignPanel)
    why = "Dawid-Skene needs three annotators; the majority was used"
    report = {"method": "majority", "asked": "dawidskene", "agreement_mean": 0.917,
              "undecided_share": 0.166, "notes": [why, "other"],
              "annotators": [{"name": "ana", "accuracy": 1.0, "votes": 9}]}  # fmt: skip
    panel.show_report(report)
    assert why in panel.numbers.text() and "other" not in panel.numbers.text()
    assert panel.people.horizontalHeaderItem(1).text() == "With the majority"
    panel.show_report({**report, "method": "dawidskene", "notes": []})
    assert panel.people.horizontalHeaderItem(1).text() == "Accuracy"
