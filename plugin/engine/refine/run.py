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
from ..scene import Scene
from ..segment import composite
from ..taxonomy import Taxonomy
from . import network
from . import proposals as drawing
from .engines import engine_of
from .guards import NAMES, Guards, decide
from .journal import Journal, stamp
from .measures import BOUNDARY, Score
from .network import NONE
from .opinion import Opinion, Patch
from .source import RasterSource
from .summary import values_of

_TILE = 1024
_FIRST_CHOICE = (("nir", "red", "green"), ("red", "green", "blue"), ("vv", "vh", "vv"))
_VERSION = 1  # of what a tile of the journal holds


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


def codes_of(text_items, taxonomy: Taxonomy, what: str) -> tuple:
    """Class codes from codes or names, refused when the taxonomy does not know them."""
    by_name = {c.name.lower(): c.code for c in taxonomy.classes}
    found = []
    for item in text_items:
        text = str(item).strip()
        code = int(text) if text.isdecimal() else by_name.get(text.lower(), -1)
        if code not in taxonomy.codes and code not in (0, 255):
            raise ConcordError(
                f"{what} names the class '{text}', which is not in the map; use one of "
                f"{', '.join(f'{c.code} ({c.name})' for c in taxonomy.classes)}."
            )
        found.append(code)
    return tuple(found)


def common_grid(scene_grid: Grid, labels_grid: Grid) -> Grid:
    """The finer of the two grids, over the labels' or the image's whole extent.

    Raises:
        ConcordError: image and labels do not overlap.
    """
    bounds = scene_grid.bounds
    if not rasters.same_crs(scene_grid.crs, labels_grid.crs):
        bounds = rasters.transform_bounds(bounds, scene_grid.crs, labels_grid.crs)
    window = labels_grid.window_of(bounds, "The image")
    size = (bounds[2] - bounds[0]) / scene_grid.width
    if size < labels_grid.pixel_size[0] * 0.99:
        return scene_grid
    return labels_grid.sub(window)


def default_bands(scene: Scene) -> list:
    """Near infrared first, because it parts vegetation best; else what there is."""
    for wanted in _FIRST_CHOICE:
        if all(name in scene.sources for name in wanted):
            return list(wanted)
    return scene.default_composite()


def refine(
    image,
    labels: str,
    output: str,
    *,
    engine: str = "felzenszwalb",
    unsure=(),
    protect=(),
    margin: float = 0.1,
    bands=(),
    scale: float | None = None,
    taxonomy: str = "",
    reference: str | None = None,
    examples: str | None = None,
    model: str = NONE,
    smallest: int = 0,
    objects: bool = True,
    executor: str = "local",
    tile: int | None = None,
    progress: Progress = SILENT,
) -> tuple:
    """Write the refined map and return (report values, Taxonomy, proposals).

    The old map is never touched. A proposal is (GeoJSON geometry, attributes) for one region in
    which one class replaces another; they come sorted by confidence times area.

    Args:
        examples: a class raster with labels known to be right, 0 elsewhere.
        model: a trained model that the engine `auto` may ask: ``none``, ``auto`` for a bundled one
            that fits, an id or a file.
        smallest: minimum mapping unit in pixels.
        objects: keep small objects that the image shows.
        executor: ``local`` or ``local:4`` for threads.
        tile: pixels a side of a unit of work; the result does not depend on it.
    """
    guards = Guards(margin=margin, smallest=int(smallest), objects=objects)
    workers = jobs.workers_of(executor)
    started, tile = time.monotonic(), tile or _TILE
    with Scene(image) as probe, ClassRaster(labels) as own:
        grid = common_grid(probe.grid, own.grid)
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(Scene(image, grid))
        old = stack.enter_context(ClassRaster(labels, grid))
        truth = stack.enter_context(ClassRaster(reference, grid)) if reference else None
        taught = stack.enter_context(ClassRaster(examples, grid)) if examples else None
        shares = old.shares(progress)
        present = sorted(shares)
        scheme = old.taxonomy(taxonomy, present)
        codes = _codes_in_use(present, taught, scheme, labels)
        guards = Guards(
            codes_of([u for u in unsure if u != "all"], scheme, "UNSURE"),
            codes_of(protect, scheme, "PROTECT"), margin, guards.smallest, objects,
        )  # fmt: skip
        planes = composite.of_scene(scene, bands or default_bands(scene))
        source = RasterSource(scene, old, planes, codes)
        example_source = RasterSource(scene, taught, planes, codes) if taught else None
        journal = Journal(output, {
            "version": _VERSION, "image": [stamp(p) for p in image], "labels": stamp(labels),
            "reference": reference and stamp(reference), "examples": examples and stamp(examples),
            "engine": engine, "guards": repr(guards), "bands": planes.text, "scale": scale,
            "taxonomy": taxonomy, "tile": tile, "model": model,
        })  # fmt: skip
        try:
            classed = {code: share for code, share in shares.items() if code in codes}
            judge = None
            if engine == "auto" and not examples:
                judge = network.asked(model, scene, scheme, classed, journal.folder)
            method = engine_of(
                engine, rasters.metres_per_pixel(grid), scale, journal.folder, example_source,
                judge,
            )  # fmt: skip
            if judge is not None:
                stack.callback(judge.close)
            # In a thread of its own: a forest that is being fitted hears no cancel.
            jobs.answered(lambda: method.prepare(source, progress.part(0, 35)), progress)
            job = Job(source, method, guards, grid, truth)
            tally = Tally()
            resumed = journal.resumed
            found, left_out = _make(job, output, scheme, journal, workers, tile, tally,
                                    progress.part(35, 100))  # fmt: skip
        except ConcordError:
            journal.remove()
            raise
        journal.remove()
        values = values_of(tally, scheme, method, guards, planes, grid, old)
    if left_out:
        values["notes"].append(
            f"There are more than {drawing.MOST:,} changed regions; the smallest ones, "
            f"{left_out:,} pixels, are in the refined map but not among the proposals."
        )
    values.update(
        output=output,
        regions=len(found),
        settings=method.settings,
        image=list(image),
        labels=labels,
        reference=reference,
        examples=examples,
        model=judge.model.card.id if judge is not None else None,
        resumed_tiles=resumed,
        seconds=round(time.monotonic() - started, 3),
    )
    return values, scheme, found


def _codes_in_use(present: list, taught, scheme: Taxonomy, labels: str) -> list:
    codes = [c for c in present if c not in (0, 255)]
    if not codes:
        raise ConcordError(f"{labels} holds no class at all; choose a land-cover map.")
    if taught is not None:
        more = [c for c in taught.codes() if c not in (0, 255)]
        scheme.check(more, taught.path)
        if not more:
            raise ConcordError(f"{taught.path} holds no example; label some areas first.")
        codes = sorted({*codes, *more})
    return codes


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
