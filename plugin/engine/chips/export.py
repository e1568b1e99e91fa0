"""Exporting chips: plan, cut, describe; the folder appears, or changes, when all is ready."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from .. import jobs, rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress
from . import describe, stac, writers
from .plan import Planned
from .prepare import Plan, lacking, prepare
from .store import Entry, Store
from .wish import ExportWish, check

FORMATS = tuple(writers.REGISTRY)
__all__ = ["FORMATS", "ExportWish", "export", "preview"]


def export(
    imagery,
    labels,
    output: str,
    wish: ExportWish,
    consensus: str | None = None,
    progress: Progress = SILENT,
) -> dict:
    """Write a chip set and return the report.

    A folder that holds a set of Concord is brought up to date: only what changed is written.

    Args:
        imagery: rasters to cut, any grid.
        labels: class raster; its grid is the chips' grid and its pixels are not resampled unless
            ``wish.grid`` asks for it. Or an object like ``points.PointLabels``.
        consensus: raster with the posterior 0-100 in its second band, or its only one.

    Raises:
        ConcordError: no licence, an unknown format, no chip left, or an occupied folder.
    """
    formats = check(wish, imagery, labels, consensus)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        key = _key(imagery, labels, consensus, wish)
        store = stack.enter_context(Store(output, key))
        whole = any(entry.whole for entry in formats)
        layout = prepare(stack, imagery, labels, consensus, wish, progress.part(0, 30), whole)
        setup = writers.Setup(
            layout.scheme, layout.reader.grid, wish, layout.images, _title(labels), layout.dates,
            {i.name: stac.band_entries(i) for i in layout.images},
        )  # fmt: skip
        _cut(store, layout, setup, formats, progress.part(30, 95))
        context = describe.Context(setup, layout, imagery, labels, consensus, formats)
        report = describe.finish(store, context)
        written = store.written
        store.commit()
        progress.report(1, 1, "Chips exported", "chips")
    report["files_written"] = written
    report["resumed"] = store.done
    report["seconds"] = round(time.monotonic() - started, 3)
    report["output"] = str(output)
    return report


def preview(
    imagery, labels, wish: ExportWish, consensus: str | None = None, progress: Progress = SILENT
) -> tuple:
    """(report, GeoJSON features) of the split, without writing anything."""
    check(wish, imagery, labels, consensus)
    with contextlib.ExitStack() as stack:
        layout = prepare(stack, imagery, labels, consensus, wish, progress)
        report = describe.report_of(layout, wish, layout.kept, layout.rejected)
        features = list(describe.features(layout.kept, layout.reader.grid))
    return report, features


def _title(labels) -> str:
    return f"Chips of {Path(str(getattr(labels, 'path', labels))).stem}"


def _key(imagery, labels, consensus, wish: ExportWish) -> str:
    """What the bytes depend on: settings and the inputs' sizes and times."""
    paths = [*imagery, getattr(labels, "path", labels), consensus, wish.grid]
    paths += [wish.agreement, wish.clear, wish.votes, wish.match, *wish.models]
    stamps = []
    for path in paths:
        if path:
            with contextlib.suppress(OSError):
                about = os.stat(path)
                stamps.append([str(path), about.st_size, about.st_mtime_ns])
    stamps.append(getattr(labels, "key", ""))
    regions = [[r.value, r.geometry] for r in (*wish.regions, *wish.review)]
    everything = [wish.settings(), wish.licence, wish.sources, wish.annotators, wish.rule,
                  stamps, regions, describe.VERSION]  # fmt: skip
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _cut(store: Store, layout: Plan, setup, formats, progress: Progress) -> None:
    """Write every chip; several threads give the same bytes, because results come in order."""
    todo = layout.kept[store.done :]

    def work(p: Planned) -> Entry:
        with rasters.environment():  # once a chip, not once a file
            return _write_chip(store, p, layout, setup, formats)

    done = store.done
    if setup.wish.threads > 1:
        entries = jobs.run_ordered(todo, work, progress, setup.wish.threads)
    else:  # no second thread to hand over to; a chip is short enough to wait for a cancel
        entries = map(work, todo)
    with rasters.environment():  # for this thread, once a set
        for entry in entries:
            store.add(entry)
            done += 1
            progress.report(done, len(layout.kept), "Cutting chips", "chips")
    refused = {name for name, _ in store.refused()}
    kept = [p for p in layout.kept if p.chip.id not in refused]
    if not kept:
        raise ConcordError("No chip holds image data; choose images that cover the labels.")
    missing = lacking(layout.kept, kept)
    if missing:
        raise ConcordError(
            f"The images cover no chip of {missing[0]}; choose another SEED or images that cover "
            "the labels."
        )


def _write_chip(store: Store, p: Planned, layout: Plan, setup, formats) -> Entry:
    reader = layout.reader
    fits = getattr(reader.mask, "fits", None)  # points may want images of their own time
    images = [i for i in layout.images if fits is None or fits(p.chip.window, i.dates)]
    if not images:
        return Entry(p.chip.id, p.split, reason="no image near the date of its points")
    cuts = [image.cut(p.chip.window, reader.grid) for image in images]
    cuts = [cut for cut in cuts if cut is not None]
    if not cuts:
        return Entry(p.chip.id, p.split, reason="no image data")
    label, posterior, weight = reader.read(p.chip.window)
    grid = reader.grid.sub(p.chip.window)
    sample = writers.Sample(p, grid, label, posterior, weight, cuts, setup)
    names, records = {}, {}
    for entry in formats:
        chip_files, record = entry.chip(sample)
        for name, data in chip_files.items():
            name = f"{entry.folder}{name}"
            names[name] = store.put(name, data)
        records[entry.id] = record
    return Entry(p.chip.id, p.split, names, records)
