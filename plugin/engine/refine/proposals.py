"""Changed regions of the whole map as polygons: one region, one proposal, wherever tiles end."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse

from .. import rasters
from ..progress import Progress
from ..taxonomy import Taxonomy

# Pixels a side of what is drawn at once: GDAL is asked through rasterio, which holds the lock of
# Python while it draws, so that larger sheets would stop the window.
_SHEET = 512
MOST = 100_000


def gather(read, grid, scheme: Taxonomy, evidence: str, progress: Progress) -> tuple:
    """(proposals, pixels of the ones that were left out because there were too many).

    Args:
        read: function of a Window to (before, after, confidence 0-250) of uint8.
        evidence: what the proposals rest on, in words.

    Returns:
        A proposal is (GeoJSON polygon or multipolygon, attributes), sorted by confidence times
        area. The parts of a multipolygon may share an edge.
    """
    pieces, links, total = [], [], 0
    above: dict = {}
    sheets = list(grid.tiles(_SHEET))
    across = -(-grid.width // _SHEET)
    left = None
    for done, tile in enumerate(sheets):
        progress.report(done, len(sheets), "Drawing proposals", "sheets")
        column = done % across
        parts, pairs, found = _sheet(read(tile.core), total)
        for shape, number in _polygons(parts, grid.sub(tile.core), total):
            found[number]["shapes"].append(shape)
        if column:
            links += _meeting(left[0][:, -1], left[1][:, -1], parts[:, 0], pairs[:, 0])
        if column in above:
            links += _meeting(*above[column], parts[0], pairs[0])
        left = parts[:, -1:], pairs[:, -1:]
        above[column] = parts[-1].copy(), pairs[-1].copy()
        pieces += found
        total += len(found)
    joined = _merge(pieces, links)
    joined.sort(key=lambda p: (-p["sure"], p["first"]))
    kept, left_out = joined[:MOST], joined[MOST:]
    width, height = grid.pixel_size
    named = [_named(p, n, scheme, evidence, width * height) for n, p in enumerate(kept, 1)]
    return named, sum(p["pixels"] for p in left_out)


def _sheet(values: tuple, first: int) -> tuple:
    """(region numbers from 1 with 0 unchanged, (old, new) pairs, a dict for each region)."""
    before, after, confidence = values
    changed = before != after
    pairs = np.where(changed, before.astype(np.int32) * 256 + after, 0)
    parts = np.zeros(pairs.shape, np.int32)
    count = 0
    for pair in np.unique(pairs[changed]):
        numbered, more = ndimage.label(pairs == pair)
        parts[numbered > 0] = numbered[numbered > 0] + count
        count += more
    flat = parts.ravel()
    pixels = np.bincount(flat, minlength=count + 1)[1:]
    sure = np.bincount(flat, confidence.ravel(), minlength=count + 1)[1:]
    pair_of = np.zeros(count + 1, np.int32)
    pair_of[flat] = pairs.ravel()
    found = [
        {"pair": int(pair_of[i + 1]), "pixels": int(pixels[i]), "sure": float(sure[i]),
         "shapes": [], "first": first + i}
        for i in range(count)
    ]  # fmt: skip
    return np.where(parts > 0, parts + first, 0), pairs, found


def _polygons(parts: np.ndarray, grid, first: int):
    if parts.any():
        for shape, number in rasters.polygons(parts.astype(np.int32), grid, parts > 0):
            yield shape, int(number) - first - 1


def _meeting(parts_a, pairs_a, parts_b, pairs_b) -> list:
    """[(a, b)] of regions (from 0) that change alike on both sides of a line."""
    same = (parts_a > 0) & (parts_b > 0) & (pairs_a == pairs_b)
    found = np.unique(np.stack([parts_a[same], parts_b[same]], 1), axis=0)
    return [(int(a) - 1, int(b) - 1) for a, b in found]


def _merge(pieces: list, links: list) -> list:
    if not links:
        return pieces
    a, b = zip(*links)
    graph = sparse.coo_matrix((np.ones(len(a), bool), (a, b)), (len(pieces), len(pieces)))
    _, root = sparse.csgraph.connected_components(graph, directed=False)
    merged: dict = {}
    for piece, number in zip(pieces, root):
        if number not in merged:
            merged[number] = piece
            continue
        whole = merged[number]
        whole["pixels"] += piece["pixels"]
        whole["sure"] += piece["sure"]
        whole["shapes"] += piece["shapes"]
    return list(merged.values())


def _named(piece: dict, number: int, scheme: Taxonomy, evidence: str, pixel: float) -> tuple:
    old, new = divmod(piece["pair"], 256)
    confidence = piece["sure"] / 250.0 / piece["pixels"]
    attributes = {
        "proposal": number,
        "old_class": old,
        "new_class": new,
        "old_name": scheme.name(old),
        "new_name": scheme.name(new),
        "confidence": round(confidence, 4),
        "pixels": piece["pixels"],
        "area": float(piece["pixels"] * pixel),
        "priority": round(confidence * piece["pixels"] * pixel, 4),
        "evidence": evidence,
        "status": "open",
    }
    shapes = piece["shapes"]
    if len(shapes) == 1:
        return shapes[0], attributes
    parts = [shape["coordinates"] for shape in shapes]
    return {"type": "MultiPolygon", "coordinates": parts}, attributes
