"""What kind of noise a map has, estimated from the map and the image alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .source import windows_over

_REACH = 10  # pixels around which an offset is looked for
_LARGEST_BLOCK = 40
_POINTS = 6000


@dataclass(frozen=True)
class Shift:
    """By how many (rows, cols) the map should move, and how far that stands out (in standard
    deviations of the match over all offsets)."""

    offset: tuple
    gain: float

    @property
    def is_clear(self) -> bool:
        # A clean map was never above 0.6 with an offset of more than one pixel.
        return self.gain > 1.2 and max(abs(self.offset[0]), abs(self.offset[1])) >= 2


@dataclass(frozen=True)
class Blocks:
    """Side of the squares the map is made of, their turn in degrees, and how regular (0-1)."""

    size: float
    angle: float
    strength: float

    @property
    def is_clear(self) -> bool:
        # Few long borders repeat by chance: a large size needs more proof than a small one.
        return self.strength > (0.4 if self.size < 12 else 0.65)


def speckle(source) -> float:
    """Share of the pixels in groups (8-connected) of at most two."""
    from skimage.measure import label

    tiny = total = 0
    for window in windows_over(source, 256, 16):
        labels = source.patch(window).labels
        known = (labels != 0) & (labels != 255)
        parts = label(labels.astype(np.int32), connectivity=2, background=-1)
        sizes = np.bincount(parts.ravel())
        tiny += int((sizes[parts] <= 2)[known].sum())
        total += int(known.sum())
    return tiny / total if total else 0.0


def _edges(labels: np.ndarray) -> np.ndarray:
    """Pixels on either side of a border between two classes (no data makes no border)."""
    edge = np.zeros(labels.shape, bool)
    known = (labels != 0) & (labels != 255)
    across = (labels[:, 1:] != labels[:, :-1]) & known[:, 1:] & known[:, :-1]
    down = (labels[1:] != labels[:-1]) & known[1:] & known[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _contrast(patch) -> np.ndarray:
    """Gradient of the image, logarithmic and relative to its surroundings."""
    power = np.zeros(patch.labels.shape)
    for plane in patch.bands:
        smooth = ndimage.gaussian_filter(plane, 1.0)
        power += ndimage.sobel(smooth, 0) ** 2 + ndimage.sobel(smooth, 1) ** 2
    slope = np.sqrt(power)
    middle = np.median(slope[patch.valid]) if patch.valid.any() else 0.0
    slope = np.log1p(slope / (middle or 1.0))
    return slope - ndimage.uniform_filter(slope, 41)


def find_shift(source) -> Shift:
    """The offset at which the map's edges lie best on the image's, summed over sample windows."""
    size = 2 * _REACH + 1
    sums, count = np.zeros((size, size)), 0
    for window in windows_over(source, 512, 16):
        patch = source.patch(window)
        edge, slope = _edges(patch.labels) & patch.valid, _contrast(patch)
        border = _REACH + 2
        inner = np.zeros(edge.shape, bool)
        inner[border:-border, border:-border] = True
        rows, cols = np.nonzero(edge & inner)
        if len(rows) > 20000:
            step = len(rows) // 20000 + 1
            rows, cols = rows[::step], cols[::step]
        count += len(rows)
        for down in range(-_REACH, _REACH + 1):
            for right in range(-_REACH, _REACH + 1):
                sums[down + _REACH, right + _REACH] += slope[rows + down, cols + right].sum()
    if count < 200:
        return Shift((0, 0), 0.0)
    match = ndimage.gaussian_filter(sums / count, 0.7)
    best = np.unravel_index(match.argmax(), match.shape)
    offset = (int(best[0]) - _REACH, int(best[1]) - _REACH)
    spread = match.std() or 1.0
    # A peak on the rim is a slope, not a match; edges that match nowhere have no peak at all.
    on_rim = max(abs(offset[0]), abs(offset[1])) == _REACH
    gain = (
        0.0
        if on_rim or match.max() / spread < 3
        else float((match.max() - match[_REACH, _REACH]) / spread)
    )  # noqa: E501
    return Shift(offset, gain)


def _border_points(labels: np.ndarray) -> np.ndarray:
    """(n, 3): column and row of the borders between classes, and the direction across them."""
    across, down = np.zeros(labels.shape), np.zeros(labels.shape)
    for code in np.unique(labels):
        smooth = ndimage.gaussian_filter((labels == code).astype(float), 2.0)
        dy, dx = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
        steeper = np.hypot(dy, dx) > np.hypot(down, across)
        down, across = np.where(steeper, dy, down), np.where(steeper, dx, across)
    known = (labels != 0) & (labels != 255)
    found = []
    differ = (labels[:, 1:] != labels[:, :-1]) & known[:, 1:] & known[:, :-1]
    rows, cols = np.nonzero(differ)
    found.append(np.stack([cols + 0.5, rows, np.arctan2(down[rows, cols], across[rows, cols])], 1))
    differ = (labels[1:] != labels[:-1]) & known[1:] & known[:-1]
    rows, cols = np.nonzero(differ)
    found.append(np.stack([cols, rows + 0.5, np.arctan2(down[rows, cols], across[rows, cols])], 1))
    return np.concatenate(found)


def find_blocks(source) -> Blocks:
    """The lattice on which the map's borders lie, of any turn: a coarser map has one.

    Borders across a direction are projected on it; on a lattice of ``size`` their positions
    repeat, so that the mean of exp(2 pi i position / size) is long.
    """
    best = Blocks(0.0, 0.0, 0.0)
    for window in windows_over(source, 512, 6):
        points = _border_points(source.patch(window).labels)
        if len(points) < 120:
            continue
        if len(points) > _POINTS:
            points = points[np.random.default_rng(0).choice(len(points), _POINTS, replace=False)]
        found = _lattice(points)
        if found.strength > best.strength:
            best = found
    return best


def _lattice(points: np.ndarray) -> Blocks:
    sizes = np.arange(3.0, _LARGEST_BLOCK + 0.5, 0.5)
    best = Blocks(0.0, 0.0, 0.0)
    for angle in range(-44, 46, 2):
        lengths, members = [], 0
        for turn in (np.deg2rad(angle), np.deg2rad(angle + 90)):
            off = np.abs((points[:, 2] - turn + np.pi / 2) % np.pi - np.pi / 2)
            near = points[off < np.deg2rad(20)]
            if len(near) < 40:
                break
            along = near[:, 0] * np.cos(turn) + near[:, 1] * np.sin(turn)
            lengths.append(np.abs(np.exp(2j * np.pi * along[:, None] / sizes).mean(axis=0)))
            members += len(near)
        if len(lengths) < 2:
            continue
        strength = np.minimum(*lengths) * min(1.0, members / len(points) / 0.8)
        top = float(strength.max())
        if top > best.strength:
            # Fractions of the true size repeat too; the largest is the one.
            size = float(sizes[np.flatnonzero(strength >= 0.93 * top)[-1]])
            best = Blocks(size, float(angle), top)
    return best


def disagreement(source, model, over: float = 0.3) -> float:
    """Share of the pixels where the model leads the map's class by more than ``over``.

    Args:
        model: a prepared CrossModel; its answer is smoothed over 9 by 9 pixels.
    """
    from .guided import box

    index = np.full(256, -1, np.int64)
    index[model.codes] = np.arange(len(model.codes))
    off = total = 0
    for window in windows_over(source, 256, 16):
        patch = source.patch(window)
        answer, known = model.posterior(patch, 2)
        smooth = box(answer, 4)
        smooth /= np.maximum(smooth.sum(axis=0), 1e-6)
        old = index[patch.labels]
        judged = (old >= 0) & np.take_along_axis(known, np.maximum(old, 0)[None], 0)[0]
        own = np.take_along_axis(smooth, np.maximum(old, 0)[None], 0)[0]
        off += int(((smooth.max(axis=0) - own) > over)[judged].sum())
        total += int(judged.sum())
    return off / total if total else 0.0
