"""What the bundled raster models cost on a processor: megapixels a second, network alone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from .clock import pause

SIDE = 1024


def _seconds(model, planes: list, least: int = 3) -> float:
    best = float("inf")
    for _ in range(least):
        start = time.perf_counter()
        model.run_all(planes)
        best = min(best, time.perf_counter() - start)
    return best


def bench_bundled_models(folder: Path) -> dict:
    """Each network on one image, two threads; the limit of land cover at 10 m is 1 Mpx/s."""
    from concord.plugin.engine.infer import session

    busy = os.getloadavg()[0] > (os.cpu_count() or 1) - 0.5
    figures: dict = {}
    for name in ("concord-landcover-s2", "concord-landcover-aerial", "concord-buildings"):
        with pause():
            model = session.Model(name, threads=2)
            rng = np.random.default_rng(0)
            shapes = [(len(entry.bands), SIDE, SIDE) for entry in model.card.inputs]
            planes = [rng.random(shape, np.float32) * 0.4 for shape in shapes]
        speed = SIDE * SIDE / _seconds(model, planes) / 1e6
        figures[f"mpx_per_second_{name[8:]}"] = round(speed, 2)
    if busy:
        return {**figures, "not_judged": "the machine was busy"}
    if figures["mpx_per_second_landcover-s2"] < 1:
        raise SystemExit(f"land cover at 10 m is slower than 1 Mpx/s; {figures}")
    return figures
