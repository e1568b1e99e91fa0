"""Runs whose tiles give objects or one answer, not pixels; each tile's answer is kept at once."""

from __future__ import annotations

import base64

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from . import plan
from .journal import Answers
from .plan import Job
from .tasks.boxes import Found
from .work import TileRunner


def objects(job: Job, work: TileRunner) -> tuple:
    """(summary, [(GeoJSON polygon, {class, class_name, score})]); burns a raster where asked."""
    adapter, found = work.adapter, []
    kept = _journal(job, work)
    with plan.going_on(kept, job.wish.keep):
        for _, said in _answered(job, work, kept, _plain):
            found += [Found(place, score, outline, box) for place, score, outline, box in said]
        found = adapter.merged(found)
        shapes = _shapes(job, adapter, found)
        layers = {name: adapter.layers()[name] for name in job.task.asked}
        with plan.writers(job, layers) as writers:
            for writer in writers.values():
                burnt = [(shape, said["class"]) for shape, said in reversed(shapes)]
                for tile in job.grid.tiles(2048):
                    job.progress.check()
                    writer.write(rasters.burn(burnt, job.grid.sub(tile.core)), tile.core)
    return adapter.summary_of(found), shapes


def _shapes(job: Job, adapter, found: list) -> list:
    grid, shapes = job.scenes[0].grid, []
    for one in found:
        ring = [grid.xy(col, row) for col, row in one.outline]
        chosen = adapter.classes[one.place]
        said = {"class": chosen.code, "class_name": chosen.name, "score": round(one.score, 6)}
        shapes.append(({"type": "Polygon", "coordinates": [ring]}, said))
    return shapes


def chips(job: Job, work: TileRunner) -> tuple:
    """(summary, []); writes rasters of one pixel a chip."""
    kept = _journal(job, work)
    with plan.going_on(kept, job.wish.keep):
        vectors, keep, grid = _vectors(job, work, kept)
        arrays = work.adapter.finish(vectors, keep)
        layers = {name: work.adapter.layers()[name] for name in job.task.asked}
        with plan.writers(job, layers, grid=grid) as writers:
            for name, writer in writers.items():
                writer.write(arrays[name])
    return {**work.adapter.summary(), "chips": int(keep.sum())}, []


def _vectors(job: Job, work: TileRunner, kept: Answers) -> tuple:
    """((values, rows, cols) of all chips, which of them have data, their grid)."""
    rows = sorted({tile.core.row for tile in job.tiles})
    cols = sorted({tile.core.col for tile in job.tiles})
    side = job.tiles[0].core.width if len(cols) > 1 else max(job.tiles[0].core.width, 1)
    high = job.tiles[0].core.height if len(rows) == 1 else rows[1] - rows[0]
    keep, vectors = np.zeros((len(rows), len(cols)), bool), None
    for tile, said in _answered(job, work, kept, _encoded):
        if not said:
            continue
        vector = np.frombuffer(base64.b64decode(said), "<f4")
        if vectors is None:
            vectors = np.zeros((len(vector), *keep.shape), np.float32)
        place = rows.index(tile.core.row), cols.index(tile.core.col)
        vectors[(slice(None), *place)], keep[place] = vector, True
    if vectors is None:
        raise ConcordError(
            "The gate finds nothing here; lower GATE_LEAST or leave the gate out."
            if job.closed
            else "The image has no data here; choose another extent."
        )
    a, b, c, d, e, f = job.grid.transform
    transform = (a * side, b * high, c, d * side, e * high, f)
    return vectors, keep, Grid(job.grid.crs, transform, len(cols), len(rows))


# --- what is kept of a tile


def _journal(job: Job, work: TileRunner) -> Answers:
    return Answers(next(iter(job.wish.paths.values()), None), plan.key(job, work))


def _answered(job: Job, work: TileRunner, kept: Answers, plain):
    """Yield (tile, its answer as plain values), the ones of an earlier, equal run first.

    Answers that were just made take the form of those that were kept, so both give the same.
    """
    known = kept.resume(len(job.open))
    job.known = len(known)
    for tile, said in zip(job.open, known):
        yield tile, said
    left = job.open[len(known) :]
    with plan.answers(job, work, left) as made:
        for done, ((answer, _), tile) in enumerate(zip(made, left), len(known) + 1):
            yield tile, kept.keep(plain(answer))
            job.progress.report(done, len(job.open), "Running the model")


def _plain(found: list | None) -> list:
    return [[one.place, one.score, one.outline, one.box] for one in found or []]


def _encoded(vector: np.ndarray | None) -> str:
    return "" if vector is None else base64.b64encode(vector.astype("<f4").tobytes()).decode()
