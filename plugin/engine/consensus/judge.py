"""How good people are and how far they agree: confusion, intervals, kappa, alpha, per class."""

from __future__ import annotations

import numpy as np

from .aggregate import tally
from .patterns import Patterns, near_edge

_DRAWS = 1000  # bootstrap samples of tasks


def confusion(truth: np.ndarray, votes: np.ndarray, codes, keep=None) -> np.ndarray:
    """(true, voted) pixel counts of two code arrays where both have a class of ``codes``."""
    index = np.full(256, -1, np.int64)
    index[np.asarray(codes)] = np.arange(len(codes))
    t, v = index[truth], index[votes]
    both = (t >= 0) & (v >= 0)
    if keep is not None:
        both &= keep
    k = len(codes)
    return np.bincount(t[both] * k + v[both], minlength=k * k).reshape(k, k)


def away_from_edges(truth: np.ndarray, votes: np.ndarray, tolerance: int) -> np.ndarray:
    """True where neither map has an edge within ``tolerance`` pixels."""
    if tolerance <= 0:
        return np.ones(truth.shape, bool)
    return ~near_edge([truth, votes], tolerance)


def accuracy(matrix: np.ndarray) -> float | None:
    """Share of right votes of a confusion matrix; None when it is empty."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else None


def interval(matrices, seed: int = 0, level: float = 0.95) -> tuple | None:
    """(low, high) of the accuracy over tasks, each one confusion matrix.

    Whole tasks are drawn again (bootstrap), because neighbouring pixels are no independent
    trials; with fewer than two tasks nothing can be said.
    """
    right = np.array([np.trace(m) for m in matrices], float)
    total = np.array([m.sum() for m in matrices], float)
    right, total = right[total > 0], total[total > 0]
    if len(total) < 2:
        return None
    draws = np.random.default_rng(seed).integers(0, len(total), (_DRAWS, len(total)))
    shares = right[draws].sum(axis=1) / total[draws].sum(axis=1)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _coincidences(patterns: Patterns) -> np.ndarray:
    """(classes, classes) coincidence matrix over pixels with two votes or more."""
    counts = tally(patterns)
    voters = counts.sum(axis=1)
    several = voters > 1
    c, m = counts[several], voters[several]
    weight = patterns.counts[several] / (m - 1)
    pairs = (c * weight[:, None]).T @ c
    pairs -= np.diag((c * weight[:, None]).sum(axis=0))
    return pairs


def krippendorff(patterns: Patterns, ordinal: bool = False) -> float | None:
    """Alpha for nominal or ordered classes, with votes missing; None when it is not defined.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability", from coincidences.
    """
    pairs = _coincidences(patterns)
    total = pairs.sum()
    if total <= 1:
        return None
    margin = pairs.sum(axis=0)
    if ordinal:
        middle = np.cumsum(margin) - margin / 2
        distance = (middle[:, None] - middle[None, :]) ** 2
    else:
        distance = 1.0 - np.eye(len(margin))
    expected = float((np.outer(margin, margin) * distance).sum())
    if expected == 0:
        return None
    return float(1 - (total - 1) * (pairs * distance).sum() / expected)


def raw_agreement(patterns: Patterns) -> float | None:
    """Share of pairs of votes on the same pixel that are equal; None without pairs."""
    pairs = _coincidences(patterns)
    return float(np.trace(pairs) / pairs.sum()) if pairs.sum() else None


def class_agreement(patterns: Patterns) -> list:
    """Per class, the chance that a second person says it too when one has; None if unseen."""
    pairs = _coincidences(patterns)
    margin = pairs.sum(axis=1)
    return [float(pairs[i, i] / n) if n else None for i, n in enumerate(margin)]


def calibration_error(posterior: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean distance of stated and true shares over equal bins.

    Args:
        posterior: 0-1 per pixel.
        right: whether the class was right, same length.
    """
    place = np.minimum((posterior * bins).astype(int), bins - 1)
    size = np.bincount(place, minlength=bins)
    stated = np.bincount(place, posterior, minlength=bins)
    true = np.bincount(place, right.astype(float), minlength=bins)
    return float(np.abs(stated - true).sum() / max(size.sum(), 1))
