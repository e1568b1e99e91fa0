"""Tiles on a Dask cluster: engine and model are shipped, images are read by the workers.

The workers need numpy, onnxruntime, rasterio and scipy, and see the images under the same paths.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import threading
import time
import zipfile
from collections import deque
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import jobs, packages
from ..errors import ConcordError
from ..progress import Progress
from . import remote

ROOT = Path(__file__).resolve().parents[3]
_POLL = 0.1  # seconds between looks at the cancel button
_LOOK = 5.0  # seconds between looks at the workers while a tile is waited for
_PATIENCE = 60.0  # seconds without any worker before a run gives up
_AHEAD = 3  # tiles under way for each thread of the cluster


@dataclass(frozen=True)
class Errand:
    """Tiles of something else than a model's run.

    Args:
        module: below ``plugin.engine``; its ``answer(key, spec, blob, tile)`` gives ("done",
            answer) or ("error", text), where ``tile`` is core and window as four numbers each.
        spec: plain values that every tile needs; blob: bytes that every tile needs.
    """

    module: str
    spec: dict
    blob: bytes


def archive() -> bytes:
    """The engine and its resources as a zip; the same bytes for the same files."""
    made = io.BytesIO()
    paths = sorted((ROOT / "plugin" / "engine").rglob("*.py"))
    paths += sorted((ROOT / "resources" / "sensors").glob("*.json"))
    paths += sorted((ROOT / "resources" / "taxonomies").glob("*.json"))
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("__init__.py", "plugin/__init__.py"):
            file.writestr(zipfile.ZipInfo(name), "")
        for path in paths:
            file.writestr(zipfile.ZipInfo(path.relative_to(ROOT).as_posix()), path.read_bytes())
    return made.getvalue()


def _shipped():
    """The task of one tile. A function inside a function is sent as code, not by its name."""

    def run_tile(engine, tag, key, module, spec, blob, tile):
        import importlib
        import io
        import os
        import shutil
        import sys
        import tempfile
        import zipfile

        name = f"concord_engine_{tag}"
        home = os.path.join(tempfile.gettempdir(), f"concord-{tag}-{os.getpid()}")
        if not os.path.isdir(home):
            partial = tempfile.mkdtemp(prefix="concord-")
            with zipfile.ZipFile(io.BytesIO(engine)) as file:
                file.extractall(os.path.join(partial, name))
            try:
                os.rename(partial, home)
            except OSError:  # another thread was first
                shutil.rmtree(partial, ignore_errors=True)
        if home not in sys.path:
            sys.path.append(home)
            importlib.invalidate_caches()
        try:
            far = importlib.import_module(f"{name}.plugin.engine.{module}")
        except ImportError as error:
            return "error", f"A worker of the cluster lacks a package ({error}); install it there."
        return far.answer(key, spec, blob, tile)

    return run_tile


def _kept(content):
    """Identity, as code: the scheduler can make the bytes again when a worker dies."""

    def same(value):
        return value

    return same, content


def run_ordered(address: str, work, tiles, progress: Progress):
    """Yield (answer, keep) of every tile, in order, as ``jobs.run_ordered`` does.

    Raises:
        ConcordError: no package, no scheduler, no worker, or a tile that fails.
    """
    absent = packages.missing("distributed")
    if absent:
        raise ConcordError(packages.sentence(absent))
    client = _reached(address, progress)
    under_way: deque = deque()
    try:
        submit = jobs.answered(lambda: _submitter(client, work), progress)
        threads = jobs.answered(lambda: _threads(client, address), progress)
        ahead = max(2, _AHEAD * threads)
        for tile in tiles:
            under_way.append(_Answer(client, submit(tile)))
            if len(under_way) >= ahead:
                yield _opened(_wait(client, under_way.popleft(), progress), work)
        while under_way:
            yield _opened(_wait(client, under_way.popleft(), progress), work)
    finally:
        _leave(client, [answer.future for answer in under_way])


class _Answer:
    """A tile's answer, fetched from its worker as soon as it is there.

    Waiting on the future itself with a time-out, again and again, costs time, and when a time-out
    meets the answer distributed (2024.8) raises an UnboundLocalError of its own. Its callbacks
    share one thread a process, which one answer of a client that was left would block for ever;
    so the client's own loop fetches, and what is pending ends with it.
    """

    def __init__(self, client, future):
        self.future = future
        self._value = asyncio.run_coroutine_threadsafe(_fetched(future), client.loop.asyncio_loop)

    def wait(self, seconds: float) -> bool:
        return bool(wait([self._value], seconds).done)

    def result(self):
        return self._value.result()


async def _fetched(future):
    return await future


def _reached(address: str, progress: Progress):
    """A client, looked for in a thread, because a slow scheduler must not hold up a cancel."""
    left = threading.Event()

    def connect():
        client = _connected(address)
        if left.is_set():
            _leave(client, [])
        return client

    try:
        return jobs.answered(connect, progress)
    except BaseException:
        left.set()
        raise


def _connected(address: str):
    import distributed

    try:
        return distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ConcordError(
            f"There is no Dask scheduler at {address}; start one with 'dask scheduler' and check "
            "the address."
        ) from error


def _threads(client, address: str) -> int:
    workers = client.scheduler_info()["workers"]
    if not workers:
        raise ConcordError(
            f"The Dask scheduler at {address} has no workers; start one with 'dask worker "
            f"{address}'."
        )
    return sum(worker["nthreads"] for worker in workers.values())


def _submitter(client, work):
    """A function from a tile to its future; what all tiles share is sent once."""
    engine, errand = archive(), work
    if not isinstance(work, Errand):
        blob = Path(work.model.path).read_bytes()
        errand = Errand("infer.remote", remote.spec_of(work), blob)
    spec, blob = errand.spec, errand.blob
    tag = hashlib.sha256(engine).hexdigest()[:12]
    text = json.dumps([spec, hashlib.sha256(blob).hexdigest()], sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()
    shared = [
        client.submit(*_kept(content), key=f"concord-{name}-{tag}-{key[:12]}", pure=True)
        for name, content in (("engine", engine), ("spec", spec), ("blob", blob))
    ]
    run_tile = _shipped()

    def submit(tile):
        numbers = tuple((w.col, w.row, w.width, w.height) for w in (tile.core, tile.window))
        return client.submit(
            run_tile, shared[0], tag, key, errand.module, *shared[1:], numbers, pure=False
        )

    return submit


def _wait(client, answer: _Answer, progress: Progress):
    import distributed

    alone, looked = None, time.monotonic()
    while not answer.wait(_POLL):
        progress.check()
        if time.monotonic() - looked < _LOOK:
            continue
        looked = time.monotonic()
        info = jobs.answered(client.scheduler_info, progress)
        alone = None if info["workers"] else alone or looked
        if alone and looked - alone > _PATIENCE:
            raise ConcordError(
                "The Dask cluster has lost all of its workers; start one and run again."
            )
    progress.check()
    try:
        return answer.result()
    except distributed.CancelledError as error:
        raise ConcordError("The Dask cluster was closed; start it and run again.") from error
    except distributed.scheduler.KilledWorker as error:
        raise ConcordError(
            "The workers of the cluster die on this model, mostly for want of memory; give "
            "them more or use a smaller tile."
        ) from error


def _opened(answered: tuple, work) -> tuple:
    if answered[0] == "error":
        raise ConcordError(answered[1])
    if isinstance(work, Errand):
        return answered[1]
    _, found, keep = answered
    if isinstance(keep, tuple):
        keep = np.ones(keep, bool)
    if work.adapter.family == "objects" and found is not None:
        from .tasks.boxes import Found

        found = [Found(*one) for one in found]
    return found, keep


def _leave(client, futures: list) -> None:
    """Give up what is under way and close, without keeping the caller waiting."""

    def close():
        with contextlib.suppress(Exception):  # the cluster may be gone already
            if futures:
                client.cancel(futures, force=True)
            client.close(timeout=2)

    threading.Thread(target=close, daemon=True).start()
