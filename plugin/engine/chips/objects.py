"""Objects of a chip's mask: regions, outlines in pixels, boxes, run lengths, boundaries.

Pixel space has its origin at the upper left corner of the upper left pixel; x runs along columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..grid import Grid


@dataclass(frozen=True)
class Thing:
    """One connected region of a class: number, class code, pixels, outline rings (n, 2) in pixels.

    ``rings[0]`` is the outer ring, the others are holes; all are closed.
    """

    number: int
    code: int
    area: int
    rings: tuple

    @property
    def box(self) -> tuple:
        """(x, y, width, height) in pixels."""
        low, high = self.rings[0].min(axis=0), self.rings[0].max(axis=0)
        return (*(float(v) for v in low), *(float(v) for v in high - low))


def things(label: np.ndarray, codes, least: int = 1) -> list:
    """The 4-connected regions of the given codes with at least ``least`` pixels.

    Args:
        label: class codes (rows, cols).
    """
    wanted = np.isin(label, list(codes))
    if not wanted.any():
        return []
    found = []
    for geometry, code in rasters.polygons(label, _pixels(label.shape), wanted):
        rings = tuple(np.asarray(ring, float) - 1 for ring in geometry["coordinates"])
        area = round(_area(rings[0]) - sum(_area(ring) for ring in rings[1:]))
        if area >= least:
            found.append((int(code), area, rings))
    # GDAL's order depends on how it scans; place decides here.
    found.sort(key=lambda f: (f[2][0][:, 1].min(), f[2][0][:, 0].min(), f[0], f[1]))
    return [Thing(i, *entry) for i, entry in enumerate(found, 1)]


def _pixels(shape: tuple) -> Grid:
    """Pixel space moved by one, because rasterio warns of an identity transform."""
    return Grid("", (1, 0, 1, 0, 1, 1), shape[1], shape[0])


def _area(ring: np.ndarray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2


def mask_of(thing: Thing, shape: tuple) -> np.ndarray:
    """The region as a boolean mask (rows, cols)."""
    return numbered([thing], shape) > 0


def numbered(found: list, shape: tuple) -> np.ndarray:
    """Region numbers (rows, cols) as uint16, 0 where there is none."""
    shapes = [
        ({"type": "Polygon", "coordinates": [(r + 1).tolist() for r in t.rings]}, t.number)
        for t in found
    ]
    return rasters.burn(shapes, _pixels(shape), "uint16")


def boundary(numbers: np.ndarray, width: int = 1) -> np.ndarray:
    """True (rows, cols) on the ``width`` outermost pixels of every region, as GTPBD derives it.

    The chip's own edge is no boundary: the region may go on there.
    """
    edge = np.zeros(numbers.shape, bool)
    inner = numbers.copy()
    for _ in range(max(1, width)):
        padded = np.pad(inner, 1, mode="edge")
        differs = np.zeros(numbers.shape, bool)
        for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
            near = padded[dy : dy + numbers.shape[0], dx : dx + numbers.shape[1]]
            differs |= near != inner
        ring = differs & (inner > 0)
        edge |= ring
        inner[ring] = 0
    return edge


def run_lengths(mask: np.ndarray) -> list:
    """COCO's uncompressed run lengths of a mask (rows, cols): column by column, zeros first."""
    flat = np.asarray(mask, bool).ravel(order="F")
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], change, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def pack(counts: list) -> str:
    """Run lengths as COCO's compressed string: differences to the last but one, 5 bits a letter."""
    out = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            part = value & 0x1F
            value >>= 5
            more = value != -1 if part & 0x10 else value != 0
            out.append(chr((part | 0x20 if more else part) + 48))
    return "".join(out)


def unpack(text: str) -> list:
    """Run lengths from COCO's compressed string."""
    counts: list = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            part = ord(text[position]) - 48
            value |= (part & 0x1F) << (5 * shift)
            more = bool(part & 0x20)
            position += 1
            shift += 1
            if not more and part & 0x10:
                value |= -1 << (5 * shift)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def mask_from_runs(counts: list, shape: tuple) -> np.ndarray:
    """The mask (rows, cols) of COCO run lengths.

    Raises:
        ValueError: the run lengths do not fill the shape.
    """
    rows, cols = shape
    values = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(values, counts)
    if flat.size != rows * cols:
        raise ValueError(f"run lengths of {flat.size} pixels for {cols} x {rows}")
    return flat.reshape(shape, order="F")


def one_ring(rings: tuple) -> np.ndarray:
    """The outline with its holes cut open by bridges of no width, for formats without holes."""
    outer = rings[0][:-1]
    for hole in sorted((r[:-1] for r in rings[1:]), key=lambda r: -r[:, 0].max()):
        gaps = ((outer[:, None] - hole[None]) ** 2).sum(axis=2)
        i, j = np.unravel_index(int(gaps.argmin()), gaps.shape)
        turned = np.concatenate([hole[j:], hole[: j + 1]])
        outer = np.concatenate([outer[: i + 1], turned, outer[i:]])
    return outer


def oriented_box(ring: np.ndarray) -> np.ndarray:
    """The four corners (4, 2) of the smallest rectangle around a ring, at any angle.

    One side of it lies on the convex hull (Freeman and Shapira 1975).
    """
    hull = _hull(ring)
    best = None
    for a, b in zip(hull, np.roll(hull, -1, axis=0)):
        along = b - a
        length = float(np.hypot(*along))
        if length == 0:
            continue
        along = along / length
        across = np.array([-along[1], along[0]])
        u, v = hull @ along, hull @ across
        area = (u.max() - u.min()) * (v.max() - v.min())
        if best is None or area < best[0] - 1e-9:
            ends = [(u.min(), v.min()), (u.max(), v.min()), (u.max(), v.max()), (u.min(), v.max())]
            best = (area, np.array([s * along + t * across for s, t in ends]))
    return best[1]


def _hull(points: np.ndarray) -> np.ndarray:
    """Andrew's monotone chain."""
    spots = sorted(set(map(tuple, points.tolist())))

    def chain(order):
        out: list = []
        for p in order:
            while len(out) > 1 and _turn(out[-2], out[-1], p) <= 0:
                out.pop()
            out.append(p)
        return out[:-1]

    return np.array(chain(spots) + chain(reversed(spots)))


def _turn(o, a, b) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
