"""Tiles in order, errors that reach the caller, a cancel that answers at once."""

from __future__ import annotations

import random
import threading
import time

import pytest

from concord.plugin.engine import jobs
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.progress import SILENT, Progress


@pytest.mark.parametrize(
    "text, workers", [("", 1), ("local", 1), (" local ", 1), ("local:1", 1), ("local:12", 12)]
)
def test_executors_are_parsed(text, workers):
    assert jobs.workers_of(text) == workers


@pytest.mark.parametrize(
    "text", ["local:0", "local:-1", "local:two", "dask:tcp://x", "locals", "8"]
)
def test_other_executors_are_refused_in_a_sentence(text):
    with pytest.raises(ConcordError, match=f"executor '{text}' is not available; use local"):
        jobs.workers_of(text)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_answers_come_in_the_order_of_the_items(workers):
    def work(item):
        time.sleep(random.random() / 300)
        return item * item

    found = list(jobs.run_ordered(range(40), work, SILENT, workers))
    assert found == [i * i for i in range(40)]


@pytest.mark.parametrize("items", [[], [1]])
def test_few_items_are_no_special_case(items):
    assert list(jobs.run_ordered(items, lambda i: i, SILENT, 4)) == items


def test_no_more_than_twice_the_workers_are_under_way():
    taken, most = [], 0
    source = iter(range(30))

    def items():
        for item in source:
            taken.append(item)
            yield item

    for done, _ in enumerate(jobs.run_ordered(items(), lambda i: i, SILENT, 3), 1):
        most = max(most, len(taken) - done)
    assert most <= 6


@pytest.mark.parametrize("error", [ValueError("tile 5"), TimeoutError("tile 5")])
def test_an_error_of_the_work_reaches_the_caller(error):
    def work(item):
        if item == 5:
            raise error
        return item

    found = []
    with pytest.raises(type(error), match="tile 5"):
        for answer in jobs.run_ordered(range(20), work, SILENT, 2):
            found.append(answer)
    assert found == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_cancel_is_answered_at_once_although_the_work_is_slow(workers):
    cancelled, stopped, started = threading.Event(), [], []
    release = threading.Event()

    def work(item):
        started.append(item)
        release.wait(10)

    progress = Progress(cancelled=cancelled.is_set)
    threading.Timer(0.2, cancelled.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        list(jobs.run_ordered(range(50), work, progress, workers, lambda: stopped.append(1)))
    assert time.monotonic() - begun < 0.2 + 0.5
    assert stopped == [1]
    count = len(started)
    release.set()
    time.sleep(0.1)
    assert len(started) == count <= workers, "waiting items must not start after a cancel"


def test_an_error_is_told_although_other_work_is_slow():
    release = threading.Event()

    def work(item):
        if item:
            release.wait(10)
        else:
            raise ValueError

    begun = time.monotonic()
    with pytest.raises(ValueError):
        list(jobs.run_ordered(range(4), work, SILENT, 2))
    assert time.monotonic() - begun < 0.5
    release.set()


def test_a_caller_that_stops_listening_ends_the_work():
    started, stopped = [], []

    def work(item):
        started.append(item)
        time.sleep(0.01)

    answers = jobs.run_ordered(range(1000), work, SILENT, 1, lambda: stopped.append(1))
    next(answers)
    answers.close()
    count = len(started)
    time.sleep(0.1)
    assert stopped == [1] and len(started) <= count + 1


def test_progress_fills_its_part_and_tells_the_rate():
    seen = []
    whole = Progress(lambda percent, text: seen.append((percent, text)))
    part = whole.part(50, 100).part(0, 50)
    part._started -= 2.0
    part.report(0, 4, "a")
    part.report(2, 4, "b")
    part.report(4, 4, "c")
    part.report(9, 4)
    assert [round(p, 6) for p, _ in seen] == [50, 62.5, 75, 75]
    assert seen[0][1] == "a" and seen[1][1].startswith("b, 1.0 tiles/s")


def test_answered_gives_the_value_the_error_or_the_cancel():
    assert jobs.answered(lambda: 7, SILENT) == 7
    with pytest.raises(ZeroDivisionError):
        jobs.answered(lambda: 1 / 0, SILENT)
    release, begun = threading.Event(), time.monotonic()
    with pytest.raises(Cancelled):
        jobs.answered(lambda: release.wait(10), Progress(cancelled=lambda: True))
    assert time.monotonic() - begun < 0.5
    release.set()
