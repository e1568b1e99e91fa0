"""Every region of an extent: segments to prompt from, masks that compete on confidence.

Works tile by tile. A tile answers for its core and reads half a tile more on every side; a mask
whose seed lies in the core may reach over the core's border, so that no tile line cuts an object.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import segmentation

from .. import rasters
from ..errors import NoData
from ..grid import Grid, Window
from ..progress import SILENT, Progress
from ..scene import Scene
from . import places
from .composite import Composite
from .places import Place
from .prompts import Prompt

_SCALE = 120.0  # Felzenszwalb's scale of the segments that seed, larger than those of a prompt
_SEEDS = 150  # prompts of a tile; more take minutes and hardly find more
_SCORE, _STABILITY = 0.5, 0.7  # masks below are left to the segments
_SHARE = 0.25  # of a segment that an earlier tile's region holds: it goes on
_LARGEST = 0.25  # of the tile: larger masks are background


@dataclass(frozen=True)
class Found:
    """Region numbers 1 ... count in a file that is read like an array, on the extent's grid."""

    path: str
    window: Window
    grid: Grid
    count: int

    def open(self) -> np.ndarray:
        """The numbers (rows, cols) of int32; 0 is no data."""
        shape = (self.window.height, self.window.width)
        return np.memmap(self.path, np.int32, "r", shape=shape)


def window_of(grid: Grid, bounds, bounds_crs: str = "") -> Window:
    """The part of a grid under an extent, which may be in another CRS; the whole without one.

    Raises:
        ConcordError: the extent does not touch the grid.
    """
    if bounds is None:
        return grid.window
    if bounds_crs and not rasters.same_crs(bounds_crs, grid.crs):
        bounds = rasters.transform_bounds(bounds, bounds_crs, grid.crs)
    return grid.window_of(bounds)


def encode(
    scene: Scene,
    planes: Composite,
    provider,
    window: Window,
    level: int = 0,
    progress: Progress = SILENT,
) -> tuple:
    """Prepare all tiles of a window, so that prompts there are answered at once.

    Returns:
        (tiles, those without data).
    """
    tile = getattr(provider, "tile", places.TILE)
    found = places.covering(window, scene.grid.width, scene.grid.height, tile, 2**level)
    empty = 0
    for done, place in enumerate(found):
        progress.report(done, len(found), "Encoding")
        try:
            places.encoding_at(scene, planes, provider, place)
        except NoData:
            empty += 1
    progress.report(1, 1, "Encoded")
    return len(found), empty


def regions(
    scene: Scene,
    planes: Composite,
    provider,
    window: Window,
    smallest: int,
    folder: str | Path,
    progress: Progress = SILENT,
) -> Found:
    """Number all regions of a window.

    Args:
        smallest: pixels of the smallest region; smaller ones join a neighbour.
        folder: where the working file goes (4 bytes a pixel); the caller removes it.
    """
    path = str(Path(tempfile.mkdtemp(dir=folder)) / "regions.i4")
    shape = (window.height, window.width)
    numbers = np.memmap(path, np.int32, "w+", shape=shape)
    tile = getattr(provider, "tile", places.TILE)
    cores = list(scene.grid.tiles(tile // 2, tile // 4, window))
    count = 0
    for done, core in enumerate(cores):
        progress.report(done, len(cores), "Segmenting")
        reach = _inside(core.window, window)
        place = Place(reach, 1)
        image, valid = planes.render(scene, reach)
        if not valid.any():
            continue
        part = _slices(reach, window)
        before = np.array(numbers[part])
        segments = _segments(image, valid, smallest)
        masks = []
        if provider.id != "regions":
            masks = _masks(scene, planes, provider, place, segments, core.core)
        after, count = _paint(before, masks, segments, valid, core.core, reach, count)
        after = _joined(after, valid, _slices(core.core, reach), smallest)
        numbers[part] = after
    sizes = _swept(numbers, cores, window, smallest, count)
    numbers.flush()
    progress.report(1, 1, "Segmented")
    return Found(path, window, scene.grid.sub(window), int((sizes[1:] > 0).sum()))


def _swept(numbers: np.ndarray, cores: list, window: Window, smallest: int, count: int):
    """Join what is still too small now that all tiles are there; pixels of each number."""
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    if smallest > 1:
        for core in cores:
            part = _slices(_inside(core.window, window), window)
            own = numbers[part]
            small = (own > 0) & (sizes[own] < smallest)
            keep = (own > 0) & ~small
            if small.any() and keep.any():
                nearest = ndimage.distance_transform_edt(
                    ~keep, return_distances=False, return_indices=True
                )
                numbers[part] = np.where(small, own[tuple(nearest)], own)
        sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    return sizes


def _inside(window: Window, area: Window) -> Window:
    """A window clipped to the extent, so that work and result end where it ends."""
    col, row = max(window.col, area.col), max(window.row, area.row)
    right = min(window.col + window.width, area.col + area.width)
    below = min(window.row + window.height, area.row + area.height)
    return Window(col, row, right - col, below - row)


def _slices(window: Window, area: Window) -> tuple:
    return Window(window.col - area.col, window.row - area.row, window.width, window.height).slices


def _segments(image: np.ndarray, valid: np.ndarray, smallest: int) -> np.ndarray:
    """Numbers from 1; 0 without data."""
    found = segmentation.felzenszwalb(
        image, scale=_SCALE, sigma=0.8, min_size=max(4, smallest), channel_axis=-1
    )
    return np.where(valid, found + 1, 0)


def _masks(scene, planes, provider, place, segments, core: Window) -> list:
    """Masks of prompts at the segments' middles inside the core, the most confident first."""
    encoding, valid = places.encoding_at(scene, planes, provider, place)
    sizes = np.bincount(segments.ravel())
    sizes[0] = 0
    wanted = np.argsort(-sizes, kind="stable")[:_SEEDS]
    inner = segments[_slices(core, place.window)]
    wanted = np.intersect1d(wanted[sizes[wanted] > 0], inner)
    found = []
    for number in wanted:
        row, col = _middle(segments == number)
        best = provider.predict(encoding, Prompt(((col + 0.5, row + 0.5),), (1,)))[:1]
        for candidate in best:
            mask = candidate.mask & valid
            steady = candidate.stability is None or candidate.stability >= _STABILITY
            if candidate.score >= _SCORE and steady and 0 < mask.mean() <= _LARGEST:
                found.append((candidate.score * (candidate.stability or 1.0), mask))
    return [mask for _, mask in sorted(found, key=lambda item: -item[0])]


def _middle(mask: np.ndarray) -> tuple:
    """A pixel well inside a mask."""
    rows, cols = ndimage.find_objects(mask.astype(np.uint8))[0]
    far = ndimage.distance_transform_cdt(np.pad(mask[rows, cols], 1))[1:-1, 1:-1]
    row, col = np.unravel_index(int(far.argmax()), far.shape)
    return rows.start + row, cols.start + col


def _paint(before, masks, segments, valid, core: Window, reach: Window, count: int) -> tuple:
    """Number the masks, then the segments that lie with their larger part in the core."""
    after = before.copy()
    for mask in masks:
        free = mask & (after == 0)
        if free.sum() > 0.5 * mask.sum():  # else it is another mask's object
            count += 1
            after[free] = count
    inner = np.zeros(segments.shape, bool)
    inner[_slices(core, reach)] = True
    free = (after == 0) & valid
    total = np.maximum(np.bincount(segments.ravel()), 1)
    mine = np.bincount(segments[inner].ravel(), minlength=len(total)) / total > 0.5
    known = _continued(before, segments, total)
    rest = free & (mine[segments] | inner | (known[segments] > 0))
    follows = rest & (known[segments] > 0)
    after[follows] = known[segments[follows]]
    rest &= ~follows
    parts, number = ndimage.label(rest)
    # Segments that touch are not one region: number by segment and by connected part.
    keys = parts.astype(np.int64) * (int(segments.max()) + 1) + segments
    _, flat = np.unique(keys[rest], return_inverse=True)
    after[rest] = flat.astype(np.int32) + count + 1
    return after, count + (int(flat.max()) + 1 if flat.size else 0)


def _continued(before: np.ndarray, segments: np.ndarray, total: np.ndarray) -> np.ndarray:
    """For each segment the region of an earlier tile that it goes on with, 0 for none."""
    seen = before > 0
    known = np.zeros(len(total), np.int32)
    if not seen.any():
        return known
    width = int(before.max()) + 1
    keys, counts = np.unique(
        segments[seen].astype(np.int64) * width + before[seen], return_counts=True
    )
    order = np.argsort(counts, kind="stable")  # the largest share is written last
    owner, region = keys[order] // width, (keys[order] % width).astype(np.int32)
    enough = counts[order] >= _SHARE * total[owner]
    known[owner[enough]] = region[enough]
    return known


def _joined(numbers, valid, core: tuple, smallest: int) -> np.ndarray:
    """Regions below the smallest size inside the core take the number of the nearest other."""
    if smallest <= 1:
        return numbers
    sizes = np.bincount(numbers.ravel())
    small = (sizes[numbers] < smallest) & (numbers > 0)
    window = np.zeros(numbers.shape, bool)
    window[core] = True
    small &= window
    keep = (numbers > 0) & ~small
    if not small.any() or not keep.any():
        return numbers
    nearest = ndimage.distance_transform_edt(~keep, return_distances=False, return_indices=True)
    return np.where(small & valid, numbers[tuple(nearest)], numbers)
