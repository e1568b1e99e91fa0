"""The figures of a refinement, as plain values for its report."""

from __future__ import annotations

import numpy as np

from .. import rasters


def transitions_of(table: np.ndarray, scheme) -> list:
    """What changed into what, largest first; ``table`` is pixels [before][after]."""
    pairs = [
        {"from": int(a), "to": int(b), "from_name": scheme.name(int(a)),
         "to_name": scheme.name(int(b)), "pixels": int(table[a, b])}
        for a, b in zip(*np.nonzero(table)) if a != b
    ]  # fmt: skip
    return sorted(pairs, key=lambda p: -p["pixels"])


def areas_of(table: np.ndarray, scheme, grid) -> list:
    """Pixels and area of each class before and after; hectares where the CRS tells them."""
    pixel, ground = grid.pixel_size[0] * grid.pixel_size[1], rasters.square_metres_per_pixel(grid)
    hectares = None if ground is None else ground / 10_000
    found = []
    for c in scheme.classes:
        before, after = int(table[c.code].sum()), int(table[:, c.code].sum())
        entry = {"code": c.code, "name": c.name, "before": before, "after": after}
        for unit, size in (("area", pixel), ("hectares", hectares)):
            counted = {"before": before, "after": after, "change": after - before}
            entry.update({f"{unit}_{key}": _times(n, size) for key, n in counted.items()})
        found.append(entry)
    return found


def _times(pixels: int, size: float | None) -> float | None:
    return None if size is None else float(pixels * size)


def matrix_of(table: np.ndarray, scheme) -> dict:
    """The whole transition matrix over the classes that occur: rows before, columns after."""
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    return {
        "codes": [int(c) for c in used],
        "names": [scheme.name(int(c)) for c in used],
        "pixels": [[int(table[a, b]) for b in used] for a in used],
    }


def values_of(tally, scheme, method, guards, planes, grid, old) -> dict:
    """Every number of the report."""
    table = tally.transitions
    labelled = int(table[1:255].sum())
    changed = int(table.sum() - np.trace(table))
    notes = [scheme.assumed] if scheme.assumed else []
    if old.is_resampled:
        notes.append("The map was moved to the image's grid by nearest pixel.")
    diagnosis = getattr(method, "diagnosis", None)
    values = {
        "engine": method.id,
        "composite": planes.text,
        "margin": guards.margin,
        "protect": list(guards.protect),
        "unsure": list(guards.unsure) or "all",
        "minimum_mapping_unit": guards.smallest,
        "keep_small_objects": guards.objects,
        "noise": diagnosis.values() if diagnosis else None,
        "pixels": labelled,
        "changed": changed,
        "changed_share": changed / labelled if labelled else 0.0,
        "transitions": transitions_of(table, scheme),
        "matrix": matrix_of(table, scheme),
        "classes": areas_of(table, scheme, grid),
        "held_back": tally.held,
        "grid": grid.describe(),
        "notes": notes,
        "quality": tally.score.values(),
        "details": tally.score.details(scheme),
    }
    if values["quality"] is None:
        notes.append("Without a reference the quality of the change is not known.")
    return values
