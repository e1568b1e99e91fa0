"""A scheduler and two workers on loopback: same bytes, a dying worker, errors and a cancel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from engine.test_infer_stitch import crowd, image, item_of, run, write_model  # noqa: F401

from concord.plugin.engine import jobs, packages, rasters
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.progress import Progress

distributed = pytest.importorskip("distributed")


def start(*arguments, folder):
    """A part of a cluster in a process of its own, which knows nothing of the plugin."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "QGIS_PLUGINPATH")}
    env.update(OMP_NUM_THREADS="1", DASK_DISTRIBUTED__WORKER__DAEMON="False")
    with open(folder / f"{arguments[0]}.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=log,
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """(address, [worker processes], a function that starts one more)."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                      "--scheduler-file", str(file), folder=folder)  # fmt: skip
    end = time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.1)
    address = __import__("json").loads(file.read_text())["address"]
    workers = []

    def worker():
        workers.append(start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                             "--local-directory", str(folder), folder=folder))  # fmt: skip
        with distributed.Client(address, set_as_default=False) as client:
            alive = sum(process.poll() is None for process in workers)
            client.wait_for_workers(alive, timeout=60)

    worker(), worker()
    yield address, workers, worker
    for process in [*workers, scheduler]:
        process.kill()
        process.wait()


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_same_bytes_as_here(tmp_path, image, cluster, blend):  # noqa: F811
    model, path = write_model(tmp_path, item_of()), image()
    made = []
    for executor in ("local", f"dask:{cluster[0]}"):
        report = run(model, path, tmp_path / "o.tif", executor=executor, blend=blend,
                     probabilities=str(tmp_path / "p.tif"))  # fmt: skip
        made.append(((tmp_path / "o.tif").read_bytes(), (tmp_path / "p.tif").read_bytes()))
    assert made[0] == made[1] and report["executor"].startswith("dask:tcp://127.0.0.1")


def test_a_worker_that_dies_is_replaced_by_the_other(tmp_path, image, cluster):  # noqa: F811
    address, workers, more = cluster
    model, path = write_model(tmp_path, item_of(), slow=40), image()
    run(model, path, tmp_path / "a.tif")

    def show(percent, text):
        if percent > 30 and workers[0].poll() is None:
            os.kill(workers[0].pid, signal.SIGKILL)

    run(model, path, tmp_path / "b.tif", Progress(show), executor=f"dask:{address}")
    assert workers[0].wait(10) == -signal.SIGKILL
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    del workers[0]
    more()


def test_a_cancel_answers_at_once(tmp_path, image, cluster):  # noqa: F811
    model, path = write_model(tmp_path, item_of(tile=512), slow=200), image(1200, 900)
    asked, moment = threading.Event(), []

    def ask():
        moment.append(time.monotonic())
        asked.set()

    threading.Timer(1.5, ask).start()
    with pytest.raises(Cancelled):
        run(model, path, tmp_path / "o.tif", Progress(cancelled=asked.is_set),
            executor=f"dask:{cluster[0]}")  # fmt: skip
    assert time.monotonic() - moment[0] < 0.5 * crowd()
    assert not (tmp_path / "o.tif").exists()


def test_one_blocked_callback_of_distributed_kept_every_later_run_waiting(cluster):
    """It has one thread a process for them; the answer of a client that was left hung there."""
    import distributed

    from concord.plugin.engine.infer.cluster import _Answer, _leave

    gate, met = threading.Event(), threading.Event()
    left = distributed.Client(cluster[0], timeout="10s", set_as_default=False)
    stuck = left.submit(pow, 2, 2, pure=False)
    stuck.add_done_callback(lambda _future: (met.set(), gate.wait(60)))
    again = distributed.Client(cluster[0], timeout="10s", set_as_default=False)
    try:
        assert met.wait(20)
        answer = _Answer(again, again.submit(pow, 2, 3, pure=False))
        assert answer.wait(20) and answer.result() == 8
    finally:
        gate.set()
        _leave(left, [stuck])
        again.close()


def test_an_error_of_a_worker_is_the_same_sentence(tmp_path, image, cluster):  # noqa: F811
    item = item_of()
    item["properties"]["mlm:output"][0]["classification:classes"].pop()
    model, path = write_model(tmp_path, item), image()
    with pytest.raises(ConcordError, match="answers 4 classes but its card names 3"):
        run(model, path, tmp_path / "o.tif", executor=f"dask:{cluster[0]}")
    values = rasters.read(path)
    assert np.isfinite(values).all()


def test_no_scheduler_no_package_no_address(tmp_path, image, monkeypatch):  # noqa: F811
    model, path = write_model(tmp_path, item_of()), image()
    monkeypatch.setattr(packages, "missing", lambda *names: list(names))
    with pytest.raises(ConcordError, match="needs the Python package distributed"):
        run(model, path, tmp_path / "o.tif", executor="dask:tcp://127.0.0.1:1")
    with pytest.raises(ConcordError, match="names no scheduler"):
        jobs.address_of("dask:")
    assert jobs.threads_of("dask:tcp://x:1") == 1 and jobs.threads_of("local:3") == 3


def test_a_gate_of_pixels_looks_on_the_cluster_as_well(tmp_path, image, cluster):  # noqa: F811
    """Which pixels have data once did not travel with answers that are cropped."""
    from concord.plugin.engine.infer.gate import Gate
    from concord.plugin.engine.infer.session import Model

    model = write_model(tmp_path, item_of())
    path = image(300, 260, hole=(slice(20, 90), slice(30, 70)))
    made = []
    for executor in ("local", f"dask:{cluster[0]}"):
        opened = Model(model)
        gate = Gate(opened, (opened.card.classes[0].name,), 0.1)
        report = run(model, path, tmp_path / "o.tif", executor=executor, gate=gate)
        made.append((report["gate"]["left_out"], (tmp_path / "o.tif").read_bytes()))
    assert made[0] == made[1]
