"""A run of objects or chips that was killed goes on where it was and gives the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from onnx import helper

from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.infer import runner
from concord.plugin.engine.infer.journal import Answers
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene
from tests.engine.tiny import card_of

_KILLED = """
import os, signal, sys
from concord.plugin.engine.infer import runner
from concord.plugin.engine.infer.session import Model
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.scene import Scene
def show(percent, text):
    if percent > 55:
        os.kill(os.getpid(), signal.SIGKILL)
with Scene([sys.argv[2]]) as scene:
    runner.run(Model(sys.argv[1]), scene, runner.RunWish(sys.argv[3]), Progress(show))
"""


def node(kind, sources, target, **attributes):
    return helper.make_node(kind, sources.split(), [target], **attributes)


def detector(graph, tile=32):
    """The brightest place of a tile is an object of six by six pixels."""
    item = card_of("object-detection", classes=("spot",), halo=8, tile=tile, confidence=0.5)
    nodes = [
        node("ReduceMax", "in0", "m", axes=[1], keepdims=0), node("Flatten", "m", "f"),
        node("ReduceMax", "f", "v", axes=[1], keepdims=1), node("ArgMax", "f", "i", axis=1),
        node("Cast", "i", "p", to=1), node("Div", "p side", "q"), node("Floor", "q", "y0"),
        node("Mul", "y0 side", "y1"), node("Sub", "p y1", "x0"),
        node("Add", "x0 third", "x"), node("Add", "y0 third", "y"),
        node("Mul", "v zero", "z"), node("Add", "z six", "w"),
        node("Concat", "x y w w v", "row", axis=1), node("Unsqueeze", "row two", "out"),
    ]  # fmt: skip
    constants = {"side": np.float32(tile), "third": np.float32(1 / 3), "zero": np.float32(0),
                 "six": np.float32(6), "two": np.array([2])}  # fmt: skip
    return graph(nodes, item, ((1, 3, tile, tile),), (("out", 3),), constants)


def pooled(graph, task):
    kind = {"classes": ("red", "green", "nir"), "activation": "logits"}
    item = card_of(task, halo=None, **(kind if task == "scene-classification" else {}))
    nodes = [node("GlobalAveragePool", "in0", "g"), node("Flatten", "g", "out")]
    return graph(nodes, item, ((1, 3, 32, 32),), (("out", 2),))


@pytest.mark.parametrize("task", ["boxes", "scene-classification", "similarity-search"])
def test_a_killed_run_without_pixels_goes_on_to_the_same_result(graph, image, tmp_path, root, task):
    model = detector(graph) if task == "boxes" else pooled(graph, task)
    path = image(width=300, height=260)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    target = tmp_path / "a" / "o.tif"
    env = {**os.environ, "PYTHONPATH": str(root / ".build" / "plugins")}
    command = [sys.executable, "-c", _KILLED, str(model.path), path, str(target)]
    assert subprocess.run(command, env=env).returncode == -signal.SIGKILL
    kept = tmp_path / "a" / ".o.tif.journal" / "answers.jsonl"
    assert kept.is_file() and not target.exists()
    with open(kept, "a") as lines:
        lines.write("[[0, 0.5")  # a line that the kill cut short
    made = []
    with Scene([path]) as scene:
        for name in ("a", "b"):
            wish = runner.RunWish(str(tmp_path / name / "o.tif"))
            made.append(runner.run_with_objects(Model(str(model.path)), scene, wish))
    (one, objects), (fresh, others) = made
    assert one["resumed_tiles"] > 0.5 * one["tiles"] and fresh["resumed_tiles"] == 0
    assert json.dumps(objects) == json.dumps(others)
    assert target.read_bytes() == (tmp_path / "b" / "o.tif").read_bytes()
    for key in ("classes", "tiles", "labelled"):
        assert one[key] == fresh[key]
    assert not kept.parent.exists() and not (tmp_path / "b" / ".o.tif.journal").exists()


def test_answers_of_another_run_are_not_used(tmp_path):
    one = Answers(str(tmp_path / "o.tif"), "a")
    assert one.resume(9) == []
    assert one.keep([[0, np.float32(0.1), [(1, 2)], (1, 2, 3, 4)]]) == [
        [0, float(np.float32(0.1)), [[1, 2]], [1, 2, 3, 4]]
    ]
    assert len(Answers(str(tmp_path / "o.tif"), "a").resume(9)) == 1
    assert Answers(str(tmp_path / "o.tif"), "b").resume(9) == []
    assert not one.folder.exists()


def test_a_cancel_forgets_and_a_failure_keeps(graph, image, tmp_path):
    model, path = detector(graph), image(width=300, height=260)
    target, asked = tmp_path / "o.tif", []

    def ask():
        asked.append(1)
        return len(asked) > 40

    with Scene([path]) as scene, pytest.raises(Cancelled):
        runner.run(model, scene, runner.RunWish(str(target)), Progress(cancelled=ask))
    assert not (tmp_path / ".o.tif.journal").exists()
    calls, own = [], model.run_all

    def fails(images):
        calls.append(1)
        if len(calls) > 20:
            raise ConcordError("the graph fell over; choose another.")
        return own(images)

    model.run_all = fails
    with Scene([path]) as scene, pytest.raises(ConcordError, match="finished part is kept"):
        runner.run(model, scene, runner.RunWish(str(target)))
    model.run_all = own
    with Scene([path]) as scene:
        report = runner.run(model, scene, runner.RunWish(str(target)))
    assert 10 < report["resumed_tiles"] <= 20
