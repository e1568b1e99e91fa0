"""Classifiers behind one interface: fitted by scikit-learn, written as ONNX nodes.

Each entry of METHODS is a function (x, y, seed, trees, depth, more) -> ``Learned``.
Rotation forest: Rodriguez, Kuncheva and Alonso 2006 (PCA of random feature subsets), with sparse
(Achlioptas 2003) and complete random projections as alternatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from ..errors import ConcordError
from .features import Builder

ROTATIONS = ("pca", "sparse", "complete")
_GROUP = 4  # features of one PCA subset in a rotation


@dataclass
class Learned:
    """A fitted classifier: codes (k,), probabilities of (n, f) features, and its ONNX head.

    ``head(build, name)`` adds nodes from (batch, f, h, w) to (batch, k, h, w) and names them.
    """

    codes: np.ndarray
    probabilities: Callable
    head: Callable


def fit(method: str, x, y, seed: int = 0, trees: int = 30, depth: int = 14, rotation: str = "pca"):
    """Fit ``method`` to float32 features (n, f) and codes (n,)."""
    if method not in METHODS:
        raise ConcordError(f"The method '{method}' is not known; use {', '.join(METHODS)}.")
    if rotation not in ROTATIONS:
        raise ConcordError(f"The rotation '{rotation}' is not known; use {', '.join(ROTATIONS)}.")
    x = np.ascontiguousarray(x, np.float32)
    return METHODS[method](x, y, seed, trees, depth, rotation)


# --- trees


def _forest_class(extra: bool):
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    return ExtraTreesClassifier if extra else RandomForestClassifier


def _fit_forest(x, y, seed, trees, depth, extra):
    forest = _forest_class(extra)(
        n_estimators=trees, max_depth=depth, min_samples_leaf=2, random_state=seed, n_jobs=2
    )
    forest.fit(x, y)
    forest.n_jobs = 1  # threads would sum the votes in any order, not always to the same bits
    return forest


def _forest(extra: bool):
    def fitted(x, y, seed, trees, depth, rotation):
        forest = _fit_forest(x, y, seed, trees, depth, extra)

        def head(build: Builder, name: str) -> str:
            table = _as_table(build, name, x.shape[1])
            scores = _ensemble(build, table, forest.estimators_, len(forest.classes_))
            return _as_planes(build, scores, name, len(forest.classes_))

        return Learned(forest.classes_, lambda v: forest.predict_proba(v), head)

    return fitted


def _rotation_forest(x, y, seed, trees, depth, rotation):
    rng = np.random.default_rng(seed)
    count = min(10, trees)
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    parts = []
    for number in range(count):
        turn = _rotation(rotation, (x - centre) / spread, rng).astype(np.float32)
        share = trees // count + (number < trees % count)
        turned = ((x - centre) / spread) @ turn
        parts.append((turn, _fit_forest(turned, y, seed + number, share, depth, False)))
    total = sum(len(forest.estimators_) for _, forest in parts)

    def probabilities(values):
        level = ((values - centre) / spread).astype(np.float32)
        made = [f.predict_proba(level @ turn) * len(f.estimators_) for turn, f in parts]
        return np.sum(made, axis=0) / total

    def head(build: Builder, name: str) -> str:
        classes = len(parts[0][1].classes_)
        table = _as_table(build, name, x.shape[1])
        level = build.node("Sub", table, build.constant(centre))
        level = build.node("Div", level, build.constant(spread))
        made = []
        for turn, forest in parts:
            turned = build.node("MatMul", level, build.constant(turn))
            made.append(_ensemble(build, turned, forest.estimators_, classes, total))
        return _as_planes(build, build.node("Sum", *made), name, classes)

    return Learned(parts[0][1].classes_, probabilities, head)


def _rotation(kind: str, level: np.ndarray, rng) -> np.ndarray:
    """A square matrix that mixes standardised features."""
    size = level.shape[1]
    if kind == "complete":
        return np.linalg.qr(rng.standard_normal((size, size)))[0]
    if kind == "sparse":
        return rng.choice([-1.0, 0.0, 1.0], (size, size), p=[1 / 6, 2 / 3, 1 / 6]) * np.sqrt(3)
    turn = np.zeros((size, size))
    order = rng.permutation(size)
    for start in range(0, size, _GROUP):
        chosen = order[start : start + _GROUP]
        some = rng.choice(len(level), max(2, int(len(level) * 0.75)), replace=False)
        _, axes = np.linalg.eigh(np.atleast_2d(np.cov(level[np.ix_(some, chosen)].T)))
        turn[np.ix_(chosen, chosen)] = axes
    return turn


def _ensemble(build: Builder, table: str, trees, classes: int, total: int = 0) -> str:
    """Trees as one TreeEnsembleRegressor that sums the leaves' class shares: (pixels, classes)."""
    total = total or len(trees)
    parts = {key: [] for key in ("tree", "node", "mode", "feature", "value", "yes", "no")}
    leaves = {key: [] for key in ("tree", "node", "target", "weight")}
    for number, estimator in enumerate(trees):
        tree = estimator.tree_
        leaf = tree.children_left < 0
        size = tree.node_count
        parts["tree"].append(np.full(size, number))
        parts["node"].append(np.arange(size))
        parts["mode"].append(leaf)
        parts["feature"].append(np.where(leaf, 0, tree.feature))
        parts["value"].append(np.where(leaf, 0, _below(tree.threshold)))
        parts["yes"].append(np.where(leaf, 0, tree.children_left))
        parts["no"].append(np.where(leaf, 0, tree.children_right))
        ends = np.flatnonzero(leaf)
        shares = tree.value[ends, 0, :]
        shares = shares / shares.sum(axis=1, keepdims=True) / total
        end, target = np.nonzero(shares)
        leaves["tree"].append(np.full(end.size, number))
        leaves["node"].append(ends[end])
        leaves["target"].append(target)
        leaves["weight"].append(shares[end, target])
    whole = {key: np.concatenate(value) for key, value in parts.items()}
    ends = {key: np.concatenate(value) for key, value in leaves.items()}
    return build.node(
        "TreeEnsembleRegressor",
        table,
        domain="ai.onnx.ml",
        n_targets=classes,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=whole["tree"].tolist(),
        nodes_nodeids=whole["node"].tolist(),
        nodes_featureids=whole["feature"].tolist(),
        nodes_modes=["LEAF" if leaf else "BRANCH_LEQ" for leaf in whole["mode"]],
        nodes_values=whole["value"].astype(np.float32).tolist(),
        nodes_truenodeids=whole["yes"].tolist(),
        nodes_falsenodeids=whole["no"].tolist(),
        target_treeids=ends["tree"].tolist(),
        target_nodeids=ends["node"].tolist(),
        target_ids=ends["target"].tolist(),
        target_weights=ends["weight"].astype(np.float32).tolist(),
    )


def _below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: then x <= t holds for the same float32 x."""
    rounded = thresholds.astype(np.float32)
    lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > thresholds, lower, rounded)


def _as_table(build: Builder, name: str, columns: int) -> str:
    """(batch, f, h, w) as (pixels, f)."""
    moved = build.node("Transpose", name, perm=[0, 2, 3, 1])
    return build.node("Reshape", moved, build.constant([-1, columns], np.int64))


def _as_planes(build: Builder, table: str, features: str, classes: int) -> str:
    """(pixels, k) back as (batch, k, h, w) of the size of ``features``."""
    batch = build.node("Shape", features, start=0, end=1)
    size = build.node("Shape", features, start=2, end=4)
    shape = build.node("Concat", batch, size, build.constant([classes], np.int64), axis=0)
    return build.node("Transpose", build.node("Reshape", table, shape), perm=[0, 3, 1, 2])


# --- linear model and multilayer perceptron


def _dense(x, y, model):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipe = make_pipeline(StandardScaler(), model).fit(x.astype(np.float64), y)
    scaler = pipe[0]
    if hasattr(model, "coefs_"):
        layers = [(w.T, b) for w, b in zip(model.coefs_, model.intercepts_)]
    else:
        layers = [(model.coef_, model.intercept_)]
    weights, bias = layers[-1]
    if len(bias) == 1:  # two classes: a logistic function is a softmax against zero
        layers[-1] = (np.concatenate([0 * weights, weights]), np.array([0.0, bias[0]]))

    def head(build: Builder, name: str) -> str:
        current = build.node("Sub", name, build.constant(scaler.mean_[:, None, None]))
        current = build.node("Div", current, build.constant(scaler.scale_[:, None, None]))
        for number, (w, b) in enumerate(layers):
            kernel = build.constant(w[:, :, None, None])
            current = build.node("Conv", current, kernel, build.constant(b), kernel_shape=[1, 1])
            if number < len(layers) - 1:
                current = build.node("Relu", current)
        return build.node("Softmax", current, axis=1)

    return Learned(model.classes_, lambda v: pipe.predict_proba(v.astype(np.float64)), head)


def _linear(x, y, seed, trees, depth, rotation):
    from sklearn.linear_model import LogisticRegression

    return _dense(x, y, LogisticRegression(max_iter=400, class_weight="balanced"))


def _mlp(x, y, seed, trees, depth, rotation):
    from sklearn.neural_network import MLPClassifier

    early = np.unique(y, return_counts=True)[1].min() >= 20
    return _dense(
        x, y, MLPClassifier((48,), random_state=seed, max_iter=150, early_stopping=bool(early))
    )


METHODS = {
    "randomforest": _forest(False),
    "extratrees": _forest(True),
    "rotationforest": _rotation_forest,
    "linear": _linear,
    "mlp": _mlp,
}
