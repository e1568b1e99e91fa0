"""A Dask cluster on this machine for benchmarks: a scheduler and workers of one thread each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


class Cluster:
    """Use as a context; its processes end with it.

    Args:
        folder: where the scheduler writes its address.
    """

    def __init__(self, folder: Path):
        self._folder, self._workers = folder, []
        file = folder / "scheduler.json"
        self._scheduler = self._part("scheduler", "--host", "127.0.0.1", "--port", "0",
                                     "--no-dashboard", "--scheduler-file", str(file))  # fmt: skip
        while not file.exists():
            time.sleep(0.1)
        self._address = json.loads(file.read_text())["address"]
        self.executor = f"dask:{self._address}"

    def _part(self, *arguments) -> subprocess.Popen:
        unset = ("PYTHONPATH", "QGIS_PLUGINPATH")
        env = {k: v for k, v in os.environ.items() if k not in unset}
        command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=env, cwd=self._folder, stdout=quiet, stderr=quiet)

    def add_worker(self) -> None:
        """Start one more worker and wait until it is known."""
        import distributed

        self._workers.append(
            self._part("worker", self._address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        )
        with distributed.Client(self._address, set_as_default=False) as client:
            client.wait_for_workers(len(self._workers), timeout=60)

    def processor_seconds(self) -> float:
        """What all workers have used so far."""
        import psutil

        times = [psutil.Process(worker.pid).cpu_times() for worker in self._workers]
        return sum(t.user + t.system for t in times)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_) -> None:
        for process in (*self._workers, self._scheduler):
            process.kill()
            process.wait()
