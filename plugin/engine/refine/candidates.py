"""What speaks for a region that may have another class, counted so that parts can be added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

REACH = 12  # pixels around a region in which the new class's own pixels are looked for
_RING = 2  # pixels around a region that say what surrounds it
_DEPTHS = (3, 4)  # pixels from the outside that a region must reach to be no border
_LEAST = 12  # pixels of a region
_FEW = 10  # pixels of the new class nearby, below which likeness says nothing
_UNITS = 512.0  # bands and leads are summed as whole numbers, so that order cannot matter
_PLAIN = 13  # columns before the sums of bands
_NEXT = np.ones((3, 3), bool)
_FLAT = 0.02  # slope that is added, so that a flat region's outline is not endlessly sharp


@dataclass(frozen=True)
class Table:
    """Columns of the counts of a region with ``bands`` bands.

    Pixels, new class, lead, old class, ring, ring of the new class, pixels at each of two depths,
    inner pixels; pixels of the outline, slope there and slope of the inner ones; ring of the old
    class; then sums of bands: all, inner, nearby of the new class, their squares; and how many
    those nearby are.
    """

    bands: int

    @property
    def columns(self) -> int:
        return _PLAIN + 4 * self.bands + 1


class Evidence:
    """Figures of joined regions, one entry each.

    Attributes:
        size: pixels. new, old: numbers of the classes. lead: mean lead over the old class, 0-1.
        touch: share of the ring that the map gives the new class. within: the same of the ring's
            pixels of these two classes.
        unlike: distance to the new class's pixels nearby in their spreads, infinite when there are
            too few.
        outline: slope of the image where it meets the new class over that inside; above 1 for an
            object.
    """

    def __init__(self, sums: np.ndarray, table: Table):
        n = table.bands
        self.size = sums[:, 0]
        pixels = np.maximum(self.size, 1)
        self.new = np.rint(sums[:, 1] / pixels).astype(np.int64)
        self.lead = sums[:, 2] / pixels / _UNITS
        self.old = np.rint(sums[:, 3] / pixels).astype(np.int64)
        self.touch = sums[:, 5] / np.maximum(sums[:, 4], 1)
        self._deep = sums[:, 6:8]
        self.within = sums[:, 5] / np.maximum(sums[:, 5] + sums[:, 12], 1)
        inner_slope = sums[:, 11] / np.maximum(sums[:, 8], 1) / _UNITS
        self.outline = sums[:, 10] / np.maximum(sums[:, 9], 1) / _UNITS / (inner_slope + _FLAT)
        few = sums[:, 8:9] < 6
        counted = np.where(few, sums[:, :1], sums[:, 8:9])
        whole, inner, near, squares = (
            sums[:, _PLAIN + i * n : _PLAIN + (i + 1) * n] / _UNITS ** (1 + (i == 3))
            for i in range(4)
        )
        own = np.where(few, whole, inner) / np.maximum(counted, 1)
        there = np.maximum(sums[:, -1:], 1)
        near = near / there
        spread = np.maximum(squares / there - near**2, 0.0) + 0.01
        self.unlike = np.sqrt(((own - near) ** 2 / spread).mean(axis=1))
        self.unlike[sums[:, -1] < _FEW] = np.inf

    @property
    def enough(self) -> np.ndarray:
        return self.size >= _LEAST

    def thick(self, step: int) -> np.ndarray:
        """Which regions reach the first or the second depth."""
        return self._deep[:, step] > 0


def without_crumbs(numbers: np.ndarray) -> np.ndarray:
    """The regions of a cell numbered anew, less those that are too small wherever they go on.

    Args:
        numbers: (rows, cols) of int32 from 0, -1 for none.
    """
    sizes = np.bincount(numbers[numbers >= 0])
    keeps = np.append(sizes >= _LEAST, False)
    inner = tuple(slice(_EDGE + 1, max(size - _EDGE - 1, _EDGE + 1)) for size in numbers.shape)
    frame = np.ones(numbers.shape, bool)
    frame[inner] = False
    keeps[numbers[frame & (numbers >= 0)]] = True
    anew = np.where(keeps, np.cumsum(keeps) - 1, -1).astype(np.int32)
    return anew[numbers]


def count_evidence(bands, numbers, regions: int, core: tuple, old, best, lead) -> np.ndarray:
    """(regions, columns): counts of the pixels of a cell's core, for the regions in it and near.

    Args:
        bands: (bands, rows, cols). numbers: (rows, cols) from 0, -1 for none.
        core: slices of the pixels that are counted here and in no other cell.
        old, best: class numbers (rows, cols), ``old`` -1 where there is none. lead: 0-1.
    """
    table = Table(len(bands))
    out = np.zeros((regions, table.columns))
    # Whole numbers in double precision: sums in any order are exact.
    whole = np.rint(bands * _UNITS).astype(np.float64)
    inside_core = np.zeros(numbers.shape, bool)
    inside_core[core] = True
    leads = np.rint(lead * _UNITS).astype(np.float64)
    slopes = np.rint(_slope(bands) * _UNITS)
    sizes = np.bincount(numbers[numbers >= 0], minlength=regions)
    for number, where in enumerate(ndimage.find_objects(numbers + 1)):
        # A small part may belong to a larger region only when it meets the edge of what is seen.
        if where is None or (sizes[number] < _LEAST and not _at_edge(where, numbers)):
            continue
        seen = tuple(slice(max(0, s.start - REACH - 1), s.stop + REACH + 1) for s in where)
        cut = (slice(None), *seen)
        out[number] = _one(whole[cut], numbers[seen] == number, inside_core[seen], old[seen],
                           best[seen], leads[seen], slopes[seen])  # fmt: skip
    return out


def _at_edge(where: tuple, numbers: np.ndarray) -> bool:
    known = numbers.shape
    return any(s.start <= _EDGE or s.stop >= size - _EDGE for s, size in zip(where, known))


_EDGE = 48  # pixels from a window's side that may lie outside of what was cut


def _slope(bands: np.ndarray) -> np.ndarray:
    """(rows, cols): gradient of all bands together, per pixel."""
    power = np.zeros(bands.shape[1:])
    for plane in bands:
        smooth = ndimage.gaussian_filter(plane.astype(np.float64), 0.7)
        power += ndimage.sobel(smooth, 0) ** 2 + ndimage.sobel(smooth, 1) ** 2
    return np.sqrt(power) / 8


def _one(bands, inside, counted, old, best, leads, slopes) -> np.ndarray:
    new = int(best[inside][0])
    outside = ndimage.distance_transform_edt(~inside)
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    ring = (outside > 0) & (outside <= _RING) & (old >= 0) & counted
    near = (outside > 1.5) & (outside <= REACH) & (old == new) & counted
    own = inside & counted
    inner = own & (depth > 1)
    # Only where the region meets its new class: a border to a third one is sharp in any case.
    there = (old == new) & ~inside
    line = own & (depth <= 1) & ndimage.binary_dilation(there, _NEXT)
    line |= ring & (outside <= 1.5) & there
    plain = [
        own.sum(), own.sum() * new, leads[own].sum(), old[own].sum(dtype=np.int64),
        ring.sum(), (ring & (old == new)).sum(), *((own & (depth >= d)).sum() for d in _DEPTHS),
        inner.sum(), line.sum(), slopes[line].sum(), slopes[inner].sum(),
        (ring & (old == int(old[inside][0]))).sum(),
    ]  # fmt: skip
    nearby = bands[:, near]
    sums = [bands[:, own].sum(1), bands[:, inner].sum(1), nearby.sum(1), (nearby**2).sum(1)]
    return np.concatenate([plain, *sums, [near.sum()]])
