"""Independent tiles handed to an executor, results back in order, with cancel.

rasterio and onnxruntime release the GIL, so the local executor is a thread pool. Results come in
the order of the tiles whatever the number of threads, so a run writes the same bytes.
"""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from typing import Callable

from .errors import ConcordError
from .progress import Progress

_POLL = 0.1  # seconds between looks at the cancel button


def workers_of(executor: str) -> int:
    """The number of local threads that an executor text asks for.

    ``local`` is one thread, ``local:4`` is four.
    """
    match = re.fullmatch(r"local(?::(\d+))?", (executor or "local").strip())
    if match is None or match.group(1) == "0":
        raise ConcordError(
            f"The executor '{executor}' is not available; use local or local:4 for four threads."
        )
    return int(match.group(1) or 1)


def run_ordered(
    items,
    work: Callable,
    progress: Progress,
    workers: int = 1,
    stop: Callable[[], None] | None = None,
):
    """Yield ``work(item)`` for every item, in order, with at most ``2 * workers`` under way.

    Args:
        stop: called once when the caller stops early, to end work that is under way. Such work
            is not waited for: it ends by itself, unheard.
    """
    pool = ThreadPoolExecutor(workers)
    under_way: deque = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= 2 * workers:
                yield _wait(under_way.popleft(), progress)
        while under_way:
            yield _wait(under_way.popleft(), progress)
    except BaseException:
        if stop is not None:
            stop()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def answered(work: Callable, progress: Progress):
    """``work()`` in a thread of its own, so that a cancel is answered while it computes.

    A cancelled ``work`` ends by itself and unheard; it must touch nothing but values.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return _wait(pool.submit(work), progress)
    finally:
        pool.shutdown(wait=False)


def _wait(future, progress: Progress):
    while True:
        progress.check()
        try:
            return future.result(timeout=_POLL)
        except TimeoutError:
            if future.done():  # the work itself raised a TimeoutError
                raise
