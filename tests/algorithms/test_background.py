"""Runs in the background and cancels, on rasters large enough to take a while."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from algorithms import makers
from algorithms.sentences import one_sentence
from qgis.core import (
    QgsApplication,
    QgsGeometry,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsVectorFileWriter,
)
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

TICK = 0.010
LATEST = 0.100
TRIES = 3  # the machine itself may hold a tick or an answer back
SIDE = 1200


def big_grid(side: int) -> Grid:
    return Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), side, side)


def speckled(codes, grid, path, seed):
    return makers.labels(path, makers.noisy(codes, 0.005, seed), grid)


@pytest.fixture(scope="session")
def big(tmp_path_factory) -> dict:
    """A large image of bytes with a scale, a speckled map, three people and many clicks."""
    folder = tmp_path_factory.mktemp("big")
    grid = big_grid(SIDE)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    # A quilt of small fields, so that there is much to outline.
    codes = (1 + (rows // 37 * 7 + cols // 41 * 3) % 4).astype(np.uint8)
    image = str(folder / "image.tif")
    rasters.write(
        image, np.clip(makers.reflectance(codes) / 0.002, 1, 255).astype(np.uint8), grid,
        names=list(makers.BANDS), units=["reflectance"] * 4, scales=[(0.002, 0.0)] * 4, nodata=0,
    )  # fmt: skip
    spots = [(i + 1, 100 + 300 * (i % 4), 100 + 300 * (i // 4), 1) for i in range(16)]
    points = [
        (QgsGeometry.fromPointXY(makers.xy(c, r, grid=grid)), (n, label))
        for n, c, r, label in spots
    ]
    prompts = makers.vector("Point", points)
    QgsVectorFileWriter.writeAsVectorFormatV2(
        prompts, str(folder / "prompts.gpkg"), prompts.transformContext(),
        QgsVectorFileWriter.SaveVectorOptions(),
    )  # fmt: skip
    return {
        "image": image,
        "labels": speckled(codes, grid, folder / "labels.tif", 1),
        "people": [speckled(codes, grid, folder / f"p{n}.tif", n) for n in range(3)],
        "prompts": str(folder / "prompts.gpkg"),
    }


def parameters_of(name: str, big: dict, out) -> dict:
    target = {n: str(out / n) for n in ("a.tif", "b.tif", "c.gpkg", "chips")}
    return {
        "loadscene": {"INPUT": big["image"], "DERIVED": "ndvi;ndwi", "OUTPUT": target["a.tif"]},
        "segmentprompts": {"IMAGE": big["image"], "PROMPTS": big["prompts"],
                           "OUTPUT": target["c.gpkg"]},
        "runmodel": {"INPUT": big["image"], "MODEL": "concord-spectral",
                     "OUTPUT": target["a.tif"], "POLYGONS": target["c.gpkg"]},
        "refinelabels": {"IMAGE": big["image"], "LABELS": big["labels"],
                         "OUTPUT": target["a.tif"], "PROPOSALS": target["c.gpkg"]},
        "consensus": {"ANNOTATIONS": big["people"], "OUTPUT": target["a.tif"],
                      "AGREEMENT": target["b.tif"]},
        "exportchips": {"IMAGERY": big["image"], "LABELS": big["labels"], "CHIP_SIZE": 80,
                        "LICENCE": "CC0-1.0", "OUTPUT": target["chips"]},
        "samplescene": {"SIZE": 640, "OUTPUT": target["chips"]},
    }[name]  # fmt: skip


NAMES = ("loadscene", "segmentprompts", "runmodel", "refinelabels", "consensus", "exportchips",
         "samplescene")  # fmt: skip


class Clock:
    """Ticks on the main thread and remembers by how much the latest tick came late."""

    def __init__(self):
        self.late, self._last = 0.0, time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(int(TICK * 1000))

    def _tick(self):
        now = time.perf_counter()
        self.late, self._last = max(self.late, now - self._last - TICK), now

    def stop(self):
        self._timer.stop()


def in_background(name: str, parameters: dict) -> tuple:
    """(succeeded, results, the latest tick in seconds) of a run beside a living event loop."""
    algorithm = QgsApplication.processingRegistry().algorithmById(f"concord:{name}").create()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(QgsProject.instance())
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    loop, ended = QEventLoop(), []
    task.executed.connect(lambda ok, results: (ended.append((ok, results)), loop.quit()))
    clock = Clock()
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(60_000, loop.quit)
    loop.exec()
    clock.stop()
    assert ended, f"{name} did not end within a minute"
    return (*ended[0], clock.late)


@pytest.mark.parametrize("name", NAMES)
def test_the_main_thread_stays_alive(provider, big, tmp_path, name):
    tries = []
    for number in range(TRIES):
        out = tmp_path / str(number)
        out.mkdir()
        done, results, late = in_background(name, parameters_of(name, big, out))
        assert done and results, results
        tries.append(late)
        if late <= LATEST:
            return
    pytest.fail(f"{name} held the main thread for {min(tries) * 1000:.0f} ms")


class Stopper:
    """Cancels a feedback in the midst of a run, from a thread of its own."""

    def __init__(self, feedback, seconds: float = 0.0, percent: float = 0.0):
        self.asked = None
        self._feedback, self._percent = feedback, percent
        self._timer = threading.Timer(seconds or 0.01, self._ask)
        if percent:
            feedback.progressChanged.connect(self._look)
        else:
            self._timer.start()

    def _look(self, percent: float):
        if percent >= self._percent and self.asked is None and not self._timer.is_alive():
            self._timer.start()
            self._feedback.progressChanged.disconnect(self._look)

    def _ask(self):
        self.asked = time.perf_counter()
        self._feedback.cancel()


# Where a cancel falls into the midst of the work; by time where one step is long.
MOMENTS = {
    "loadscene": {"percent": 20},
    "segmentprompts": {"percent": 20},
    "runmodel": {"percent": 30},
    "refinelabels": {"seconds": 0.6},
    "consensus": {"percent": 10},
    "exportchips": {"percent": 40},
    "samplescene": {"seconds": 0.4},
}


def cancelled_run(provider, parameters: dict, name: str, feedback) -> None:
    """Run an algorithm on this thread; it must not succeed."""
    algorithm = provider.algorithm(name).create()
    _, done = algorithm.run(parameters, QgsProcessingContext(), feedback)
    assert not done, f"{name} ended before it was cancelled"


@pytest.mark.parametrize("name", NAMES)
def test_a_cancel_stops_within_half_a_second_and_leaves_nothing(provider, big, tmp_path, name):
    waits = []
    for number in range(TRIES):
        out = tmp_path / str(number)
        out.mkdir()
        (out / "a.tif").write_bytes(b"precious")
        feedback = QgsProcessingFeedback(False)
        stopper = Stopper(feedback, **MOMENTS[name])
        cancelled_run(provider, parameters_of(name, big, out), name, feedback)
        waits.append(time.perf_counter() - stopper.asked)
        assert [(p.name, p.read_bytes()) for p in out.iterdir()] == [("a.tif", b"precious")]
        if waits[-1] < 0.5:
            return
    pytest.fail(f"{name} went on for {min(waits):.2f} s")


@pytest.mark.parametrize("name", ["runmodel", "refinelabels"])
def test_a_cancel_while_polygons_are_written(provider, big, tmp_path, monkeypatch, name):
    """The old polygons stay, no half of the new ones, and no map without its polygons."""
    from concord.plugin.algorithms import sinks

    fill, waits = sinks._fill, []
    for number in range(TRIES):
        out = tmp_path / str(number)
        out.mkdir()
        (out / "c.gpkg").write_bytes(b"precious")
        feedback, asked = QgsProcessingFeedback(False), []

        def midway(rows, feedback=feedback, asked=asked):
            for count, row in enumerate(rows):
                if count == 20:
                    asked.append(time.perf_counter())
                    feedback.cancel()
                yield row

        monkeypatch.setattr(
            sinks, "_fill", lambda *given, m=midway: fill(*given[:-1], m(given[-1]))
        )
        parameters = {**parameters_of(name, big, out), "ENGINE": "mode"}
        cancelled_run(provider, parameters, name, feedback)
        waits.append(time.perf_counter() - asked[0])
        assert (out / "c.gpkg").read_bytes() == b"precious"
        assert [path.name for path in out.iterdir()] == ["c.gpkg"], "the finished map was left"
        if waits[-1] < 0.5:
            return
    pytest.fail(f"{name} went on for {min(waits):.2f} s")


def test_a_failure_in_the_background_is_one_sentence(provider, tmp_path):
    algorithm = provider.algorithm("loadscene").create()
    said = []

    class Listening(QgsProcessingFeedback):
        def reportError(self, text, fatal=False):
            said.append(text)

    feedback, context = Listening(False), QgsProcessingContext()  # the task keeps bare pointers
    task = QgsProcessingAlgRunnerTask(
        algorithm, {"INPUT": str(tmp_path / "gone.tif"), "OUTPUT": str(tmp_path / "o.tif")},
        context, feedback,
    )  # fmt: skip
    loop = QEventLoop()
    task.executed.connect(lambda *_: loop.quit())
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(10_000, loop.quit)
    loop.exec()
    assert len(said) == 1 and "gone.tif" in said[0]
    one_sentence(said[0])
