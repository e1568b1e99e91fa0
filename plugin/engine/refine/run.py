"""Refining a map: an engine's opinion, guards, a new map, its proposals and its figures.

Tiles are answered one by one, with a halo; what an engine must know of the whole map it gathers
before (`prepare`), so that the result does not depend on the tiles. Finished tiles are kept in a
journal until the output is there, so that a killed run resumes and ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

import numpy as np

from .. import jobs, rasters
from ..errors import ConcordError
from ..grid import Grid, Tile
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from . import proposals as drawing
from .desk import TILE, Desk, Wish
from .guards import NAMES, Guards, decide
from .measures import BOUNDARY, Score
from .opinion import Opinion, Patch
from .source import RasterSource
from .summary import values_of


@dataclass
class Tally:
    """Counts gathered while tiles are written."""

    transitions: np.ndarray = field(default_factory=lambda: np.zeros((256, 256), np.int64))
    held: dict = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    score: Score = field(default_factory=Score)


@dataclass(frozen=True)
class Job:
    """Everything a tile needs."""

    source: RasterSource
    engine: object
    guards: Guards
    grid: Grid
    truth: ClassRaster | None


def refine(image, labels: str, output: str, *, progress: Progress = SILENT, **wishes) -> tuple:
    """Write the refined map and return (report values, Taxonomy, proposals).

    The old map is never touched. A proposal is (GeoJSON geometry, attributes) for one region in
    which one class replaces another; they come sorted by confidence times area.

    Args:
        wishes: the other fields of ``desk.Wish``.
    """
    wish = Wish(list(image), labels, output, **wishes)
    Guards(margin=wish.margin, smallest=int(wish.smallest))  # refused before anything is opened
    workers = jobs.workers_of(wish.executor)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        desk = Desk(wish, stack, progress)
        guards = desk.guards(wish)
        journal = desk.journal(wish, guards)
        try:
            method, judge = desk.engine(wish, journal.folder, stack)
            # In a thread of its own: a forest that is being fitted hears no cancel.
            jobs.answered(lambda: method.prepare(desk.source, progress.part(0, 35)), progress)
            job = Job(desk.source, method, guards, desk.grid, desk.truth)
            tally, resumed = Tally(), journal.resumed
            found, left_out = _make(job, output, desk.scheme, journal, workers,
                                    wish.tile or TILE, tally, progress.part(35, 100))  # fmt: skip
        except ConcordError:
            journal.remove()
            raise
        journal.remove()
        values = values_of(tally, desk.scheme, method, guards, desk.planes, desk.grid, desk.old)
    values["notes"] += desk.notes
    if left_out:
        values["notes"].append(
            f"There are more than {drawing.MOST:,} changed regions; the smallest ones, "
            f"{left_out:,} pixels, are in the refined map but not among the proposals."
        )
    values.update(
        output=output,
        regions=len(found),
        settings=method.settings,
        image=wish.image,
        labels=labels,
        reference=wish.reference,
        examples=wish.examples,
        model=judge.model.card.id if judge is not None else None,
        resumed_tiles=resumed,
        seconds=round(time.monotonic() - started, 3),
    )
    return values, desk.scheme, found


def _make(job, output, scheme, journal, workers, size, tally, progress) -> tuple:
    """Answer every tile, write the map, draw the proposals."""
    grid = job.grid
    halo = job.engine.halo + job.guards.halo + BOUNDARY
    tiles = list(enumerate(grid.tiles(size, halo)))

    def work(item):
        number, tile = item
        kept = journal.get(number)
        if kept is None:
            kept = answer(job, tile)
            journal.put(number, kept)
        return tile, kept

    described = {"colours": scheme.colours, "categories": scheme.names}
    sure_path = str(journal.folder / "confidence.tif")
    with rasters.Writer(output, grid, 1, "uint8", nodata=0, **described) as writer:
        with rasters.Writer(sure_path, grid, 2, "uint8", sidecar=False) as sure:
            found = jobs.run_ordered(tiles, work, progress, workers)
            for done, (tile, kept) in enumerate(found, 1):
                writer.write(kept["after"], tile.core)
                sure.write(np.stack([kept["after"], kept["confidence"]]), tile.core)
                _count(tally, kept)
                progress.report(done * 0.8, len(tiles), f"Refining with {job.engine.id}")
    with rasters.Raster(sure_path) as made:

        def read(window):
            after, confidence = made.read(window)
            return job.source.labels.read(window), after, confidence

        evidence = f"{job.engine.id}: {job.engine.settings}"
        return drawing.gather(read, grid, scheme, evidence[:250], progress.part(80, 100))


def answer(job: Job, tile: Tile) -> dict:
    """The arrays of a tile: new codes and confidence (0-250) of its core, and its counts."""
    patch = job.source.patch(tile.window)
    core = _slices(tile.core, tile.window)
    if not np.isin(patch.labels[core], patch.codes).any() and not job.guards.unsure:
        opinion = Opinion(patch.labels, *(np.zeros(patch.labels.shape, np.float32),) * 2)
    else:
        opinion = job.engine.propose(patch)
    inner = tile.core.grown(job.guards.halo + BOUNDARY).clipped(job.grid.width, job.grid.height)
    part = _slices(inner, tile.window)
    small = Patch(
        patch.picture[part], patch.valid[part], patch.labels[part], patch.codes,
        patch.bands[(slice(None), *part)], inner,
    )  # fmt: skip
    seen = Opinion(opinion.proposed[part], opinion.confidence[part], opinion.lead[part])
    after, held = decide(small, seen, job.guards)
    core = _slices(tile.core, inner)
    pairs = small.labels[core].astype(np.int64) * 256 + after[core]
    changed, counts = np.unique(pairs, return_counts=True)
    out = {
        "after": after[core],
        "confidence": np.round(seen.confidence[core] * 250).astype(np.uint8),
        "pairs": changed,
        "counts": counts,
        "held": np.array([held[name][core].sum() for name in NAMES], np.int64),
    }
    if job.truth is not None:
        score = Score()
        score.add(small.labels, after, job.truth.read(inner), core)
        out.update(score.arrays())
    return out


def _slices(inner, outer) -> tuple:
    row, col = inner.row - outer.row, inner.col - outer.col
    return slice(row, row + inner.height), slice(col, col + inner.width)


def _count(tally: Tally, kept: dict) -> None:
    np.add.at(tally.transitions.reshape(-1), kept["pairs"], kept["counts"])
    for name, count in zip(NAMES, kept["held"]):
        tally.held[name] += int(count)
    if "kept" in kept:
        tally.score.absorb(kept)
