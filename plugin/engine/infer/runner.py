"""A model run over an extent: planned, handed to an executor, put together, written as it goes."""

from __future__ import annotations

import contextlib
import shutil
import time

from .. import files, jobs
from ..errors import Cancelled, ConcordError
from ..grid import Window
from ..progress import SILENT, Progress
from . import gate as gates
from . import glimpse, levels, parcels, plan, preflight, promptable, tilewise
from .canvas import Canvas
from .card import KINDS
from .journal import Journal, folder_of
from .plan import Job, RunWish
from .session import Model
from .tiling import plan_tiles
from .verdicts import BOX, refuse_red
from .work import TileRunner

__all__ = ["RunWish", "TileRunner", "plan_tiles", "run", "run_with_objects", "traced"]


def run(model: Model, scene, wish: RunWish, progress: Progress = SILENT) -> dict:
    """Run a model over an extent and return the report.

    ``output`` becomes what the model's task gives: class codes (uint8, 0 where there is no
    data), numbers (float32) or burnt objects; ``probabilities`` a float32 raster with one band a
    class, NaN where there is no data.

    Args:
        scene: a ``Scene``, or a list of them, one a date, all on one grid.
    """
    return run_with_objects(model, scene, wish, progress)[0]


def run_with_objects(model: Model, scene, wish: RunWish, progress: Progress = SILENT) -> tuple:
    """(report, objects): objects are [(GeoJSON polygon, {class, class_name, score})]."""
    scenes = list(scene) if isinstance(scene, (list, tuple)) else [scene]
    promptable.refuse(model)
    card = model.card.require_complete(str(model.path))
    if not card.kind:
        raise ConcordError(
            f"{model.path.name} is made for '{card.task}'; Concord runs {', '.join(KINDS)}."
        )
    if wish.flips not in (1, 2, 4, 8):
        raise ConcordError(f"FLIPS is {wish.flips}; give 1, 2, 4 or 8.")
    # A look at a large image takes a while; a cancel is answered all the same.
    # A level may be meant for the gate alone; where neither tells levels it is refused.
    asked = wish.level if levels.of(card) or not gates.tells_levels(wish.gate) else ""
    level = jobs.answered(lambda: levels.over(card, scenes, asked), progress)
    model.card = card = levels.applied(card, level)
    model.require_inputs()
    verdicts = jobs.answered(
        lambda: preflight.check(card, scenes[0], model, scenes[1:], level), progress
    )
    if not wish.override:
        refuse_red(verdicts, model.path.name, BOX)
    started = time.monotonic()
    job = plan.planned(model, scenes, wish, progress)
    work = TileRunner(model, scenes, wish.mask, job.task, at_once=jobs.threads_of(wish.executor))
    lacking = sorted(set(job.wish.paths) - set(_layers_of(work.adapter)))
    if lacking:
        raise ConcordError(
            f"{model.path.name} is made for '{card.task}', which has no {lacking[0]} raster; "
            "leave that output out."
        )
    gated = None
    if wish.gate is not None:
        job.closed, gated = gates.closed_tiles(wish.gate, job)
    runs = {"dense": _run_dense, "objects": tilewise.objects, "chips": tilewise.chips}
    summary, objects = runs[work.adapter.family](job, work)
    report = _report(job, verdicts, summary, time.monotonic() - started)
    report["level"] = level and {"name": level.name, "why": level.why}
    if gated is not None:
        report["gate"]["level"] = {"name": gated.name, "why": gated.why}
    return report, objects


@contextlib.contextmanager
def traced(wish: RunWish):
    """Around the step after a run with ``wish.keep``: the journal goes at its end or on cancel.

    It stays when the step fails or is killed, so that the same run is done at once next time.
    """
    try:
        yield
    except ConcordError as error:
        if not isinstance(error, Cancelled):
            raise
        _forget(wish)
        raise
    _forget(wish)


def _forget(wish: RunWish) -> None:
    for path in list(wish.paths.values())[:1]:
        shutil.rmtree(folder_of(path), ignore_errors=True)


def _layers_of(adapter):
    return (
        ("main",)
        if adapter.family == "chips" and not hasattr(adapter, "codes")
        else (adapter.layers())
    )


def _run_dense(job: Job, work: TileRunner) -> tuple:
    adapter = work.adapter
    layers = {name: adapter.layers()[name] for name in job.task.asked}
    grid = plan.finer(job.grid, adapter.scale)
    about = glimpse.about(grid, layers.get("main"), parcels.of_card(job.model.card))
    kept = Journal(next(iter(job.wish.paths.values()), None), plan.key(job, work), about)
    with plan.going_on(kept, job.wish.keep), plan.writers(job, layers, adapter.scale) as writers:
        _fill(job, work, layers, kept, writers)
    return adapter.summary(), []


def _fill(job: Job, work: TileRunner, layers: dict, journal: Journal, writers: dict) -> None:
    """Replay what an earlier run finished, then do the rest."""
    adapter = work.adapter
    height = job.area.height * adapter.scale

    def emit(row: int, arrays: dict, counts: tuple, kept: bool = False) -> None:
        rows = next(iter(arrays.values())).shape[1] if arrays else 0
        place = Window(0, row, job.area.width * adapter.scale, rows)
        for name, writer in writers.items():
            writer.write(arrays[name], place)
        if "main" in arrays:
            adapter.tally(arrays)
        job.overlap = (job.overlap[0] + counts[0], job.overlap[1] + counts[1])
        if not kept and row + rows < height:
            journal.keep(row, arrays, counts)

    for row, arrays, counts in journal.resume(layers, height):
        emit(row, arrays, counts, kept=True)
        job.resumed = row + next(iter(arrays.values())).shape[1]
    canvas = Canvas(adapter, job.area, layers, job.task, emit, job.resumed)
    tiles = [tile for tile in job.tiles if canvas.needs(tile)]
    done = len(job.tiles) - len(tiles)
    with plan.answers(job, work, [tile for tile in tiles if tile not in job.closed]) as made:
        for tile in tiles:
            canvas.begin(tile)
            answer, keep = (None, None) if tile in job.closed else next(made)
            canvas.add(tile, answer, keep)
            done += 1
            job.progress.report(done, len(job.tiles), "Running the model")
    canvas.close()


def _report(job: Job, verdicts, summary: dict, seconds: float) -> dict:
    model, wish, pixels = job.model, job.wish, job.area.width * job.area.height
    compared, agreed = job.overlap
    scenes = job.scenes
    return {
        "model": {
            "id": model.card.id,
            "file": str(model.path),
            "sha256": files.sha256(model.path),
            "card": model.card.origin,
            "licence": model.card.licence,
            "task": model.card.task,
        },
        "inputs": sorted({s.path for scene in scenes for s in scene.sources.values()}),
        "verdicts": [v.as_json() for v in verdicts],
        "override": wish.override,
        "tile": model.fixed_size or model.card.tile,
        "halo": model.card.halo,
        "stitching": "Hann blending" if job.task.blended else "halo crop",
        "flips": wish.flips,
        "executor": wish.executor,
        "tiles": len(job.tiles),
        "gate": {**wish.gate.describe(), "left_out": len(job.closed)} if wish.gate else None,
        "resumed_rows": job.resumed,
        "resumed_tiles": job.known,
        "overlap_pixels": compared,
        "overlap_agreement": agreed / compared if compared else None,
        "pixels": pixels,
        "labelled": 0,
        "classes": [],
        "code_shift": 0,
        **summary,
        "seconds": round(seconds, 3),
        "mpx_per_second": round(pixels / 1e6 / max(seconds, 1e-6), 3),
        "grid": job.grid.describe(),
        "parcels": parcels.told(model.card, job.grid),
        "warnings": list(dict.fromkeys(w for scene in scenes for w in scene.warnings)),
    }
