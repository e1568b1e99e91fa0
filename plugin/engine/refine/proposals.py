"""Changed regions of the whole map as polygons: one region, one proposal, wherever tiles end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage, sparse

from .. import rasters
from ..grid import Window
from ..progress import Progress
from ..taxonomy import Taxonomy

# GDAL is asked through rasterio, which holds the lock of Python while it draws, so that more
# regions at once would stop the window: 400 take 5 ms.
_SHEET = 512  # pixels a side
_AT_ONCE = 400  # regions
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
    sheets = list(grid.tiles(_SHEET))
    pieces = _counted(read, sheets, -(-grid.width // _SHEET), progress.part(0, 50))
    kept, left_out = pieces.best(MOST)
    shapes: dict = {int(root): () for root in kept}
    wanted = np.isin(pieces.root, kept)
    drawn = progress.part(50, 100)
    for done, (tile, first) in enumerate(zip(sheets, pieces.starts)):
        drawn.report(done, len(sheets), "Drawing proposals", "sheets")
        last = pieces.starts[done + 1]
        if not wanted[first:last].any():
            continue
        parts = _sheet(read(tile.core))[0]
        for shape, number in _polygons(parts, wanted[first:last], grid.sub(tile.core)):
            shapes[int(pieces.root[first + number])] += (_packed(shape["coordinates"]),)
    width, height = grid.pixel_size
    figures = [(shapes[int(root)], *pieces.of(root)) for root in kept]
    return Proposals(figures, scheme, evidence, width * height), left_out


class Proposals(Sequence):
    """(GeoJSON geometry, attributes) of each region, made when it is asked for.

    Until then a shape is bytes: lists of points are objects that Python's garbage collector walks
    through with the lock held, for half a second when there are 100,000 shapes.

    Args:
        figures: of each region its polygons' coordinates as bytes, old and new class as one
            number, pixels and summed confidence.
        pixel: area of a pixel.
    """

    def __init__(self, figures: list, scheme: Taxonomy, evidence: str, pixel: float):
        self._figures, self._scheme, self._evidence, self._pixel = figures, scheme, evidence, pixel

    def __len__(self) -> int:
        return len(self._figures)

    def __eq__(self, other) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # as of a list

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        packed, pair, pixels, sure = self._figures[place]
        old, new = divmod(pair, 256)
        confidence = sure / 250.0 / pixels
        attributes = {
            "proposal": range(len(self))[place] + 1,
            "old_class": old,
            "new_class": new,
            "old_name": self._scheme.name(old),
            "new_name": self._scheme.name(new),
            "confidence": round(confidence, 4),
            "pixels": pixels,
            "area": float(pixels * self._pixel),
            "priority": round(confidence * pixels * self._pixel, 4),
            "evidence": self._evidence,
            "status": "open",
        }
        parts = [_unpacked(part) for part in packed]
        if len(parts) == 1:
            return {"type": "Polygon", "coordinates": parts[0]}, attributes
        return {"type": "MultiPolygon", "coordinates": parts}, attributes


def _packed(rings) -> tuple:
    """Rings of points as bytes."""
    return tuple(np.array(ring, np.float64).tobytes() for ring in rings)


def _unpacked(rings: tuple) -> list:
    points = (np.frombuffer(ring, np.float64).reshape(-1, 2).tolist() for ring in rings)
    return [[tuple(point) for point in ring] for ring in points]


class _Pieces:
    """The changed regions of all sheets: figures of each piece, and which pieces are one region.

    Args:
        tables: of each sheet (3, pieces): old and new class as one number, pixels, confidence.
        links: arrays (n, 2) of pieces that meet and change alike.
    """

    def __init__(self, tables: list, links: list):
        self.starts = np.concatenate([[0], np.cumsum([t.shape[1] for t in tables])]).astype(int)
        count = int(self.starts[-1])
        pairs = np.concatenate(links) if links else np.zeros((0, 2), np.int64)
        graph = sparse.coo_matrix((np.ones(len(pairs), bool), pairs.T), (count, count))
        groups, group = sparse.csgraph.connected_components(graph, directed=False)
        first = np.zeros(groups, np.int32)
        first[group[::-1]] = np.arange(count, dtype=np.int32)[::-1]  # the last one written stays
        self.root = first[group]  # a region goes by its first piece
        self._regions = np.sort(first)
        self._pair = self._row(tables, 0)
        self._pixels = np.bincount(self.root, self._row(tables, 1), minlength=count)
        self._sure = np.bincount(self.root, self._row(tables, 2), minlength=count)

    @staticmethod
    def _row(tables: list, row: int) -> np.ndarray:
        return np.concatenate([t[row] for t in tables]) if tables else np.zeros(0, np.int32)

    def best(self, most: int) -> tuple:
        """(regions by confidence times area, at most so many; pixels of those left out)."""
        regions = self._regions
        order = regions[np.argsort(-self._sure[regions], kind="stable")]
        return order[:most], int(self._pixels[order[most:]].sum())

    def of(self, root: int) -> tuple:
        """(old and new class as one number, pixels, summed confidence) of a region."""
        return int(self._pair[root]), int(self._pixels[root]), int(self._sure[root])


def _counted(read, sheets: list, across: int, progress: Progress) -> _Pieces:
    """Number and count the changed regions of every sheet; nothing is drawn."""
    tables, links, total = [], [], 0
    above: dict = {}
    left = None
    for done, tile in enumerate(sheets):
        progress.report(done, len(sheets), "Counting proposals", "sheets")
        column = done % across
        parts, pairs, table = _sheet(read(tile.core))
        parts = np.where(parts > 0, parts.astype(np.int64) + total, 0)
        if column:
            links.append(_meeting(left[0], left[1], parts[:, 0], pairs[:, 0]))
        if column in above:
            links.append(_meeting(*above[column], parts[0], pairs[0]))
        left = parts[:, -1].copy(), pairs[:, -1].copy()
        above[column] = parts[-1].copy(), pairs[-1].copy()
        tables.append(table)
        total += table.shape[1]
    return _Pieces(tables, links)


def _sheet(values: tuple) -> tuple:
    """(region numbers from 1 with 0 unchanged, (old, new) pairs, table for ``_Pieces``)."""
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
    pair_of = np.zeros(count + 1, np.int64)
    pair_of[flat] = pairs.ravel()
    pixels = np.bincount(flat, minlength=count + 1)
    sure = np.bincount(flat, confidence.ravel(), minlength=count + 1).astype(np.int64)
    return parts, pairs, np.stack([pair_of, pixels, sure])[:, 1:].astype(np.int32)


def _polygons(parts: np.ndarray, wanted: np.ndarray, grid):
    """(polygon, number from 0) of the wanted regions of a sheet, a few at a time."""
    numbers = np.flatnonzero(wanted) + 1
    boxes = ndimage.find_objects(parts)
    numbers = numbers[np.argsort([boxes[n - 1][0].start for n in numbers], kind="stable")]
    for at in range(0, len(numbers), _AT_ONCE):
        chosen = numbers[at : at + _AT_ONCE]
        rows, cols = (
            slice(min(boxes[n - 1][axis].start for n in chosen),
                  max(boxes[n - 1][axis].stop for n in chosen))
            for axis in (0, 1)
        )  # fmt: skip
        shown = np.zeros(len(wanted) + 1, bool)
        shown[chosen] = True
        strip = parts[rows, cols]
        window = Window(cols.start, rows.start, strip.shape[1], strip.shape[0])
        for shape, number in rasters.polygons(strip, grid.sub(window), shown[strip]):
            yield shape, int(number) - 1


def _meeting(parts_a, pairs_a, parts_b, pairs_b) -> np.ndarray:
    """(n, 2) of regions (from 0) that change alike on both sides of a line."""
    same = (parts_a > 0) & (parts_b > 0) & (pairs_a == pairs_b)
    return np.unique(np.stack([parts_a[same], parts_b[same]], 1), axis=0) - 1
