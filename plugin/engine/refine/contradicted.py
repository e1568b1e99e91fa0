"""Whole regions that the image contradicts: objects the map leaves out, or shows as they were.

A pixel model that never judges a pixel it was trained on is averaged over segments of the image;
neighbouring segments for which it prefers the same other class make a candidate. Most candidates
on a right map are the model's own errors, and these lie at borders. So a candidate must also
stand alone inside the old class, as a left-out object does, or look like the pixels nearby that
the map gives the new class, and be thicker than a border's uncertainty.

All radii are in pixels, not metres: what counts is how many pixels an object has, and roofs at
0.3 m and floods at 10 m are served by the same ones. On a quarter of fair-uganda the same errors
gave a net gain of 4.9 points at 0.3 m, 5.7 at 0.15 m and 5.9 at 0.075 m (confusion), with radii
that grew with the pixels 5.3 at 0.15 m. Objects under some ten pixels across are beyond it: at
0.9 m (roofs) it lost 1 to 2.3 points, at 30 m (floods) it changed nothing; smaller radii mended
confusion there (to 1.6 and 4.0) but lost 0.8 on stale roofs, so they were left.

The thresholds were chosen on three chips of chesapeake and three parts of fair-uganda, clean and
with omission, stale and confusion of the seeds 1, 2 and 7 (tests/bench/noises.py); the second pair
of _TO_RARER was then raised because a quarter of sen1floods-es, clean, lost 0.5 % to it. Those of
_ALONE_UNLIKE to _ALONE_SURE, _WITHIN and _OUTLINED were chosen on chesapeake 0 and 3 and on parts
of fair-uganda (all quarters but the north-east one, the north and the middle), which lost up to
0.9 % clean and 2.2 points when stale. The parts of sen1floods-es and eolearn-patch in the noise
bench were only looked at afterwards.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import segmentation

from ..grid import Window
from ..progress import SILENT, Progress
from .afar import unlike_afar
from .candidates import REACH, Evidence, Table, count_evidence, without_crumbs
from .fused import FusedEngine
from .guided import box
from .model import FEATURE_HALO
from .opinion import Opinion, Patch, Source
from .partition import OVERLAP, Cells, Partition

_SEGMENT = 0.7  # weight of the segment's mean against the pixel's own surroundings
_AROUND = 4
_UNITS = 250  # probabilities are kept as whole numbers
_SEEN = REACH + 8  # pixels around a cell in which candidates are cut
_ALONE, _ALONE_LEAD = 0.02, 0.3
_ALONE_UNLIKE, _ALONE_SURE = 1.2, 0.55  # such a region's unlike at most, or lead at least
_BESIDE = 0.5  # share of the surroundings that has the new class already
# Pairs of (unlike at most, lead at least) at which such a region is believed.
_TO_RARER = ((0.3, 0.1), (0.8, 0.7))
_TO_COMMON = ((0.1, 0.3),)
_STRONG = (0.45, 0.7)
_SWAPPED = 0.0025  # share of the map in strong regions, from which on classes are swapped
_WHEN_SWAPPED = ((0.3, 0.3), (0.45, 0.5), (0.8, 0.7))
_WITHIN = 0.7  # share of the new class around, against the old, that swapped regions need
_OUTLINED = 1.5  # sharper outlines are those of objects
_PLAINLY = 0.02  # as _SWAPPED: from which on an outline is no reason against it


class ContradictedEngine:
    """Relabels regions whose image speaks for another class; leaves borders alone.

    Args:
        scale: Felzenszwalb's scale of the segments.
        folder: where cells are kept; None for memory.
    """

    id = "contradicted"
    halo = 0  # everything is decided for the whole map before any tile is answered

    def __init__(self, scale: float = 100.0, folder: Path | None = None):
        self._scale = scale
        self._folders = [None if folder is None else folder / n for n in ("a", "b", "c")]
        self.fused = FusedEngine(0.0)
        self.model = self.fused.model
        self._fresh: tuple = ()
        self.settings = (
            f"extra-trees of the other half of a checkerboard, averaged over segments of scale "
            f"{scale:g}; a region must stand alone or look like its new class nearby"
        )
        self.alone = self.changed = 0.0
        self.swapped = False

    def prepare(self, source: Source, progress: Progress = SILENT) -> None:
        self.learn(source, progress)
        self.cut(source, progress)

    def learn(self, source: Source, progress: Progress = SILENT) -> None:
        """Train the model, the first and lesser part of ``prepare``."""
        self.fused.prepare(source, progress)
        self._codes = self.model.codes
        self._index = np.full(256, -1, np.int16)
        self._index[self._codes] = np.arange(len(self._codes))

    def cut(self, source: Source, progress: Progress = SILENT) -> None:
        """Find the regions and decide on them."""
        self._size = (source.width, source.height)
        self._counts = np.zeros(len(self._codes), np.int64)  # pixels of each class
        if not self.model.works:
            return
        for folder in self._folders:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        self._answers = Cells(self._folders[0])
        self._segments = Partition(self._cut, self._sums, self._folders[1])
        self._segments.prepare(source, progress)
        self._means = _means_of(self._segments.sums)
        self._segments.sums = self._segments.sums[:0].copy()
        self._regions = Partition(
            self._candidates, self._evidence, self._folders[2], exact=True, overlap=OVERLAP
        )
        self._regions.prepare(source, progress)
        bands = len(source.patch(_FIRST).bands)
        self._decide(Evidence(self._regions.sums, Table(bands)), source)
        # What is not asked any more would take memory while the map is written.
        self._regions.sums = self._regions.sums[:0].copy()
        self._segments = self._means = None
        self._fresh = ()

    def _decide(self, found: Evidence, source: Source) -> None:
        """Which candidates are believed, and how much of the map they are.

        A class that the map has lost teaches the model that its places belong to the class that
        replaced it, so that the model would take away what is left. A change to a more common
        class therefore needs more proof, until the map shows that classes are swapped; and even
        then what lies amid others of its class, or has a sharp outline, is an object and stays.
        """
        total = float(self._size[0] * self._size[1])
        common = self._counts[found.new] >= self._counts[found.old]
        alone = found.thick(0) & (found.touch <= _ALONE) & (found.lead >= _ALONE_LEAD)
        alone &= found.enough
        alone &= self._resembles(found, np.flatnonzero(alone), source)
        beside = found.thick(1) & (found.touch > _BESIDE) & found.enough
        blends = found.outline <= _OUTLINED
        strong = beside & common & _passes(found, (_STRONG,))
        plain = found.size[strong].sum() / total >= _PLAINLY
        self.swapped = plain or found.size[strong & blends].sum() / total >= _SWAPPED
        proof = np.where(common, _passes(found, _TO_COMMON), _passes(found, _TO_RARER))
        if self.swapped:
            within = common & (blends | plain) & (found.within >= _WITHIN)
            proof = proof | (within & _passes(found, _WHEN_SWAPPED))
        taken = alone | (beside & proof)
        self._taken = np.append(taken, False)
        self._new = np.append(self._codes[found.new], 0)
        self._lead = np.append(np.round(found.lead, 4), 0.0).astype(np.float32)
        self.changed = float(found.size[taken].sum()) / total
        self.alone = float(found.size[alone].sum()) / total

    def _resembles(self, found: Evidence, which: np.ndarray, source: Source) -> np.ndarray:
        """Which regions look like their new class, nearby or farther off, or are very sure."""
        unlike, sure = found.unlike.copy(), found.lead >= _ALONE_SURE
        asked = which[(unlike[which] > _ALONE_UNLIKE) & ~sure[which]]
        codes = self._codes[found.new[asked]]
        unlike[asked] = unlike_afar(source, self._regions, asked, codes)
        return sure | (unlike <= _ALONE_UNLIKE)

    def _cut(self, patch: Patch) -> np.ndarray:
        return segmentation.felzenszwalb(
            patch.picture, scale=self._scale, sigma=0.8, min_size=20, channel_axis=-1
        )

    def _answer(self, patch: Patch) -> np.ndarray:
        """(classes + 1, rows, cols) of uint8: probabilities, and which class is known as a bit.

        Asked every second pixel; kept at that size.
        """
        window = patch.window
        if self._fresh and self._fresh[0] == window:
            return self._fresh[1]
        key = (window.row, window.col)
        small = self._answers.get(key)
        if small is None:
            answer, known = self.model.posterior(patch, 2)
            own = self._index[patch.labels]
            judged = np.take_along_axis(known, np.maximum(own, 0)[None].astype(np.int64), 0)
            both = np.concatenate([answer * _UNITS, judged.astype(np.float32)])
            small = np.rint(both[:, ::2, ::2]).astype(np.uint8)
            self._answers.put(key, small)
        whole = small.repeat(2, axis=1).repeat(2, axis=2)
        whole = whole[:, : window.height, : window.width]
        self._fresh = (window, whole)
        return whole

    def _sums(self, patch: Patch, numbers: np.ndarray, regions: int) -> np.ndarray:
        use = (numbers >= 0) & patch.valid
        which = numbers[use]
        planes = [np.bincount(which, p[use], minlength=regions) for p in self._answer(patch)[:-1]]
        return np.stack([*planes, np.bincount(which, minlength=regions)], axis=1)

    def _judged(self, patch: Patch) -> tuple:
        """(old class, best class, lead of the best over the old, may change), (rows, cols)."""
        whole = self._means[self._segments.numbers(patch.window)].transpose(2, 0, 1)
        kept = self._answer(patch)
        near = box(kept[:-1].astype(np.float32) / _UNITS, _AROUND)
        mixed = np.round(_SEGMENT * whole + (1 - _SEGMENT) * near, 3)
        old = self._index[patch.labels]
        own = np.take_along_axis(mixed, np.maximum(old, 0)[None].astype(np.int64), 0)[0]
        best = mixed.argmax(axis=0).astype(np.int16)
        usable = (old >= 0) & patch.valid & (kept[-1] > 0)
        return old, best, mixed.max(axis=0) - own, usable

    def _candidates(self, patch: Patch) -> np.ndarray:
        """Numbers of the connected regions of one old and one better class."""
        old, best, lead, usable = self._judged(patch)
        wants = usable & (best != old) & (lead > 0)
        wants &= _core_and_around(patch.window, self._size)
        out = np.full(wants.shape, -1, np.int32)
        pairs = np.where(wants, old.astype(np.int32) * 256 + best, -1)
        first = 0
        for pair in np.unique(pairs[wants]):
            parts, count = ndimage.label(pairs == pair)
            out[parts > 0] = parts[parts > 0] + (first - 1)
            first += count
        return without_crumbs(out)

    def _evidence(self, patch: Patch, numbers: np.ndarray, regions: int, core: tuple):
        old, best, lead, _ = self._judged(patch)
        old = np.where(patch.valid, old, -1)
        labelled = old[core][old[core] >= 0]
        self._counts += np.bincount(labelled, minlength=len(self._counts))
        return count_evidence(patch.bands, numbers, regions, core, old, best, lead)

    def propose(self, patch: Patch) -> Opinion:
        zero = np.zeros(patch.labels.shape, np.float32)
        if not self.model.works:
            return Opinion(patch.labels, zero, zero)
        numbers = self._regions.numbers(patch.window)
        moves = self._taken[numbers]
        proposed = np.where(moves, self._new[numbers], patch.labels).astype(np.uint8)
        lead = np.where(moves, self._lead[numbers], 0.0).astype(np.float32)
        return Opinion(proposed, np.where(moves, (1 + lead) / 2, 1.0).astype(np.float32), lead)


def _means_of(sums: np.ndarray) -> np.ndarray:
    """(segments + 1, classes) of float32: mean probabilities; the last row is for no segment."""
    out = np.zeros((len(sums) + 1, sums.shape[1] - 1), np.float32)
    for at in range(0, len(sums), 100_000):
        part = sums[at : at + 100_000]
        out[at : at + len(part)] = part[:, :-1] / np.maximum(part[:, -1:], 1) / _UNITS
    return out


def _passes(found: Evidence, pairs: tuple) -> np.ndarray:
    return np.any([(found.unlike <= u) & (found.lead >= least) for u, least in pairs], axis=0)


_FIRST = Window(0, 0, 1, 1)


def _core_and_around(window: Window, size: tuple) -> np.ndarray:
    """(rows, cols): what lies far enough from the window's sides to be judged the same in every
    window that shows it; a side that is the map's own counts as far."""
    spare = OVERLAP - _SEEN
    assert spare > FEATURE_HALO + _AROUND
    out = np.zeros((window.height, window.width), bool)
    top, left = (0 if at == 0 else spare for at in (window.row, window.col))
    below = window.height - (0 if window.row + window.height == size[1] else spare)
    right = window.width - (0 if window.col + window.width == size[0] else spare)
    out[top:below, left:right] = True
    return out
