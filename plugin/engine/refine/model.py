"""A pixel model that never judges a pixel it was trained on: two halves of a checkerboard.

Trees (extremely randomised, Geurts et al. 2006, scikit-learn) are trained on the blocks of one
colour and asked about the other, so that they cannot repeat noise they have seen.
"""

from __future__ import annotations

import numpy as np

from .. import packages
from ..errors import ConcordError
from ..progress import SILENT, Progress
from .guided import box
from .opinion import Patch
from .source import windows_over

_RADII = (2, 6)  # of the means that describe a pixel's surroundings
FEATURE_HALO = 2 * max(_RADII) + 1
_SAMPLE = 12000  # pixels a half
_LEAST = 40  # pixels of a class below which a half does not know it


def features_of(patch: Patch) -> np.ndarray:
    """(features, rows, cols): bands, their local means, and local contrast of the first three."""
    bands = patch.bands
    parts = [bands]
    for radius in _RADII:
        means = box(bands, radius)
        parts.append(means)
        few = bands[:3]
        spread = box(few * few, radius) - means[: len(few)] ** 2
        parts.append(np.sqrt(np.maximum(spread, 0.0)))
    stacked = np.concatenate(parts)
    # Rounded, so that the order of sums at a tile's edge cannot move a value over a threshold.
    return np.rint(stacked * 512.0).astype(np.float32)


class CrossModel:
    """Out-of-fold class probabilities of pixels.

    Args:
        trees: per half.
        balanced: give every class the same weight, for maps whose rare classes matter.
        trust: function of a patch to (rows, cols) of bool: pixels fit for training.
    """

    def __init__(self, trees: int = 30, balanced: bool = False, trust=None, seed: int = 0):
        self._trees, self._balanced, self._trust, self._seed = trees, balanced, trust, seed
        self._models: list = []
        self.cell = 32
        self.codes: np.ndarray = np.zeros(0, np.int64)

    def prepare(self, source, progress: Progress = SILENT, examples=None) -> None:
        """Train both halves.

        Args:
            examples: another Source whose labels are known to be right; where it has any, its
                pixels replace the map's own as training data.
        """
        absent = packages.missing("sklearn")
        if absent:
            raise ConcordError(packages.sentence(absent))
        self.cell = int(np.clip(max(source.width, source.height) // 8, 32, 512))
        self.codes = np.array(source.codes, np.int64)
        halves = [([], []), ([], [])]
        teacher = examples or source
        windows = windows_over(source, 256, 64)
        rng = np.random.default_rng(self._seed)
        for done, window in enumerate(windows):
            progress.report(done, len(windows), "Learning the classes", "windows")
            self._gather(source, teacher, window, halves, rng, 4 * _SAMPLE // len(windows))
        self._models = [self._fit(*half) for half in halves]
        if examples is not None:
            # Examples are known to be right, so that nothing can be memorised wrongly.
            joint = [np.concatenate([h[i] for h in halves if len(h[i])] or [[]]) for i in (0, 1)]
            self._models = [self._fit([joint[0]], [joint[1]])] * 2

    def _gather(self, source, teacher, window, halves, rng, most: int) -> None:
        wide = window.grown(FEATURE_HALO).clipped(source.width, source.height)
        patch = source.patch(wide)
        labels = teacher.patch(wide).labels if teacher is not source else patch.labels
        fit = np.isin(labels, self.codes) & patch.valid
        if self._trust is not None and teacher is source:
            fit &= self._trust(patch)
        inside = np.zeros(fit.shape, bool)
        row, col = window.row - wide.row, window.col - wide.col
        inside[row : row + window.height, col : col + window.width] = True
        fit &= inside
        if not fit.any():
            return
        features = features_of(patch)
        side = self._half(wide)
        for number in (0, 1):
            where = np.flatnonzero(fit & (side == number))
            where = _spread(labels.ravel()[where], where, most // 2, rng)
            halves[number][0].append(features.reshape(len(features), -1).T[where])
            halves[number][1].append(labels.ravel()[where])

    def _half(self, window) -> np.ndarray:
        rows = (np.arange(window.row, window.row + window.height) // self.cell)[:, None]
        cols = (np.arange(window.col, window.col + window.width) // self.cell)[None]
        return (rows + cols) % 2

    def _fit(self, xs, ys):
        if not len(xs):
            return None
        x, y = np.concatenate(xs), np.concatenate(ys)
        known = [c for c in self.codes if (y == c).sum() >= _LEAST]
        keep = np.isin(y, known)
        x, y = x[keep], y[keep]
        if len(known) < 2:
            return None
        if len(y) > _SAMPLE:
            chosen = np.random.default_rng(self._seed).choice(len(y), _SAMPLE, replace=False)
            x, y = x[chosen], y[chosen]
        from sklearn.ensemble import ExtraTreesClassifier

        model = ExtraTreesClassifier(
            self._trees, min_samples_leaf=5, max_depth=14, random_state=self._seed, n_jobs=1,
            class_weight="balanced" if self._balanced else None,
        )  # fmt: skip
        return model.fit(x, y)

    @property
    def works(self) -> bool:
        """False when no half saw two classes: then the model has no opinion anywhere."""
        return any(model is not None for model in self._models)

    def posterior(self, patch: Patch, step: int = 1) -> tuple:
        """(probabilities (classes, rows, cols), known (classes, rows, cols)).

        ``known`` is False where the half that answers has not learnt the class. With ``step`` 2
        every second pixel is asked (counted from the map's corner) and stands for its square.
        """
        rows, cols = patch.labels.shape
        out = np.zeros((len(self.codes), rows, cols), np.float32)
        known = np.zeros(out.shape, bool)
        features = features_of(patch)
        window = patch.window
        half = self._half(window)
        at_row = np.clip(((np.arange(rows) + window.row) // step) * step - window.row, 0, None)
        at_col = np.clip(((np.arange(cols) + window.col) // step) * step - window.col, 0, None)
        rep_row, to_row = np.unique(at_row, return_inverse=True)
        rep_col, to_col = np.unique(at_col, return_inverse=True)
        picked = np.ix_(rep_row, rep_col)
        side, valid = half[picked], patch.valid[picked]
        for number in (0, 1):
            # Half 0 is judged by what was learnt on half 1, and the other way round.
            model = self._models[1 - number]
            here = side == number
            if model is None or not here.any():
                continue
            asked = here & valid
            index = np.searchsorted(self.codes, model.classes_)
            small = np.zeros((len(self.codes), *side.shape), np.float32)
            if asked.any():
                values = features[:, rep_row[:, None], rep_col][:, asked].T
                answer = model.predict_proba(np.ascontiguousarray(values)).astype(np.float32)
                for position, plane in zip(index, answer.T):
                    small[position][asked] = plane
            spread = small[:, to_row[:, None], to_col]
            out += spread
            mine = asked[to_row[:, None], to_col]
            for position in index:
                known[position] |= mine
        return out, known


def _spread(labels, where, most: int, rng) -> np.ndarray:
    """Up to ``most`` positions: half of them as the classes come, half of them class by class."""
    if len(where) <= most:
        return where
    plain = rng.choice(len(where), most // 2, replace=False)
    codes = np.unique(labels)
    each = max(1, most // 2 // len(codes))
    picked = [plain]
    for code in codes:
        own = np.flatnonzero(labels == code)
        picked.append(rng.choice(own, min(each, len(own)), replace=False))
    return where[np.unique(np.concatenate(picked))]
