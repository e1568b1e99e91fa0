"""From vote patterns to a class and its posterior: majority, Dawid-Skene, gold-weighted Bayes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .votes import Patterns

_PRIOR = 1.0  # pseudo-votes spread over each row of a confusion matrix
_DIAGONAL = 2.0  # pseudo-votes added on its diagonal: annotators are better than chance
_ITERATIONS = 200
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Result:
    """Per pattern: winning class index (-1 tie, -2 no vote), posterior and agreement 0-1.

    ``confusion`` (annotators, true, voted) and ``prior`` (classes) are None for the majority.
    """

    winner: np.ndarray
    posterior: np.ndarray
    agreement: np.ndarray
    method: str
    confusion: np.ndarray | None = None
    prior: np.ndarray | None = None
    iterations: int = 0
    notes: list = field(default_factory=list)


TIE, NO_VOTE = -1, -2


def tally(patterns: Patterns) -> np.ndarray:
    """(patterns, classes): how many annotators voted for each class."""
    counts = np.zeros((len(patterns.votes), patterns.classes))
    for a in range(patterns.annotators):
        voted = patterns.votes[:, a] >= 0
        counts[np.flatnonzero(voted), patterns.votes[voted, a]] += 1
    return counts


def _agreement(counts: np.ndarray, winner: np.ndarray) -> np.ndarray:
    """Share of the annotators who voted at all that voted for the winner (ties: the most)."""
    total = counts.sum(axis=1)
    chosen = np.where(
        winner >= 0,
        np.take_along_axis(counts, np.maximum(winner, 0)[:, None], axis=1)[:, 0],
        counts.max(axis=1, initial=0),
    )
    return np.divide(chosen, total, out=np.zeros(len(total)), where=total > 0)


def majority(patterns: Patterns) -> Result:
    """The class most annotators voted for; equal counts are a tie, not a coin toss."""
    counts = tally(patterns)
    best = counts.max(axis=1, initial=0)
    winner = counts.argmax(axis=1)
    winner = np.where((counts == best[:, None]).sum(axis=1) > 1, TIE, winner)
    winner = np.where(best == 0, NO_VOTE, winner)
    agreement = _agreement(counts, winner)
    return Result(winner, agreement.copy(), agreement, "majority")


def _log_likelihood(patterns: Patterns, confusion: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(patterns, classes): log P(class) + sum over annotators of log P(vote | class)."""
    with np.errstate(divide="ignore"):
        logs = np.log(confusion)
        total = np.tile(np.log(prior), (len(patterns.votes), 1))
    for a in range(patterns.annotators):
        voted = patterns.votes[:, a] >= 0
        total[voted] += logs[a][:, patterns.votes[voted, a]].T
    return total


def _normalised(logs: np.ndarray) -> np.ndarray:
    shifted = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _confusion(patterns: Patterns, truth: np.ndarray) -> np.ndarray:
    """Confusion matrices from soft truth (patterns, classes), with a prior on the diagonal."""
    k = patterns.classes
    matrices = np.full((patterns.annotators, k, k), _PRIOR / k)
    matrices += np.eye(k) * _DIAGONAL
    weighted = truth * patterns.counts[:, None]
    for a in range(patterns.annotators):
        voted = patterns.votes[:, a] >= 0
        for c in range(k):
            rows = voted & (patterns.votes[:, a] == c)
            matrices[a, :, c] += weighted[rows].sum(axis=0)
    return matrices / matrices.sum(axis=2, keepdims=True)


def _finish(patterns, logs, confusion, prior, method, iterations, notes) -> Result:
    posterior = _normalised(logs)
    winner = posterior.argmax(axis=1)
    silent = (patterns.votes < 0).all(axis=1)
    winner = np.where(silent, NO_VOTE, winner)
    best = np.where(silent, 0.0, posterior.max(axis=1))
    agreement = _agreement(tally(patterns), winner)
    return Result(winner, best, agreement, method, confusion, prior, iterations, notes)


def dawid_skene(patterns: Patterns) -> Result:
    """Confusion matrix of each annotator and class of each pixel by EM, on pattern counts.

    Dawid and Skene 1979, with a Dirichlet prior that favours the diagonal. Falls back to the
    majority, and says so, when the estimated matrices stop meaning what they say (mean diagonal
    at most 0.5: labels switched) or when there are fewer than three annotators.
    """
    voted = (patterns.votes >= 0).any(axis=1)
    if patterns.annotators < 3:
        note = "Dawid-Skene needs three annotators; the majority was used"
        return _with_note(majority(patterns), note)
    if not voted.any():
        return majority(patterns)
    counted = Patterns(patterns.votes[voted], patterns.counts[voted], patterns.codes)
    counts = tally(counted)
    truth = counts / counts.sum(axis=1, keepdims=True)
    weights = counted.counts / counted.counts.sum()
    previous = -np.inf
    iterations = 0
    while iterations < _ITERATIONS:
        iterations += 1
        confusion = _confusion(counted, truth)
        prior = (truth * weights[:, None]).sum(axis=0) + 1e-9
        prior /= prior.sum()
        logs = _log_likelihood(counted, confusion, prior)
        truth = _normalised(logs)
        peak = logs.max(axis=1)
        likelihood = ((peak + np.log(np.exp(logs - peak[:, None]).sum(axis=1))) * weights).sum()
        if abs(likelihood - previous) < _TOLERANCE:
            break
        previous = likelihood
    seen = prior > 1e-3
    diagonal = np.array([confusion[a].diagonal()[seen].mean() for a in range(len(confusion))])
    if diagonal.mean() <= 0.5:
        note = "Dawid-Skene found annotators worse than chance; the majority was used"
        return _with_note(majority(patterns), note)
    logs = _log_likelihood(patterns, confusion, prior)
    return _finish(patterns, logs, confusion, prior, "dawidskene", iterations, [])


def gold_bayes(patterns: Patterns, gold: np.ndarray) -> Result:
    """Bayes with each annotator's confusion measured on gold pixels (LandCoverNet's rule).

    Args:
        gold: (patterns, classes) counts of gold pixels by vote pattern and true class.
    """
    k = patterns.classes
    confusion = np.full((patterns.annotators, k, k), _PRIOR / k) + np.eye(k) * _DIAGONAL
    for a in range(patterns.annotators):
        for c in range(k):
            confusion[a, :, c] += gold[patterns.votes[:, a] == c].sum(axis=0)
    confusion /= confusion.sum(axis=2, keepdims=True)
    prior = gold.sum(axis=0) + 1.0
    prior = prior / prior.sum()
    logs = _log_likelihood(patterns, confusion, prior)
    return _finish(patterns, logs, confusion, prior, "gold", 1, [])


def _with_note(result: Result, note: str) -> Result:
    return Result(result.winner, result.posterior, result.agreement, result.method, notes=[note])
