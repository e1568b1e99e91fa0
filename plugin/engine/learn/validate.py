"""How good a classifier is where it has seen nothing: blocks of land held out, never single pixels.

Neighbouring pixels are alike, so random hold-outs flatter; see Roberts et al. 2017, Ecography 40.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import classifiers

_SHARES = (0.1, 0.25, 0.5, 1.0)
_MOST = 2000  # held-out pixels a fold that importance is measured on


@dataclass(frozen=True)
class Recipe:
    """What is fitted: the method and its settings."""

    method: str = "randomforest"
    seed: int = 0
    trees: int = 30
    depth: int = 14
    rotation: str = "pca"

    def fit(self, x, y) -> classifiers.Learned:
        return classifiers.fit(self.method, x, y, self.seed, self.trees, self.depth, self.rotation)


def blocks(places: np.ndarray, grid, folds: int, side: int = 0) -> tuple:
    """(block number of each pixel, side in pixels); the side is found when it is 0.

    It starts at a quarter of the image and halves until five blocks a fold hold labels.
    """
    wanted, smallest = 5 * folds, 8
    size = side or max(smallest, max(grid.width, grid.height) // 4)
    while True:
        keys = places // size
        numbers = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        if side or size // 2 < smallest or numbers.max() + 1 >= wanted:
            return numbers, size
        size //= 2


def assign(numbers: np.ndarray, codes: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each pixel: whole blocks, largest first, where their classes are rarest."""
    classes, y = np.unique(codes, return_inverse=True)
    table = np.zeros((numbers.max() + 1, classes.size))
    np.add.at(table, (numbers, y), 1)
    share = table / table.sum(axis=0)
    held = np.zeros((folds, classes.size))
    fold_of = np.zeros(len(table), int)
    for block in np.argsort(-share.sum(axis=1), kind="stable"):
        # The fold that has least of what this block brings.
        fold = int(np.argmin(held @ share[block] + 1e-6 * held.sum(axis=1)))
        fold_of[block] = fold
        held[fold] += share[block]
    return fold_of[numbers]


def cross_validate(
    samples, plan, recipe: Recipe, grid, progress, folds: int = 5, side: int = 0,
    buffer: int | None = None, layers: dict | None = None,
) -> dict:  # fmt: skip
    """Everything the report says about quality, as plain values.

    Args:
        buffer: training pixels nearer than this to a held-out pixel are left out (pixels);
            None for twice the features' halo, at most half a block.
        layers: input name -> its bands, for leaving one layer out.
    """
    codes = np.unique(samples.codes)
    numbers, size = blocks(samples.places, grid, folds, side)
    folds = min(folds, int(numbers.max()) + 1)
    if folds < 2:
        return {"folds": 0, "note": "all labels lie in one block; add labels elsewhere"}
    fold_of = assign(numbers, samples.codes, folds)
    table = np.zeros((codes.size, codes.size), np.int64)
    sources = plan.sources
    if buffer is None:  # features look beyond their pixel, on both sides of a block's border
        buffer = min(2 * plan.halo, size // 2)
    lost = np.zeros((folds, len(sources)))
    splits = []
    for fold in range(folds):
        progress.report(fold, folds + 2, "Cross-validation", "folds")
        held = fold_of == fold
        train = _train(samples.places, held, buffer)
        if np.unique(samples.codes[train]).size < 2 or not held.any():
            continue
        model = recipe.fit(samples.values[train], samples.codes[train])
        predicted = _predict(model, samples.values[held])
        table += _confusion(samples.codes[held], predicted, codes)
        lost[len(splits)] = _importance(model, samples, held, plan, sources, recipe.seed + fold)
        splits.append((train, held))
    if not splits:
        return {"folds": 0, "note": "no block can be held out; add labels in other places"}
    progress.report(folds, folds + 2, "Learning curve", "folds")
    curve = _curve(samples, recipe, splits, codes)
    progress.report(folds + 1, folds + 2, "Leaving one layer out", "folds")
    return {
        "folds": len(splits),
        "block_pixels": size,
        "buffer_pixels": buffer,
        "held_out_pixels": int(table.sum()),
        **figures(table, codes),
        "importance": [
            {"source": name, "accuracy_lost": float(value)}
            for name, value in zip(sources, lost[: len(splits)].mean(axis=0))
        ],
        "learning_curve": curve,
        "one_layer_out": _one_out(samples, plan, recipe, splits, codes, layers or {}),
    }


def figures(table: np.ndarray, codes) -> dict:
    """Accuracy figures of a confusion matrix (rows truth, columns prediction)."""
    total, right = table.sum(), np.trace(table)
    truth, made = table.sum(axis=1), table.sum(axis=0)
    chance = float((truth * made).sum()) / total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        producer, user = np.diag(table) / truth, np.diag(table) / made
        iou = np.diag(table) / (truth + made - np.diag(table))
    accuracy = float(right / total)
    return {
        "accuracy": accuracy,
        "kappa": float((accuracy - chance) / (1 - chance)) if chance < 1 else 1.0,
        "mean_iou": float(np.nanmean(iou)),
        "confusion": table.tolist(),
        "codes": [int(code) for code in codes],
        "per_class": [
            {"code": int(c), "producer": _number(p), "user": _number(u), "iou": _number(i)}
            for c, p, u, i in zip(codes, producer, user, iou)
        ],
    }


def _number(value) -> float | None:
    return float(value) if np.isfinite(value) else None


def _train(places, held, buffer: int) -> np.ndarray:
    train = ~held
    if buffer > 0 and held.any():
        from scipy.spatial import cKDTree

        near, _ = cKDTree(places[held]).query(places[train], 1, p=np.inf,
                                              distance_upper_bound=buffer + 0.5)  # fmt: skip
        train[np.flatnonzero(train)[np.isfinite(near)]] = False
    return train


def _predict(model, values) -> np.ndarray:
    return model.codes[np.argmax(model.probabilities(values), axis=1)]


def _confusion(truth, predicted, codes) -> np.ndarray:
    table = np.zeros((codes.size, codes.size), np.int64)
    np.add.at(table, (np.searchsorted(codes, truth), np.searchsorted(codes, predicted)), 1)
    return table


def _importance(model, samples, held, plan, sources, seed) -> np.ndarray:
    """Accuracy lost on held-out pixels when all features of one band are shuffled."""
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero(held)
    if chosen.size > _MOST:
        chosen = np.sort(rng.choice(chosen, _MOST, replace=False))
    values, truth = samples.values[chosen], samples.codes[chosen]
    base = np.mean(_predict(model, values) == truth)
    lost = []
    for source in sources:
        shuffled = values.copy()
        columns = plan.columns(source)
        shuffled[:, columns] = values[rng.permutation(len(values))][:, columns]
        lost.append(base - np.mean(_predict(model, shuffled) == truth))
    return np.array(lost)


def _curve(samples, recipe: Recipe, splits, codes) -> list:
    """Held-out accuracy against the number of training pixels, over at most two folds."""
    points = []
    for share in _SHARES:
        sizes, table = [], np.zeros((codes.size, codes.size), np.int64)
        for train, held in splits[:2]:
            chosen = np.flatnonzero(train)
            rng = np.random.default_rng(recipe.seed)
            chosen = np.sort(rng.permutation(chosen)[: max(2, int(share * chosen.size))])
            if np.unique(samples.codes[chosen]).size < 2:
                continue
            model = recipe.fit(samples.values[chosen], samples.codes[chosen])
            table += _confusion(samples.codes[held], _predict(model, samples.values[held]), codes)
            sizes.append(chosen.size)
        if sizes:
            points.append({"pixels": int(np.mean(sizes)),
                           "accuracy": float(np.trace(table) / table.sum())})  # fmt: skip
    return points


def _one_out(samples, plan, recipe: Recipe, splits, codes, layers: dict) -> list:
    """Held-out accuracy of the first fold without the features of each input layer."""
    if len(layers) < 2:
        return []
    train, held = splits[0]

    def score(columns):
        model = recipe.fit(samples.values[train][:, columns], samples.codes[train])
        return float(np.mean(_predict(model, samples.values[held][:, columns])
                             == samples.codes[held]))  # fmt: skip

    whole = score(np.arange(len(plan.names)))
    found = []
    for layer, bands in layers.items():
        kept = plan.without(bands)
        if kept.size:
            found.append({"layer": layer, "accuracy_lost": whole - score(kept)})
    return found
