"""A new map from an old one and the journal of what was painted on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..taxonomy import ClassDef, Taxonomy, colour_of
from .steps import Journal, Step

TAG = "CONCORD_PAINTING"
_TILE = 1024


def save(labels: str, painting: str, output: str, progress: Progress = SILENT) -> dict:
    """Write the painted map as a GeoTIFF with palette, class names and provenance.

    Args:
        painting: the journal, as ``Painting`` keeps it.

    Returns:
        Steps, pixels that differ from the old map, and these pixels by new class.

    Raises:
        ConcordError: the journal is none of this map, or the output is the map itself.
    """
    if Path(labels).resolve() == Path(output).resolve():
        raise ConcordError(f"{output} is the map itself; write the result to another file.")
    journal = Journal(painting, labels)
    journal.load()
    live, counts = journal.live, np.zeros(256, np.int64)
    with ClassRaster(labels) as old:
        scheme = _with_painted(old.taxonomy(), live)
        made = {
            "labels": Path(labels).name,
            "labels_sha256": files.sha256(labels),
            "steps": len(live),
            "annotators": sorted({s.told.get("by") or "" for s in live} - {""}),
            "sources": sorted({s.told.get("title") or "" for s in live} - {""}),
            "models": sorted({s.told.get("model") or "" for s in live} - {""}),
            "first": min((s.told.get("at") or "" for s in live), default=""),
            "last": max((s.told.get("at") or "" for s in live), default=""),
        }
        described = {
            "colours": scheme.colours, "categories": scheme.names,
            "tags": {TAG: json.dumps(made, ensure_ascii=False)},
        }  # fmt: skip
        with rasters.Writer(output, old.grid, 1, "uint8", nodata=0, **described) as writer:
            tiles = list(old.grid.tiles(_TILE))
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Writing")
                before = old.read(tile.core)
                after = _painted(before, live, tile.core)
                changed = after[after != before]
                counts += np.bincount(changed, minlength=256)
                writer.write(after, tile.core)
    classes = {int(code): int(counts[code]) for code in np.flatnonzero(counts)}
    return {**made, "pixels": int(counts.sum()), "classes": classes}


def _painted(codes: np.ndarray, steps: list[Step], core) -> np.ndarray:
    """The codes of a tile after the steps, in their order."""
    out = codes.copy()
    for part in (part for step in steps for part in step.parts):
        box = part.window
        top, left = max(box.row, core.row), max(box.col, core.col)
        end = min(box.row + box.height, core.row + core.height)
        right = min(box.col + box.width, core.col + core.width)
        if top >= end or left >= right:
            continue
        new = part.codes("after")[top - box.row : end - box.row, left - box.col : right - box.col]
        here = out[top - core.row : end - core.row, left - core.col : right - core.col]
        here[:] = np.where(new == rasters.EMPTY, here, new)
    return out


def _with_painted(scheme: Taxonomy, steps: list[Step]) -> Taxonomy:
    """The map's scheme with the classes that were painted and that it lacks or does not name."""
    told = {int(s.told["code"]): s.told for s in steps if 0 < int(s.told["code"]) < 255}
    known = {c.code: c for c in scheme.classes}
    for code, words in told.items():
        unnamed = code in known and known[code].name == f"class {code}"
        if (code not in known or unnamed) and words.get("name"):
            colour = words.get("colour") or colour_of(code)
            known[code] = ClassDef(code, words["name"], colour)
    return replace(scheme, classes=tuple(known[code] for code in sorted(known)))
