"""Two maps of one place: what became what, and, with a reference, which one is right."""

from __future__ import annotations

import contextlib

import numpy as np

from .. import files, pictures, rasters, report
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..taxonomy import Taxonomy
from .measures import BOUNDARY, Score, stratified_areas
from .page import change_sections, percent, quality_sections
from .summary import areas_of, matrix_of, transitions_of

_TILE = 1024


def compare(
    before: str,
    after: str,
    output: str | None,
    *,
    reference: str | None = None,
    points=(),
    taxonomy: str = "",
    progress: Progress = SILENT,
) -> tuple:
    """(values, taxonomy); writes the from-to raster (uint16, before * 256 + after).

    Args:
        reference: class raster known to be right, 0 elsewhere.
        points: [(x, y, code)] of a reference sample in the CRS of ``after``.
    """
    with contextlib.ExitStack() as stack:
        new = stack.enter_context(ClassRaster(after))
        grid = new.grid
        with ClassRaster(before) as probe:
            box = probe.grid.bounds
            if not rasters.same_crs(probe.grid.crs, grid.crs):
                box = rasters.transform_bounds(box, probe.grid.crs, grid.crs)
            grid.window_of(box, f"{before}")
        old = stack.enter_context(ClassRaster(before, grid))
        truth = stack.enter_context(ClassRaster(reference, grid)) if reference else None
        scheme = new.taxonomy(taxonomy, sorted({*new.codes(progress), *old.codes(progress)}))
        table, score = np.zeros((256, 256), np.int64), Score()
        with contextlib.ExitStack() as files_open:
            writer = None
            if output:
                writer = files_open.enter_context(
                    rasters.Writer(output, grid, 1, "uint16", nodata=0, names=["from_to"])
                )
            tiles = list(grid.tiles(_TILE, BOUNDARY + 1))
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Comparing")
                a, b = old.read(tile.window), new.read(tile.window)
                row, col = tile.core.row - tile.window.row, tile.core.col - tile.window.col
                core = (slice(row, row + tile.core.height), slice(col, col + tile.core.width))
                code = a[core].astype(np.uint16) * 256 + b[core]
                table += np.bincount(code.ravel(), minlength=65536).reshape(256, 256)
                if writer:
                    writer.write(code, tile.core)
                if truth is not None:
                    score.add(a, b, truth.read(tile.window), core)
        sample = _sample(points, new) if points else None
    values = _values(table, score, sample, scheme, grid, bool(reference))
    values.update(before=before, after=after, output=output, reference=reference)
    if output:
        _name(output, table, scheme)
    return values, scheme


def _sample(points, new: ClassRaster) -> np.ndarray:
    """Counts [map class][reference class] of sample points."""
    from ..grid import Window

    table = np.zeros((256, 256), np.int64)
    for x, y, code in points:
        col, row = (int(np.floor(v)) for v in new.grid.colrow(x, y))
        if 0 <= col < new.grid.width and 0 <= row < new.grid.height:
            table[int(new.read(Window(col, row, 1, 1))[0, 0]), int(code)] += 1
    table[0] = 0
    return table


_AREAS = ("mapped_area", "area", "area_interval")


def _values(table, score, sample, scheme, grid, has_reference: bool) -> dict:
    pixel = grid.pixel_size[0] * grid.pixel_size[1]
    ground = rasters.square_metres_per_pixel(grid)
    labelled = table[1:255, 1:255]  # what one of the maps does not know has not changed
    both = int(labelled.sum())
    changed = both - int(np.trace(labelled))
    mapped = table.sum(axis=0)
    counts = sample if sample is not None else score.tables["after"]
    estimate = stratified_areas(counts, mapped, pixel, scheme) if counts.sum() else None
    for entry in estimate["classes"] if estimate and ground else ():
        for key in _AREAS:
            entry[key.replace("area", "hectares")] = entry[key] / pixel * ground / 10_000
    notes = [scheme.assumed] if scheme.assumed else []
    if rasters.crs_is_geographic(grid.crs):
        notes.append(
            "The map is in degrees, whose pixels shrink towards the poles: areas in map units are "
            "square degrees and hectares take the mean pixel; reproject it to an equal-area CRS "
            "for areas that hold."
        )
    if not has_reference and sample is None:
        notes.append("Without a reference it is not known which of the two maps is right.")
    elif estimate is None:
        notes.append(
            "Areas are not estimated: some class of the map has fewer than two reference samples."
        )
    elif sample is None:
        notes.append(
            "The intervals take the reference's pixels for an independent sample; neighbouring "
            "pixels are alike, so that the true intervals are wider. Use sample points for a "
            "statement that holds."
        )
    return {
        "pixels": both,
        "changed": changed,
        "changed_share": changed / both if both else 0.0,
        "transitions": transitions_of(table, scheme),
        "matrix": matrix_of(table, scheme),
        "classes": areas_of(table, scheme, grid),
        "quality": score.values(),
        "details": score.details(scheme),
        "area_estimates": estimate,
        "grid": grid.describe(),
        "notes": notes,
    }


def _name(output: str, table: np.ndarray, scheme) -> None:
    """A table beside the raster that says what each number means."""
    legend = {
        str(int(a) * 256 + int(b)): f"{scheme.name(int(a))} -> {scheme.name(int(b))}"
        for a, b in zip(*np.nonzero(table))
    }
    files.write_json(f"{output}.legend.json", legend)


def write_report(path: str, values: dict, scheme: Taxonomy) -> dict:
    """The comparison as HTML and JSON."""
    figures = (
        ("Pixels labelled in both", values["pixels"]),
        ("Pixels that differ", values["changed"]),
        ("Share that differs", percent(values["changed_share"])),
    )
    sections = [
        report.Section("Figures", header=("what", "value"), rows=figures,
                       notes=tuple(values["notes"])),
    ]  # fmt: skip
    sections += quality_sections(values["quality"], values["details"])
    if values["area_estimates"]:
        sections.append(_area_section(values["area_estimates"]))
    sections += change_sections(values)
    shown = (
        ("before", pictures.of_classes(values["before"], scheme)),
        ("after", pictures.of_classes(values["after"], scheme)),
    )
    sections.append(report.Section("Maps", pictures=shown))
    return report.write(path, values, "Two maps compared", "Rows before, columns after.", sections)


def _area_section(estimate: dict) -> report.Section:
    known = all("hectares" in c for c in estimate["classes"])
    unit = "hectares" if known else "map units squared"
    keys = [key.replace("area", "hectares") if known else key for key in _AREAS]
    text = (
        f"Accuracy {estimate['accuracy']:.3f} +- {estimate['accuracy_interval']:.3f} (95 %) from "
        f"{estimate['samples']:,} samples, weighted by the map's classes (Olofsson et al. 2014)."
    )
    rows = tuple(
        (c["name"], *(c[key] for key in keys),
         c["users_accuracy"], c["producers_accuracy"], c["samples"])
        for c in estimate["classes"]
    )  # fmt: skip
    header = ("class", "mapped", "estimated", "+- (95 %)", "user's", "producer's", "samples")
    return report.Section(f"Areas estimated from the reference ({unit})", text, header, rows)
