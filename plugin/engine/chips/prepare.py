"""The plan of a set: which chips, in which split, and why the others stay behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .. import rasters
from ..errors import ConcordError
from ..progress import Progress
from . import audit, curate, domains, plan, split, stac
from .images import open_images
from .plan import Planned
from .reader import LabelReader
from .wish import ExportWish


@dataclass(frozen=True)
class Plan:
    """What will be written, before anything is."""

    reader: LabelReader
    images: list
    scheme: object
    kept: list
    rejected: list
    block: float
    buffer: float
    dates: list
    autocorrelation: float | None
    before: dict
    dropped: int
    angle: float = 0.0


def prepare(
    stack, imagery, labels, consensus, wish: ExportWish, progress: Progress, whole: bool = False
) -> Plan:
    """Lay out, gate, curate and split the chips.

    Args:
        whole: look at the images first, because a format numbers its chips without gaps.
    """
    reader = LabelReader(stack, labels, consensus, wish)
    if hasattr(reader.mask, "codes"):  # a raster is read for its codes, which can be cancelled
        scheme = reader.mask.taxonomy(wish.taxonomy, reader.mask.codes(progress))
    else:
        scheme = reader.mask.taxonomy(wish.taxonomy)
    _check_objects(wish, scheme)
    chips = _chips(reader, wish)
    passed, rejected = _gate(chips, reader, wish.gate, progress.part(0, 60))
    if wish.review:
        passed, unseen = _reviewed(passed, wish)
        rejected += unseen
    dates = dates_of(wish, imagery)
    images = open_images(stack, imagery, reader.grid, wish, dates)
    look = whole or wish.gate.max_nodata < 1 or wish.curate.needs_images
    vectors: list = []
    if look:
        passed, more, vectors = _look(passed, reader, images, wish, progress.part(60, 95))
        rejected += more
    before = curate.histogram(passed, scheme)
    chosen, gone = passed, []
    if wish.curate.is_active:
        chosen, gone = curate.select(passed, vectors, wish.curate, scheme.codes, wish.seed)
        rejected += gone
    kept, block, buffer, near = _split(chosen, reader.grid, wish, scheme, images)
    kept = [replace(p, number=number) for number, p in enumerate(kept)]
    path = reader.mask.path if isinstance(labels, (str, Path)) else ""
    return Plan(
        reader, images, scheme, kept, rejected + near, block, buffer, dates,
        audit.autocorrelation_range(path) if path else None, before, len(gone), wish.rotation,
    )  # fmt: skip


def _check_objects(wish: ExportWish, scheme) -> None:
    unknown = sorted(set(wish.objects) - set(scheme.codes))
    if unknown:
        raise ConcordError(
            f"The object class {unknown[0]} is not in the taxonomy {scheme.id}; use its codes."
        )


def _chips(reader: LabelReader, wish: ExportWish) -> list:
    windows = getattr(reader.mask, "windows", None)
    if windows is not None:
        return plan.chips_of(reader.grid, windows(wish.size, wish.rows), wish.cell_km)
    stride = wish.stride or wish.size
    return plan.chip_grid(reader.grid, wish.size, stride, wish.height, wish.cell_km, wish.rotation)


def _gate(chips, reader: LabelReader, gate, progress: Progress) -> tuple:
    passed, rejected = [], []
    with rasters.environment():
        for done, chip in enumerate(chips):
            progress.report(done, len(chips), "Looking at labels", "chips")
            content = reader.content(chip.window)
            problem = gate.problem(content)
            if problem:
                rejected.append((chip.id, problem))
            else:
                passed.append(Planned(chip, content))
    if not passed:
        reason = rejected[0][1] if rejected else "no chip"
        raise ConcordError(
            f"No chip passes the gate (the first: {reason}); lower MIN_SCORE or MIN_LABELLED."
        )
    return passed, rejected


def _reviewed(passed: list, wish: ExportWish) -> tuple:
    """(chips whose task has an accepted stage, rejected)."""
    kept, rejected = [], []
    stages = domains.of_chips(passed, "layer", wish.review, [])
    for p, stage in zip(passed, stages):
        if stage in wish.stages:
            kept.append(p)
        else:
            reason = f"review stage is {stage}" if stage else "in no reviewed task"
            rejected.append((p.chip.id, reason))
    if not kept:
        raise ConcordError(
            f"No chip has the review stage {' or '.join(wish.stages)}; finish the review or choose "
            "other STAGES."
        )
    return kept, rejected


def _look(passed, reader, images, wish, progress: Progress) -> tuple:
    """(chips with enough image data, rejected, embeddings)."""
    kept, rejected, vectors = [], [], []
    for done, p in enumerate(passed):
        progress.report(done, len(passed), "Looking at images", "chips")
        cuts = [image.cut(p.chip.window, reader.grid) for image in images]
        there = [cut for cut in cuts if cut is not None]
        missing = max(1 - float(c.valid.mean()) if c is not None else 1.0 for c in cuts)
        problem = wish.gate.image_problem(missing if there else 1.0)
        if there and missing >= 1 and wish.gate.max_nodata >= 1:
            problem = ""  # another image covers it
        if problem:
            rejected.append((p.chip.id, problem))
            continue
        kept.append(p)
        if wish.curate.needs_images:
            vectors.append(curate.embedding(there))
    if not kept:
        raise ConcordError("No chip holds image data; choose images that cover the labels.")
    return kept, rejected, vectors


def _split(passed, grid, wish: ExportWish, scheme, images) -> tuple:
    side = max(wish.size * grid.pixel_size[0], wish.rows * grid.pixel_size[1])
    several = sum(share > 0 for share in wish.shares) > 1
    buffer = wish.buffer if wish.buffer is not None else (side if several else 0.0)
    outside: list = []
    if wish.split_by == "blocks":
        block = wish.block or split.default_block(grid.bounds, side)
        assigned = split.assign(passed, wish.shares, block, wish.seed, scheme.codes)
    else:
        block = 0.0
        names = domains.of_chips(passed, wish.split_by, wish.regions, images)
        assigned, outside = domains.assign(passed, names, wish.shares, wish.seed, scheme.codes)
    kept, near = split.apart(assigned, buffer)
    missing = lacking(assigned, kept)
    if missing:
        raise ConcordError(
            f"The buffer of {buffer:g} map units leaves no chip for {missing[0]}; choose a smaller "
            "BUFFER or a larger BLOCK."
        )
    dropped = [(p.chip.id, f"{p.split} chip within the buffer of another split") for p in near]
    dropped += [(p.chip.id, "in no split polygon") for p in outside]
    return kept, block, buffer, dropped


def lacking(assigned: list, kept: list) -> list:
    """The splits that some chip was dealt to and that hold none of the kept ones."""
    wanted = {p.split for p in assigned} - {p.split for p in kept}
    return [name for name in split.SPLITS if name in wanted]


def dates_of(wish: ExportWish, imagery) -> list:
    """The date of every image, '' where it is not known."""
    if wish.date:
        return [wish.date] * len(imagery)
    return [stac.date_in(Path(str(path)).name) for path in imagery]
