"""A model as one more voter, weighed like the people (after CROWDLAB).

Goh, Tkachenko and Mueller 2022, "CROWDLAB: Supervised learning to infer consensus labels and
quality scores for data with multiple annotators": every annotator spreads their certainty over
the classes, the model gives its probabilities, and weights come from how far each agrees with
the others, corrected by what always naming the most common class would reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..progress import Progress
from ..taxonomy import NO_DATA
from . import aggregate
from .patterns import Coding, Patterns, Tally


@dataclass(frozen=True)
class Weights:
    """Weight of every annotator and of the model, and how sure one vote is (0-1)."""

    people: np.ndarray
    model: float
    care: float


def weigh(patterns: Patterns) -> Weights:
    """Weights from counted votes whose last voter is the model's most likely class.

    Only pixels that two people or more voted on tell anything about agreement.
    """
    people = Patterns(patterns.votes[:, :-1], patterns.counts, patterns.codes)
    counts = aggregate.tally(people)
    voters = counts.sum(axis=1)
    several = voters > 1
    if not several.any():
        return Weights(np.ones(people.annotators), 1.0, 0.9)
    weight = patterns.counts[several].astype(float)
    votes, counts, voters = people.votes[several], counts[several], voters[several]
    majority = counts.argmax(axis=1)
    most_common = np.bincount(majority, weight, minlength=patterns.classes).max() / weight.sum()
    # care: how often two votes on one pixel are equal
    pairs = (counts * (counts - 1)).sum(axis=1) / (voters * (voters - 1))
    care = float(np.clip((pairs * weight).sum() / weight.sum(), 0.05, 0.999))
    shares = []
    for a in range(people.annotators):
        there = votes[:, a] >= 0
        own = np.maximum(votes[:, a], 0)
        others = (counts[np.arange(len(own)), own] - 1) / (voters - 1)
        total = (weight * there).sum()
        shares.append((others * weight * there).sum() / total if total else most_common)
    model = patterns.votes[several, -1]
    known = model >= 0
    total = (weight * known).sum()
    right = ((model == majority) * weight * known).sum() / total if total else most_common
    floor = max(1 - most_common, 1e-6)
    chance = 1e-3  # nobody weighs nothing: a pixel with one voter still has a class
    weights = np.maximum(1 - (1 - np.array(shares)) / floor, chance)
    typical = np.sqrt((voters * weight).sum() / weight.sum())
    return Weights(weights, float(max(1 - (1 - right) / floor, chance) * typical), care)


def posterior(votes: np.ndarray, probabilities: np.ndarray, weights: Weights) -> np.ndarray:
    """(classes, ...) posterior of every pixel.

    Args:
        votes: (annotators, ...) class index, -1 for no vote.
        probabilities: (classes, ...) of the model, summing to 1, or all 0 where it is silent.
    """
    k = len(probabilities)
    total = probabilities * weights.model
    weight = (probabilities.sum(axis=0) > 0) * weights.model
    other = (1 - weights.care) / max(k - 1, 1)
    for a, own in enumerate(weights.people):
        voted = votes[a] >= 0
        spread = np.where(voted, other * own, 0.0)
        total = total + spread
        for c in range(k):
            total[c] += np.where(votes[a] == c, (weights.care - other) * own, 0.0)
        weight = weight + voted * own
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


class Model:
    """Class probabilities of a raster: one band per class.

    Bands that are named like the classes are taken by name, others in the order of the codes.

    Args:
        names: the classes' names in the order of their codes.
    """

    def __init__(self, path: str, grid, names: list):
        info = rasters.require_crs(rasters.info(path))
        grid.window_of(rasters.bounds_on(grid, info.grid.bounds, info.grid.crs, path), path)
        bands, classes = len(info.bands), len(names)
        called = [name.strip().casefold() for name in info.names]
        wanted = [name.strip().casefold() for name in names]
        self._indexes = list(range(1, bands + 1))
        if sorted(called) == sorted(wanted) and len(set(called)) == classes:
            self._indexes = [called.index(name) + 1 for name in wanted]
        self._raster = rasters.Raster(path, grid, "nearest")
        if bands != classes:
            self._raster.close()
            raise ConcordError(
                f"{path} has {bands} bands and the taxonomy {classes} classes; choose the "
                "probabilities of a model with the same classes."
            )

    def read(self, window) -> np.ndarray:
        """(classes, rows, cols) summing to 1; 0 where the model says nothing."""
        raw = np.nan_to_num(self._raster.read(window, self._indexes).astype(np.float32), nan=0.0)
        raw = np.maximum(raw, 0)
        total = raw.sum(axis=0)
        return np.divide(raw, total, out=np.zeros_like(raw), where=total > 0)

    def close(self) -> None:
        self._raster.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def count(ballot, model: Model, progress: Progress) -> Patterns:
    """Vote patterns with the model's most likely class as the last voter."""
    coding = Coding(ballot.codes, len(ballot.rasters) + 1)
    tally = Tally(coding)
    tiles = ballot.tiles()
    codes = np.asarray(ballot.codes, np.uint8)
    for done, tile in enumerate(tiles):
        progress.report(done, len(tiles), "Comparing the model")
        chances = model.read(tile.core)
        said = np.where(chances.sum(axis=0) > 0, codes[chances.argmax(axis=0)], 0)
        planes = [raster.read(tile.core) for raster in ballot.rasters]
        tally.add(coding.encode([*planes, said.astype(np.uint8)]))
    numbers = tally.numbers()
    return Patterns(coding.decode(numbers), tally.counts(numbers), coding.codes)


class Opinion:
    """The model beside the people, decided pixel by pixel; ``names`` are {code: class name}."""

    def __init__(self, ballot, path: str, names: dict, progress: Progress):
        self._ballot = ballot
        called = [names.get(int(code), "") for code in ballot.codes]
        self._model = Model(path, ballot.grid, called)
        try:
            self.weights = weigh(count(ballot, self._model, progress))
        except BaseException:
            self._model.close()
            raise
        self._sum, self._pixels = 0.0, 0

    def decide(self, window) -> np.ndarray:
        """(2, rows, cols) uint8: class and posterior 0-100; 0 where no person voted."""
        votes = self._ballot.read(window)
        chances = posterior(votes, self._model.read(window), self.weights)
        voted = (votes >= 0).any(axis=0)
        best = np.where(voted, chances.max(axis=0), 0)
        classes = np.where(voted, self._ballot.codes[chances.argmax(axis=0)], NO_DATA)
        self._sum += float(best.sum())
        self._pixels += int(voted.sum())
        return np.stack([classes, np.round(best * 100)]).astype(np.uint8)

    def values(self) -> dict:
        """What the report says differently."""
        return {
            "method": "crowdlab",
            "posterior_mean": self._sum / max(self._pixels, 1),
            "undecided_share": 0.0,
            "weights": [float(w) for w in self.weights.people],
            "model_weight": self.weights.model,
            "care": self.weights.care,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._model.close()
