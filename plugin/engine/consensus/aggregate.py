"""From vote patterns to a class and its posterior: majority, Dawid-Skene, gold-weighted Bayes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .patterns import Patterns, count, spread

_PRIOR = 1.0  # pseudo-votes spread over each row of a confusion matrix
_DIAGONAL = 2.0  # pseudo-votes added on its diagonal: annotators are better than chance
_ITERATIONS = 500
_TOLERANCE = 1e-8  # of the mean log-likelihood of a pixel
_TINY = 1e-300


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
    shares: np.ndarray | None = None  # (patterns, classes): the whole posterior

    def entropy(self) -> np.ndarray:
        """Doubt per pattern: 0 when sure, 1 when every class is as likely; 0 without a vote."""
        if self.shares is None or self.shares.shape[1] < 2:
            return 1 - self.posterior
        p = np.maximum(self.shares, _TINY)
        return -(self.shares * np.log(p)).sum(axis=1) / np.log(self.shares.shape[1])


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
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    return Result(winner, agreement.copy(), agreement, "majority", shares=shares)


def _indicators(patterns: Patterns) -> np.ndarray:
    """(patterns, annotators * classes): 1 where that annotator voted for that class."""
    k = patterns.classes
    hot = np.zeros((len(patterns.votes), patterns.annotators * k))
    for a in range(patterns.annotators):
        voted = np.flatnonzero(patterns.votes[:, a] >= 0)
        hot[voted, a * k + patterns.votes[voted, a]] = 1
    return hot


def _log_likelihood(hot: np.ndarray, confusion: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(patterns, classes): log P(class) + sum over annotators of log P(vote | class)."""
    logs = np.log(np.maximum(confusion, _TINY)).transpose(0, 2, 1)  # (annotators, voted, true)
    return np.log(np.maximum(prior, _TINY)) + hot @ logs.reshape(-1, len(prior))


def _normalised(logs: np.ndarray) -> np.ndarray:
    shifted = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _confusion(hot, truth, counts, pseudo: float, diagonal: float) -> np.ndarray:
    """(annotators, true, voted) from soft truth (patterns, classes), with a prior."""
    k = truth.shape[1]
    seen = (hot.T @ (truth * counts[:, None])).reshape(-1, k, k).transpose(0, 2, 1)
    matrices = seen + pseudo / k + np.eye(k) * diagonal
    totals = matrices.sum(axis=2, keepdims=True)
    return np.divide(matrices, totals, out=np.full_like(matrices, 1 / k), where=totals > 0)


def _finish(patterns, logs, confusion, prior, method, iterations, notes) -> Result:
    posterior = _normalised(logs)
    winner = posterior.argmax(axis=1)
    silent = (patterns.votes < 0).all(axis=1)
    winner = np.where(silent, NO_VOTE, winner)
    best = np.where(silent, 0.0, posterior.max(axis=1))
    agreement = _agreement(tally(patterns), winner)
    shares = np.where(silent[:, None], 0.0, posterior)
    return Result(winner, best, agreement, method, confusion, prior, iterations, notes, shares)


def again(patterns: Patterns, result: Result) -> Result:
    """The same judgement of the same annotators on other patterns, such as those of one task."""
    if result.confusion is None:
        return METHODS[result.method](patterns)
    logs = _log_likelihood(_indicators(patterns), result.confusion, result.prior)
    return _finish(patterns, logs, result.confusion, result.prior, result.method, 0, [])


def dawid_skene(
    patterns: Patterns,
    pseudo: float = _PRIOR,
    diagonal: float = _DIAGONAL,
    tolerance: float = _TOLERANCE,
    most: int = _ITERATIONS,
) -> Result:
    """Confusion matrix of each annotator and class of each pixel by EM, on pattern counts.

    Dawid and Skene 1979, with a Dirichlet prior that favours the diagonal. A class that comes out
    as somebody's systematic mistake (its own vote is not even half of what people say there) is
    taken out and the rest estimated again, because EM likes to fill classes that do not occur.
    Falls back to the
    majority, and says so, when the estimated matrices stop meaning what they say (mean diagonal
    at most 0.5: labels switched) or when there are fewer than three annotators.

    Args:
        pseudo: pseudo-votes spread over each row of a confusion matrix.
        diagonal: pseudo-votes added on its diagonal; both 0 give the method as published.
        tolerance: the change of the mean log-likelihood of a pixel that ends the search.
        most: rounds after which it ends anyway.
    """
    voted = (patterns.votes >= 0).any(axis=1)
    if patterns.annotators < 3:
        note = "Dawid-Skene needs three annotators; the majority was used"
        return _with_note(majority(patterns), note)
    if not voted.any():
        return majority(patterns)
    hot = _indicators(patterns)
    known, counts = hot[voted], patterns.counts[voted].astype(float)
    alive = np.ones(patterns.classes, bool)
    notes: list = []
    while True:
        confusion, prior, iterations = _em(
            known, counts, alive, (pseudo, diagonal), tolerance, most
        )
        switched = _switched(confusion, prior, alive) if diagonal else -1
        if switched < 0 or alive.sum() <= 2:
            break
        alive[switched] = False
        notes.append(
            f"Class {patterns.codes[switched]} is what annotators confuse others with, not one "
            "they agree on; no pixel gets it"
        )
    seen = prior > 1e-3
    means = np.array([matrix.diagonal()[seen].mean() for matrix in confusion])
    if means.mean() <= 0.5:
        note = "Dawid-Skene found annotators worse than chance; the majority was used"
        return _with_note(majority(patterns), note)
    logs = _log_likelihood(hot, confusion, prior)
    return _finish(patterns, logs, confusion, prior, "dawidskene", iterations, notes)


def _switched(confusion: np.ndarray, prior: np.ndarray, alive: np.ndarray) -> int:
    """The class whose votes mean it least, when that is at most half of them; -1 for none."""
    means = np.where(alive & (prior > _TINY), confusion.diagonal(axis1=1, axis2=2).mean(axis=0), 1)
    worst = int(means.argmin())
    return worst if means[worst] <= 0.5 else -1


def _em(hot, counts, alive, pseudo: tuple, tolerance: float, most: int) -> tuple:
    """(confusion, prior, iterations) from the shares of votes as the first guess.

    ``alive`` (classes,) is False for classes that no pixel may have.
    """
    k = len(alive)
    votes = hot.reshape(len(hot), -1, k).sum(axis=1) * alive
    votes += (votes.sum(axis=1, keepdims=True) == 0) * alive  # nobody named a class that is left
    truth = votes / votes.sum(axis=1, keepdims=True)
    weights = counts / counts.sum()
    previous = -np.inf
    iterations = 0
    while iterations < most:
        iterations += 1
        confusion = _confusion(hot, truth, counts, *pseudo)
        prior = weights @ truth
        logs = _log_likelihood(hot, confusion, prior)
        peak = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - peak)
        sums = shares.sum(axis=1, keepdims=True)
        truth = shares / sums
        likelihood = float(weights @ (peak + np.log(sums))[:, 0])
        if abs(likelihood - previous) < tolerance:
            break
        previous = likelihood
    return confusion, prior, iterations


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
    logs = _log_likelihood(_indicators(patterns), confusion, prior)
    return _finish(patterns, logs, confusion, prior, "gold", 1, [])


def median(patterns: Patterns) -> Result:
    """The middle vote of ordered classes; between two, the lower one, so no class is invented.

    ``posterior`` is 1 minus the mean distance of the votes in steps over the longest possible
    one: two people one step apart are nearly agreed, not opposites.
    """
    winner = np.full(len(patterns.votes), NO_VOTE)
    closeness = np.zeros(len(patterns.votes))
    longest = max(patterns.classes - 1, 1)
    for i, row in enumerate(patterns.votes):
        votes = np.sort(row[row >= 0])
        if len(votes):
            winner[i] = votes[(len(votes) - 1) // 2]
            closeness[i] = 1 - np.abs(votes - winner[i]).mean() / longest
    return Result(winner, closeness, _agreement(tally(patterns), winner), "median")


def as_bytes(result: Result, codes) -> tuple:
    """Class code, posterior and agreement per pattern as uint8 (the last two 0-100).

    ``codes`` ends with what stands for no vote and for a tie (winner -2 and -1).
    """
    return (
        np.asarray(codes)[result.winner].astype(np.uint8),
        np.round(result.posterior * 100).astype(np.uint8),
        np.round(result.agreement * 100).astype(np.uint8),
    )


METHODS = {"majority": majority, "dawidskene": dawid_skene, "median": median}


def of_arrays(planes, codes, method: str = "dawidskene") -> tuple:
    """Consensus of arrays in memory: (class codes, posterior 0-100, agreement 0-100, Result).

    Args:
        planes: one uint8 array of class codes per annotator; 0 and 255 are no vote.
        codes: the classes.
    """
    every, coding, numbers, patterns = count(planes, codes)
    result = METHODS[method](patterns)
    columns = as_bytes(result, np.append(coding.codes, [0, 255]))
    shape = np.shape(planes[0])
    return (*(c.reshape(shape) for c in spread(every, coding, numbers, *columns)), result)


def _with_note(result: Result, note: str) -> Result:
    return replace(result, notes=[note])
