"""Refinement of large maps: workers of a cluster, and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from .clock import pause


def _mosaic(folder: Path, side: int) -> tuple:
    """(image, map) of ``side`` pixels: chips of chesapeake turned at random, eight classes with
    confusion."""
    from concord.plugin.engine import rasters
    from concord.plugin.engine.grid import Grid

    from .noises import lay
    from .refine_scenes import chesapeake

    chips, rng = chesapeake(), np.random.default_rng(0)
    place = Grid("EPSG:32618", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), side, side)
    image, labels = str(folder / "image.tif"), str(folder / "map.tif")
    described = {"names": ["red", "green", "blue", "nir"], "units": ["DN"] * 4}

    def turned(plane):
        which, turns = chosen
        rows = [
            [np.rot90(chips[which[i, j]][plane], turns[i, j], (-2, -1)) for j in range(4)]
            for i in range(4)
        ]
        return np.block(rows)

    with rasters.Writer(image, place, 4, "uint8", **described) as pictures:
        with rasters.Writer(labels, place, 1, "uint8", nodata=0) as maps:
            for tile in place.tiles(1024):
                chosen = rng.integers(0, len(chips), (4, 4)), rng.integers(0, 4, (4, 4))
                seen = turned(0).astype(np.float32)
                seen = np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8)
                half = np.arange(1024)[:, None] // 512
                cover = lay((turned(2) % 4 + 1 + 4 * half).astype(np.uint8), "confusion", 0.05, 1)
                rows, cols = tile.core.height, tile.core.width
                pictures.write(seen[:, :rows, :cols], tile.core)
                maps.write(cover[:rows, :cols], tile.core)
    return image, labels


def bench_refining_on_dask_workers(folder: Path) -> dict:
    """`fused` over 3072 x 3072 pixels on one Dask worker and on two, each of one thread.

    Every worker learns the classes for itself; that and the drawing of proposals do not get
    faster. ``workers_busy`` is their processor time over the wall time.
    """
    from concord.plugin.engine.refine import run

    from .workers import Cluster

    with pause():
        image, labels = _mosaic(folder, 3072)
        cluster = Cluster(folder)
    figures, seconds = {}, []
    with cluster:
        for count, name in ((1, "one"), (2, "two")):
            with pause():
                cluster.add_worker()
                small = str(folder / "warm.tif")  # ships the engine
                run.refine([image], labels, small, engine="mode", executor=cluster.executor)
                used = cluster.processor_seconds()
            start = time.perf_counter()
            out = str(folder / f"out{count}.tif")
            run.refine([image], labels, out, engine="fused", executor=cluster.executor, tile=512)
            seconds.append(time.perf_counter() - start)
            figures[f"seconds_{name}"] = round(seconds[-1], 2)
            busy = (cluster.processor_seconds() - used) / seconds[-1]
            figures[f"workers_busy_{name}"] = round(busy, 2)
    return {**figures, "times_as_fast": round(seconds[0] / seconds[1], 3)}


def bench_contradicted_whole_map(folder: Path) -> dict:
    """A map of 2048 x 2048 pixels, 4 bands and 8 classes through `contradicted`; peak memory in
    `peak_mb`. Set CONCORD_SIDE for another side, such as 10980."""
    from concord.plugin.engine.refine import run

    side = int(os.environ.get("CONCORD_SIDE") or 2048)
    with pause():
        image, labels = _mosaic(folder, side)
    start = time.process_time()
    out = str(folder / "out.tif")
    values, _, proposals = run.refine([image], labels, out, engine="contradicted")
    return {
        "megapixels": round(values["pixels"] / 1e6, 1),
        "processor_seconds_per_mpx": round((time.process_time() - start) / side**2 * 1e6, 2),
        "proposals": len(proposals),
    }
