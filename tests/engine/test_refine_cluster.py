"""Refining on a Dask cluster: the same bytes for every engine, resumed after a kill, one cancel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from engine.test_infer_cluster import cluster  # noqa: F401
from engine.test_infer_stitch import crowd
from engine.test_refine_network import coarse, judge  # noqa: F401
from engine.test_refine_whole import scene
from engine.tiny import graph  # noqa: F401

from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.progress import Progress
from concord.plugin.engine.refine import engines, run

pytest.importorskip("distributed")
pytest.importorskip("sklearn")


@pytest.mark.parametrize("engine", sorted(engines.DESCRIPTIONS))
def test_a_cluster_writes_the_same_bytes(tmp_path, cluster, engine):  # noqa: F811
    image, labels, _ = scene(tmp_path)
    made = []
    for number, executor in enumerate(("local", f"dask:{cluster[0]}")):
        target = tmp_path / f"{number}.tif"
        report, _, proposals = run.refine(
            [image], labels, str(target), engine=engine, tile=64, executor=executor,
            reference=labels,
        )  # fmt: skip
        made.append((target.read_bytes(), proposals, report["transitions"], report["held_back"]))
    assert made[0] == made[1] and report["executor"].startswith("dask:tcp://127.0.0.1")


def test_a_model_that_was_asked_here_is_not_asked_by_the_workers(
    coarse, judge, tmp_path, cluster  # noqa: F811
):  # fmt: skip
    image, labels, _ = coarse
    made = []
    for number, executor in enumerate(("local", f"dask:{cluster[0]}")):
        target = tmp_path / f"{number}.tif"
        run.refine([image], labels, str(target), engine="auto", model=str(judge.path),
                   objects=False, tile=64, executor=executor)  # fmt: skip
        made.append(target.read_bytes())
    assert made[0] == made[1]


KILLED = """
    import os, signal, sys
    from concord.plugin.engine.refine import journal, run
    put = journal.Journal.put
    def counted(self, number, arrays):
        put(self, number, arrays)
        if number == 4:
            os.kill(os.getpid(), signal.SIGKILL)
    journal.Journal.put = counted
    run.refine([sys.argv[1]], sys.argv[2], sys.argv[3], engine="felzenszwalb", tile=32,
               executor=sys.argv[4])
"""


def test_what_a_cluster_began_is_ended_here(tmp_path, cluster):  # noqa: F811
    image, labels, _ = scene(tmp_path)
    whole, output = str(tmp_path / "whole.tif"), str(tmp_path / "killed.tif")
    run.refine([image], labels, whole, engine="felzenszwalb", tile=32)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(KILLED), image, labels, output,
               f"dask:{cluster[0]}"]  # fmt: skip
    assert subprocess.run(command, env=env, timeout=120).returncode == -signal.SIGKILL
    values, _, _ = run.refine([image], labels, output, engine="felzenszwalb", tile=32)
    assert values["resumed_tiles"] == 5
    assert open(output, "rb").read() == open(whole, "rb").read()


def test_a_cancel_on_a_cluster_leaves_nothing(tmp_path, cluster):  # noqa: F811
    image, labels, _ = scene(tmp_path)
    asked, moment = threading.Event(), []

    def show(percent, text):
        if percent > 40 and not moment:
            moment.append(time.monotonic())
            asked.set()

    progress, target = Progress(show, asked.is_set), str(tmp_path / "o.tif")
    with pytest.raises(Cancelled):
        run.refine([image], labels, target, engine="mode", tile=16, progress=progress,
                   executor=f"dask:{cluster[0]}")  # fmt: skip
    assert time.monotonic() - moment[0] < 0.5 * crowd()
    assert not (tmp_path / "o.tif").exists() and not (tmp_path / ".o.journal").exists()


def test_no_scheduler_is_a_sentence(tmp_path):
    image, labels, _ = scene(tmp_path)
    with pytest.raises(ConcordError, match="names no scheduler"):
        run.refine([image], labels, str(tmp_path / "o.tif"), engine="mode", executor="dask:")
    with pytest.raises(ConcordError, match="There is no Dask scheduler at"):
        run.refine([image], labels, str(tmp_path / "o.tif"), engine="mode",
                   executor="dask:tcp://127.0.0.1:9")  # fmt: skip
    assert not (tmp_path / ".o.journal").exists()
