"""The far end of the cluster executor: tiles done in a worker from plain values alone.

This module runs inside the copy of the engine that ``cluster`` ships to the workers, so nothing
here may be an object of the sender's own package.
"""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import asdict

from ..errors import ConcordError
from ..grid import Grid, Tile, Window
from ..scene import Scene
from . import card as cards
from .session import Model
from .work import Task, TileRunner

_lock = threading.Lock()
_runners: dict = {}  # one run at a time; an older one is dropped


def spec_of(runner: TileRunner) -> dict:
    """What a worker needs to build the same ``TileRunner``; the model's bytes go beside it."""
    grid = runner.grid
    return {
        "name": runner.model.path.name,
        "card": cards.as_values(runner.model.card),
        "grid": [grid.crs, list(grid.transform), grid.width, grid.height],
        "scenes": [
            {
                "paths": list(dict.fromkeys(s.path for s in scene.sources.values())),
                "corrections": scene.corrections,
            }
            for scene in runner.scenes
        ],
        "mask": list(runner.mask),
        "task": asdict(runner.task),
        "fills": [[band, date, value] for (band, date), value in sorted(runner.fills.items())],
    }


def _built(spec: dict, model: bytes) -> TileRunner:
    folder = tempfile.mkdtemp(prefix="concord-model-")
    path = os.path.join(folder, spec["name"])
    with open(path, "wb") as file:
        file.write(model)
    crs, transform, width, height = spec["grid"]
    grid = Grid(crs, tuple(transform), width, height)
    scenes = []
    for one in spec["scenes"]:
        scene = Scene(one["paths"], grid)
        scene.correct(one["corrections"])
        scenes.append(scene)
    task = dict(spec["task"])
    task["asked"] = tuple(task["asked"])
    return TileRunner(
        Model(path, card=cards.from_values(spec["card"])), scenes, tuple(spec["mask"]),
        Task(**task), {(band, date): value for band, date, value in spec["fills"]}, 256,
    )  # fmt: skip


def answer(key: str, spec: dict, model: bytes, tile) -> tuple:
    """("done", answer, keep) of a tile (core and window as four numbers each), or ("error", text).

    Objects come as [class number, score, outline, box].
    """
    try:
        with _lock:
            if key not in _runners:
                _runners.clear()
                _runners[key] = _built(spec, model)
            runner = _runners[key]
        found, keep = runner(Tile(Window(*tile[0]), Window(*tile[1])))
    except ConcordError as error:
        return "error", str(error)
    if runner.adapter.family == "objects" and found is not None:
        found = [(one.place, one.score, one.outline, one.box) for one in found]
    # What has data is asked for where tiles are blended; else a megabyte a tile travels in vain.
    return "done", found, keep if runner.task.blended else None
