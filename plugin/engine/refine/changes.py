"""Applying proposals to a map, and taking a batch back exactly, also long after.

A change log (JSON) holds every changed run of pixels with its old class, so that the map before is
restored from the map after and the log alone, and checked against its fingerprint.
"""

from __future__ import annotations

import base64
import datetime
import getpass
import hashlib
import zlib
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..progress import SILENT, Progress

_TILE = 1024
_KIND = "concord changes"


def finer_grid(labels: Grid, proposals: list) -> Grid:
    """The map's grid, or a finer one through the proposals' corners when they were made on one."""
    if not proposals:
        return labels
    shape, told = proposals[0]
    if not told.get("pixels") or not told.get("area"):
        return labels
    size = float(np.sqrt(told["area"] / told["pixels"]))
    if size > 0.9 * min(labels.pixel_size):
        return labels
    x, y = _rings(shape)[0][0][:2]
    left, bottom, right, top = labels.bounds
    start, end = x - round((x - left) / size) * size, y + round((top - y) / size) * size
    width, height = round((right - start) / size), round((end - bottom) / size)
    return Grid(labels.crs, (size, 0.0, start, 0.0, -size, end), int(width), int(height))


def _rings(shape: dict) -> list:
    parts = shape["coordinates"]
    return parts[0] if shape["type"] == "MultiPolygon" else parts


def _bounds(shape: dict) -> tuple:
    parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
    points = np.array([p[:2] for rings in parts for p in rings[0]])
    return (*points.min(axis=0), *points.max(axis=0))


def apply(
    labels: str,
    proposals: list,
    output: str,
    log: str | None,
    *,
    taxonomy: str = "",
    grid_of: str | None = None,
    settings: dict | None = None,
    progress: Progress = SILENT,
) -> dict:
    """Write a new raster with the proposals' classes and, with ``log``, the change log.

    Args:
        proposals: [(GeoJSON in the map's CRS, attributes with ``new_class`` and ``old_class``)].
            A pixel whose class is not the proposal's ``old_class`` is left alone and counted.
        grid_of: raster whose grid the result has; None for the map's own, or the proposals' when
            they were made on a finer one.

    Raises:
        ConcordError: the output is the map itself, or a class is out of range.
    """
    _refuse_same(labels, output)
    for _, told in proposals:
        if not 0 < int(told["new_class"]) < 255:
            raise ConcordError(
                f"A proposal has the class {told['new_class']}; classes are 1 to 254."
            )
    with ClassRaster(labels) as own:
        grid = rasters.info(grid_of).grid if grid_of else finer_grid(own.grid, proposals)
    found = _Applied()
    with ClassRaster(labels, grid) as old:
        scheme = old.taxonomy(taxonomy)
        described = {"colours": scheme.colours, "categories": scheme.names}
        with rasters.Writer(output, grid, 1, "uint8", nodata=0, **described) as writer:
            _burn_all(old, proposals, writer, found, progress)
    values = {
        "kind": _KIND,
        "version": 1,
        "labels": str(labels),
        "labels_sha256": files.sha256(labels),
        "output": str(output),
        "grid": grid.describe(),
        "proposals": len(proposals),
        **found.values(scheme),
        "provenance": {"settings": settings or {}, **_who()},
        "changes": [_entry(told) for _, told in proposals],
        "runs": found.runs,
    }
    values["batch"] = hashlib.sha256(
        (values["before_pixels_sha256"] + values["after_pixels_sha256"]).encode()
    ).hexdigest()[:12]
    if log:
        files.write_json(log, values)
    return values


class _Applied:
    """What is counted and kept while proposals are burnt tile by tile."""

    def __init__(self):
        self.counts = {"applied": 0, "elsewhere": 0}
        self.pairs = np.zeros((256, 256), np.int64)
        self.runs: list = []
        self._before, self._after = hashlib.sha256(), hashlib.sha256()

    def add(self, before: np.ndarray, after: np.ndarray, window) -> None:
        """A tile's codes before and after."""
        self._before.update(before.tobytes())
        self._after.update(after.tobytes())
        found = runs_of(before, after, window)
        if len(found):
            self.runs.append(_packed(found))
        flat = before.astype(np.int64) * 256 + after
        self.pairs += np.bincount(flat.ravel(), minlength=65536).reshape(256, 256)

    def values(self, scheme) -> dict:
        """The counts as JSON values."""
        pairs = self.pairs.copy()
        np.fill_diagonal(pairs, 0)
        return {
            "before_pixels_sha256": self._before.hexdigest(),
            "after_pixels_sha256": self._after.hexdigest(),
            "pixels": int(pairs.sum()),
            "pixels_already_different": self.counts["elsewhere"],
            "transitions": [
                {"from": int(a), "to": int(b), "from_name": scheme.name(int(a)),
                 "to_name": scheme.name(int(b)), "pixels": int(pairs[a, b])}
                for a, b in zip(*np.nonzero(pairs))
            ],
        }  # fmt: skip


def _burn_all(old: ClassRaster, proposals: list, writer, found: _Applied, progress) -> None:
    """Write the map with the proposals, tile by tile."""
    boxes = np.array([_bounds(shape) for shape, _ in proposals]).reshape(-1, 4)
    tiles = list(old.grid.tiles(_TILE))
    for done, tile in enumerate(tiles):
        progress.report(done, len(tiles), "Applying")
        before = old.read(tile.core)
        after = _burnt(before, proposals, boxes, old.grid.sub(tile.core), found.counts)
        writer.write(after, tile.core)
        found.add(before, after, tile.core)


def _refuse_same(labels: str, output: str) -> None:
    if Path(labels).resolve() == Path(output).resolve():
        raise ConcordError(f"{output} is the map itself; write the result to another file.")


def _entry(told: dict) -> dict:
    wanted = ("proposal", "old_class", "new_class", "confidence", "pixels", "source", "status")
    return {name: told[name] for name in wanted if told.get(name) is not None}


def _who() -> dict:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = ""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"user": user, "when": now, "tool": "concord:applyproposals"}


def _burnt(before, proposals, boxes, grid: Grid, counts: dict) -> np.ndarray:
    left, bottom, right, top = grid.bounds
    meets = (boxes[:, 0] < right) & (boxes[:, 2] > left)
    meets &= (boxes[:, 1] < top) & (boxes[:, 3] > bottom)
    here = np.flatnonzero(meets)
    if not len(here):
        return before
    shapes = [(proposals[i][0], n) for n, i in enumerate(here, 1)]
    which = rasters.burn(shapes, grid, dtype="int32")
    new = np.array([0] + [int(proposals[i][1]["new_class"]) for i in here])[which]
    stated = [proposals[i][1].get("old_class") for i in here]
    old = np.array([-1] + [-1 if code is None else int(code) for code in stated])[which]
    fits = (which > 0) & ((old < 0) | (old == before))
    counts["applied"] += int(fits.sum())
    counts["elsewhere"] += int(((which > 0) & ~fits).sum())
    return np.where(fits, new, before).astype(np.uint8)


def runs_of(before: np.ndarray, after: np.ndarray, core) -> np.ndarray:
    """(n, 5) of int32: row, column, length, old and new class of each changed run of pixels."""
    changed = before != after
    if not changed.any():
        return np.zeros((0, 5), np.int32)
    key = np.where(changed, before.astype(np.int32) * 256 + after, -1)
    edge = np.ones(key.shape, bool)
    edge[:, 1:] = key[:, 1:] != key[:, :-1]
    rows, cols = np.nonzero(edge)
    flat = rows * key.shape[1] + cols
    lengths = np.diff(np.append(flat, key.size))
    keep = key[rows, cols] >= 0
    rows, cols, lengths = rows[keep], cols[keep], lengths[keep]
    old, new = before[rows, cols], after[rows, cols]
    return np.stack([rows + core.row, cols + core.col, lengths, old, new], 1).astype(np.int32)


def _packed(runs: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(runs.astype("<i4").tobytes(), 6)).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4").reshape(-1, 5)


def read_log(path: str) -> dict:
    """A change log.

    Raises:
        ConcordError: the file is no change log.
    """
    values = files.read_json(path)
    if not isinstance(values, dict) or values.get("kind") != _KIND:
        raise ConcordError(f"{path} is no change log; choose the CHANGES file of the batch.")
    return values


def revert(raster: str, log: str, output: str, progress: Progress = SILENT) -> dict:
    """Write the map as it was before a batch; checked pixel by pixel and by fingerprint.

    Changes made after the batch are kept where they lie elsewhere; where they lie on its pixels
    the revert is refused.
    """
    values = read_log(log)
    _refuse_same(raster, output)
    runs = [_unpacked(text) for text in values["runs"]]
    every = np.concatenate(runs) if runs else np.zeros((0, 5), np.int32)
    digest = hashlib.sha256()
    with ClassRaster(raster) as now:
        grid = now.grid
        if [grid.width, grid.height] != [values["grid"]["width"], values["grid"]["height"]]:
            raise ConcordError(
                f"{raster} has another grid than the batch; choose the raster that it made."
            )
        scheme = now.taxonomy("")
        described = {"colours": scheme.colours, "categories": scheme.names}
        with rasters.Writer(output, grid, 1, "uint8", nodata=0, **described) as writer:
            tiles = list(grid.tiles(_TILE))
            for done, tile in enumerate(tiles):
                progress.report(done, len(tiles), "Reverting")
                current = now.read(tile.core)
                restored = _restored(current, every, tile.core, raster)
                digest.update(restored.tobytes())
                writer.write(restored, tile.core)
    exact = digest.hexdigest() == values["before_pixels_sha256"]
    return {"batch": values["batch"], "pixels": int(every[:, 2].sum()), "identical": exact,
            "output": str(output)}  # fmt: skip


def _restored(current: np.ndarray, runs: np.ndarray, core, raster: str) -> np.ndarray:
    inside = (runs[:, 0] >= core.row) & (runs[:, 0] < core.row + core.height)
    inside &= (runs[:, 1] >= core.col) & (runs[:, 1] < core.col + core.width)
    out = current.copy()
    own = runs[inside]
    if not len(own):
        return out
    starts = (own[:, 0] - core.row).astype(np.int64) * core.width + own[:, 1] - core.col
    where = np.repeat(starts - np.concatenate([[0], np.cumsum(own[:-1, 2])]), own[:, 2])
    where = where + np.arange(int(own[:, 2].sum()))
    flat = out.reshape(-1)
    if (flat[where] != np.repeat(own[:, 4], own[:, 2])).any():
        raise ConcordError(
            f"{raster} was changed on the pixels of this batch since; revert the later batch first."
        )
    flat[where] = np.repeat(own[:, 3], own[:, 2])
    return out
