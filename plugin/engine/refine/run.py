"""Refining a map: tiles with a halo, an engine's opinion, guards, a new map and its proposals."""

from __future__ import annotations

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
from ..taxonomy import IGNORE, NO_DATA, Taxonomy
from .engines import engine_of
from .opinion import Patch

_TILE = 1024
_FIRST_CHOICE = (("nir", "red", "green"), ("red", "green", "blue"), ("vv", "vh", "vv"))


@dataclass(frozen=True)
class Guards:
    """What may change.

    Args:
        unsure: codes whose pixels may be relabelled; empty for all classes. 0 and 255 are filled
            only when they stand here.
        protect: codes that are never removed.
        margin: by how much of the votes the new class must lead the old one, 0-1.
    """

    unsure: tuple = ()
    protect: tuple = ()
    margin: float = 0.0


@dataclass
class Tally:
    """Counts gathered while tiles are written."""

    transitions: np.ndarray = field(default_factory=lambda: np.zeros((256, 256), np.int64))
    held: dict = field(default_factory=lambda: {"unsure": 0, "protected": 0, "margin": 0})
    score: np.ndarray = field(default_factory=lambda: np.zeros((2, 2), np.int64))


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
    progress: Progress = SILENT,
) -> tuple:
    """Write the refined map and return (report values, Taxonomy, proposals).

    The old map is never touched. A proposal is (GeoJSON polygon, attributes) for one region in
    which one class replaces another; they come sorted by confidence times area.
    """
    if not 0.0 <= margin <= 1.0:
        raise ConcordError(f"The margin {margin:g} is not a share; give a number from 0 to 1.")
    started = time.monotonic()
    with Scene(image) as probe, ClassRaster(labels) as own:
        grid = common_grid(probe.grid, own.grid)
    method = engine_of(engine, rasters.metres_per_pixel(grid), scale)
    with Scene(image, grid) as scene, ClassRaster(labels, grid) as old:
        scheme = old.taxonomy(taxonomy, old.codes(progress))
        if not scheme.classes:
            raise ConcordError(f"{labels} holds no class at all; choose a land-cover map.")
        guards = Guards(
            codes_of([u for u in unsure if u != "all"], scheme, "UNSURE"),
            codes_of(protect, scheme, "PROTECT"),
            margin,
        )
        planes = composite.of_scene(scene, bands or default_bands(scene))
        tally = Tally()
        proposals = _tiles(
            scene, old, planes, method, guards, scheme, output, reference, tally, progress
        )
        values = _values(tally, scheme, method.id, guards, planes, grid, old)
    values.update(
        output=output,
        regions=len(proposals),
        settings=method.settings,
        image=list(image),
        labels=labels,
        reference=reference,
        seconds=round(time.monotonic() - started, 3),
    )
    return values, scheme, proposals


def _tiles(scene, old, planes, method, guards, scheme, output, reference, tally, progress) -> list:
    grid, proposals = scene.grid, []
    tiles = list(grid.tiles(_TILE, method.halo))
    truth = ClassRaster(reference, grid) if reference else None
    try:
        with rasters.Writer(
            output, grid, 1, "uint8", nodata=0, colours=scheme.colours, categories=scheme.names
        ) as writer:
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), f"Refining with {method.id}")
                before, after, confidence = _one(scene, old, planes, method, guards, scheme, tile,
                                                 tally, progress)  # fmt: skip
                writer.write(after, tile.core)
                if truth is not None:
                    _score(tally, before, after, truth.read(tile.core))
                found = _proposals(before, after, confidence, grid.sub(tile.core), scheme, progress)
                proposals += found
    finally:
        if truth is not None:
            truth.close()
    progress.report(1, 1, "Refined")
    proposals.sort(key=lambda p: -p[1]["confidence"] * p[1]["area"])
    return proposals


def _one(scene, old, planes, method, guards, scheme, tile: Tile, tally, progress) -> tuple:
    """(before, after, confidence) of a tile's core."""
    picture, valid = planes.render(scene, tile.window)
    labels = old.read(tile.window)
    patch = Patch(picture, valid, labels, tuple(sorted(scheme.codes)))
    opinion = jobs.answered(lambda: method.propose(patch), progress)
    row, col = tile.core.row - tile.window.row, tile.core.col - tile.window.col
    part = (slice(row, row + tile.core.height), slice(col, col + tile.core.width))
    before, lead = labels[part], opinion.lead[part]
    proposed, confidence = opinion.proposed[part], opinion.confidence[part]
    wants = (proposed != before) & (proposed != NO_DATA)
    for code in (NO_DATA, IGNORE):  # filled only where the user says so
        wants &= (before != code) | (code in guards.unsure)
    for name, allowed in _allowed(before, lead, guards).items():
        tally.held[name] += int((wants & ~allowed).sum())
        wants &= allowed
    after = np.where(wants, proposed, before)
    pairs = before.astype(np.int64) * 256 + after
    tally.transitions += np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
    return before, after, confidence


def _allowed(before: np.ndarray, lead: np.ndarray, guards: Guards) -> dict:
    everywhere = np.ones(before.shape, bool)
    return {
        "unsure": np.isin(before, guards.unsure) if guards.unsure else everywhere,
        "protected": ~np.isin(before, guards.protect),
        "margin": lead >= guards.margin if guards.margin > 0 else everywhere,
    }


def _score(tally: Tally, before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> None:
    """Counts [was right][is right] over pixels that the reference knows."""
    known = (truth != 0) & (truth != 255) & (before != 0)
    was, now = (before == truth)[known], (after == truth)[known]
    tally.score += np.bincount(was * 2 + now, minlength=4).reshape(2, 2)


def _proposals(before, after, confidence, grid, scheme: Taxonomy, progress) -> list:
    changed = before != after
    if not changed.any():
        return []
    from scipy import ndimage

    pairs = np.where(changed, before.astype(np.int32) * 256 + after, 0).astype(np.int32)
    parts = np.zeros(pairs.shape, np.int32)
    total = 0
    for pair in np.unique(pairs[changed]):
        numbered, count = ndimage.label(pairs == pair)
        parts[numbered > 0] = numbered[numbered > 0] + total
        total += count
    sure = ndimage.mean(confidence, parts, np.arange(1, total + 1))
    pixels = np.bincount(parts.ravel(), minlength=total + 1)[1:]
    width, height = grid.pixel_size
    first = np.zeros(total + 1, np.int32)
    first[parts.ravel()] = pairs.ravel()
    found = []
    for shape, part in rasters.polygons(parts, grid, changed):
        progress.check()
        number = int(part)
        old, new = divmod(int(first[number]), 256)
        attributes = {
            "old_class": old,
            "new_class": new,
            "old_name": scheme.name(old),
            "new_name": scheme.name(new),
            "confidence": round(float(sure[number - 1]), 4),
            "pixels": int(pixels[number - 1]),
            "area": float(pixels[number - 1] * width * height),
        }
        found.append((shape, attributes))
    return found


def _values(tally, scheme, engine, guards, planes, grid, old) -> dict:
    table = tally.transitions
    labelled = int(table[1:255].sum())
    changed = int(table.sum() - np.trace(table))
    pairs = [
        {"from": int(a), "to": int(b), "from_name": scheme.name(int(a)),
         "to_name": scheme.name(int(b)), "pixels": int(table[a, b])}
        for a, b in zip(*np.nonzero(table)) if a != b
    ]  # fmt: skip
    pixel = grid.pixel_size[0] * grid.pixel_size[1]
    classes = [
        {"code": c.code, "name": c.name, "before": int(table[c.code].sum()),
         "after": int(table[:, c.code].sum()),
         "area_before": float(table[c.code].sum() * pixel),
         "area_after": float(table[:, c.code].sum() * pixel)}
        for c in scheme.classes
    ]  # fmt: skip
    notes = [scheme.assumed] if scheme.assumed else []
    if old.is_resampled:
        notes.append("The map was moved to the image's grid by nearest pixel.")
    values = {
        "engine": engine,
        "composite": planes.text,
        "margin": guards.margin,
        "protect": list(guards.protect),
        "unsure": list(guards.unsure) or "all",
        "pixels": labelled,
        "changed": changed,
        "changed_share": changed / labelled if labelled else 0.0,
        "transitions": sorted(pairs, key=lambda p: -p["pixels"]),
        "classes": classes,
        "held_back": tally.held,
        "grid": grid.describe(),
        "notes": notes,
        "quality": _quality(tally.score),
    }
    if values["quality"] is None:
        notes.append("Without a reference the quality of the change is not known.")
    return values


def _quality(score: np.ndarray) -> dict | None:
    """Accuracy before and after, and the two shares that matter; None without a reference."""
    total = int(score.sum())
    if not total:
        return None
    wrong, right = int(score[0].sum()), int(score[1].sum())
    return {
        "pixels": total,
        "accuracy_before": right / total,
        "accuracy_after": int(score[:, 1].sum()) / total,
        "corrected_share": int(score[0, 1]) / wrong if wrong else 0.0,
        "damaged_share": int(score[1, 0]) / right if right else 0.0,
    }
