"""Runs in the background: good ends, one-sentence failures, cancel."""

from __future__ import annotations

import time

import pytest

from concord.plugin.gui import runner as module
from concord.plugin.gui.runner import Runner


@pytest.fixture
def run(scripted, qtbot):
    def start(name, parameters=None, runner=None, wait=True):
        outcomes = []
        runner = runner or Runner()
        runner.start(f"scripted:{name}", parameters or {}, outcomes.append)
        if wait:
            qtbot.waitUntil(lambda: bool(outcomes), timeout=5000)
        return outcomes

    return start


def test_good_run_gives_results(run):
    (outcome,) = run("good", {"N": 4})
    assert outcome.ok and outcome.results["N"] == 4 and not outcome.message


def test_progress_and_text_reach_the_main_thread(run, qtbot):
    runner, seen = Runner(), []
    runner.progressed.connect(lambda percent, text: seen.append((percent, text)))
    run("good", runner=runner)
    qtbot.waitUntil(lambda: (50.0, "halfway") in seen, timeout=2000)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bad", "a.tif is truncated; download it again."),
        ("broken", "no such thing"),
        ("refusing", "The extent is empty; draw one."),
        ("checking", "N must be even; choose another."),
        ("lacking", "This needs the Python package thing; install it."),
    ],
)
def test_failure_is_one_sentence(run, name, sentence):
    (outcome,) = run(name)
    assert not outcome.ok and not outcome.cancelled
    assert outcome.message == sentence


def test_unknown_algorithm(run):
    (outcome,) = run("nothing")
    assert "scripted:nothing" in outcome.message


def test_cancel_ends_within_half_a_second(run, qtbot):
    runner = Runner()
    outcomes = run("slow", runner=runner, wait=False)
    qtbot.wait(50)
    began = time.monotonic()
    runner.cancel()
    qtbot.waitUntil(lambda: bool(outcomes), timeout=2000)
    assert time.monotonic() - began < 0.5
    assert outcomes[0].cancelled and not outcomes[0].ok and not runner.busy


def test_one_run_at_a_time(run, qtbot):
    runner = Runner()
    first = run("slow", runner=runner, wait=False)
    assert runner.busy
    assert runner.start("scripted:good", {}, lambda outcome: None) is False
    runner.cancel()
    qtbot.waitUntil(lambda: bool(first), timeout=2000)


def test_released_runner_calls_nobody_and_leaves_nothing(run, qtbot):
    runner = Runner()
    outcomes = run("slow", runner=runner, wait=False)
    runner.release()
    qtbot.waitUntil(lambda: not module._running, timeout=2000)
    assert outcomes == []


def test_time_left():
    assert module.time_left(50, 10) == "about 10 s left"
    assert module.time_left(10, 60) == "about 9 min left"
    assert module.time_left(1, 60) == ""


def test_sentence_of_a_traceback():
    assert module.sentence(["Traceback (most recent call last):\n x\nValueError: odd"]) == "odd"
    assert module.sentence(["first", "  "]) == "first"


def test_a_panel_may_die_while_its_run_goes_on(scripted, provider, qgis_iface, qtbot):
    from qgis.PyQt.QtCore import QCoreApplication, QEvent

    from concord.plugin.gui.refine import RefinePanel

    panel = RefinePanel(qgis_iface)
    panel.launch("scripted:slow", {}, lambda outcome: None)
    qtbot.wait(30)
    panel.release()
    panel.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    del panel
    qtbot.waitUntil(lambda: not module._running, timeout=2000)


def test_layers_become_ids(image):
    from qgis.core import QgsProcessingContext, QgsProject, QgsVectorLayer

    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    loose = QgsVectorLayer("Point", "loose", "memory")
    key = loose.id()
    assert module.plain({"A": [image], "B": loose, "C": 3}, context) == {
        "A": [image.id()], "B": key, "C": 3,
    }  # fmt: skip
    assert context.temporaryLayerStore().mapLayer(key) is not None
