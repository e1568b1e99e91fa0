"""Tiles of a refinement done by a Dask worker, from plain values alone.

A worker prepares the engine itself, once: what was cut or asked for the whole map lies in the
journal's folder, and what is learnt comes out the same from the same seed. Workers need
scikit-image, scipy and scikit-learn in the versions used here, and see image, map, reference and
the output's folder under the same paths.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Tile, Window
from ..progress import SILENT

_lock = threading.Lock()
_jobs: dict = {}  # one run at a time; an older one is dropped


def spec_of(wish, folder: Path, judge) -> dict:
    """What a worker needs to make the same job.

    Args:
        wish: a ``desk.Wish``. folder: the journal's.
        judge: the ``Network`` that was asked, or None.
    """
    asked = None
    if judge is not None:
        asked = {"path": str(judge.path), "table": judge.table.tolist(), "title": judge.title,
                 "codes": [int(code) for code in judge.codes]}  # fmt: skip
    return {"wish": asdict(replace(wish, executor="local")), "folder": str(folder), "asked": asked}


def _built(spec: dict):
    from .desk import Desk, Wish
    from .engines import engine_of
    from .network import Network
    from .run import Job

    # Opened for as long as the worker has this job.
    wish, folder = Wish(**spec["wish"]), Path(spec["folder"])
    desk = Desk(wish, contextlib.ExitStack(), SILENT)
    asked = spec["asked"]
    judge = None
    if asked:
        table = np.array(asked["table"], np.float32)
        judge = Network.of_answers(Path(asked["path"]), table, asked["codes"], asked["title"])
    metres = rasters.metres_per_pixel(desk.grid)
    engine = engine_of(wish.engine, metres, wish.scale, folder, desk.examples, judge)
    engine.prepare(desk.source, SILENT)
    return Job(desk.source, engine, desk.guards(wish), desk.grid, desk.truth)


def answer(key: str, spec: dict, blob: bytes, tile) -> tuple:
    """("done", arrays of the tile) or ("error", text); ``tile`` is core and window as numbers."""
    from .run import answer as answered

    try:
        with _lock:
            if key not in _jobs:
                _jobs.clear()
                _jobs[key] = _built(spec)
            job = _jobs[key]
        return "done", answered(job, Tile(Window(*tile[0]), Window(*tile[1])))
    except ConcordError as error:
        return "error", str(error)
    except ImportError as error:
        return "error", f"A worker of the cluster lacks a package ({error}); install it there."
