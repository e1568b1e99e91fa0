"""Choosing among the chips that passed the gate: near-duplicates, caps, a target number.

A chip's embedding is plain: the 8 x 8 block means of every band, standardised over the set. It
needs no model and finds chips that look the same to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SIDE = 8
_ROUNDS = 50


@dataclass(frozen=True)
class Curate:
    """What to drop; 0 leaves a step out.

    Args:
        duplicates: chips whose embeddings have a cosine similarity above this are alike, 0-1.
        cap_class: most chips with the same most frequent class.
        clusters: number of clusters of embeddings (k-means).
        cap_cluster: most chips a cluster; needs ``clusters``.
        target: most chips in all, dealt evenly over the most frequent classes.
    """

    duplicates: float = 0.0
    cap_class: int = 0
    clusters: int = 0
    cap_cluster: int = 0
    target: int = 0

    @property
    def needs_images(self) -> bool:
        return bool(self.duplicates or (self.clusters and self.cap_cluster))

    @property
    def is_active(self) -> bool:
        return bool(self.needs_images or self.cap_class or self.target)


def embedding(cuts: list) -> np.ndarray:
    """The block means (side * side * bands,) of a chip's cuts, float32, without empty pixels."""
    parts = []
    for cut in cuts:
        array = np.where(cut.valid, cut.array, np.nan).astype(np.float32)
        rows = np.array_split(np.arange(array.shape[1]), _SIDE)
        cols = np.array_split(np.arange(array.shape[2]), _SIDE)
        for r in rows:
            for c in cols:
                block = array[:, r[:1].min(initial=0) : r[-1:].max(initial=0) + 1,
                              c[:1].min(initial=0) : c[-1:].max(initial=0) + 1]  # fmt: skip
                known = ~np.isnan(block)
                total = np.where(known, block, 0).sum(axis=(1, 2))
                parts.append(total / np.maximum(known.sum(axis=(1, 2)), 1))
    return np.concatenate(parts).astype(np.float32)


def _unit(vectors: list) -> np.ndarray:
    longest = max(len(v) for v in vectors)
    table = np.zeros((len(vectors), longest), np.float32)
    for row, vector in zip(table, vectors):
        row[: len(vector)] = vector
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.where(length > 0, length, 1)


def select(planned: list, vectors: list, wish: Curate, codes, seed: int) -> tuple:
    """(kept, dropped): the chips that stay, and (id, reason) of the others.

    Args:
        vectors: an embedding a chip, or an empty list when ``wish.needs_images`` is False.
    """
    dropped: list = []
    alive = list(range(len(planned)))
    main = [_main_class(p, codes) for p in planned]
    if vectors and wish.needs_images:
        table = _unit(vectors)
        if wish.duplicates:
            alive, gone = _without_twins(alive, table, wish.duplicates)
            dropped += [(planned[i].chip.id, f"looks like {planned[j].chip.id}") for i, j in gone]
        if wish.clusters and wish.cap_cluster:
            groups = _k_means(table[alive], wish.clusters, seed)
            alive, gone = _capped(alive, groups, wish.cap_cluster, seed)
            dropped += [(planned[i].chip.id, "cluster is full") for i in gone]
    if wish.cap_class:
        alive, gone = _capped(alive, [main[i] for i in alive], wish.cap_class, seed)
        dropped += [(planned[i].chip.id, "class is full") for i in gone]
    if wish.target and len(alive) > wish.target:
        chosen = _evenly(alive, [main[i] for i in alive], wish.target, seed)
        gone = sorted(set(alive) - set(chosen))
        dropped += [(planned[i].chip.id, "target number is reached") for i in gone]
        alive = chosen
    return [planned[i] for i in sorted(alive)], dropped


def histogram(planned: list, scheme) -> dict:
    """{class name: pixels} over chips."""
    total = sum((p.content.counts.astype(np.int64) for p in planned), np.zeros(256, np.int64))
    return {c.name: int(total[c.code]) for c in scheme.classes}


def _main_class(planned, codes) -> int:
    codes = list(codes)
    return codes[int(np.argmax(planned.content.counts[codes]))]


def _without_twins(alive: list, table: np.ndarray, limit: float) -> tuple:
    kept: list = []
    gone: list = []
    for i in alive:
        if kept:
            alike = table[kept] @ table[i]
            best = int(alike.argmax())
            if alike[best] > limit:
                gone.append((i, kept[best]))
                continue
        kept.append(i)
    return kept, gone


def _order(count: int, seed: int) -> list:
    return np.random.default_rng(seed).permutation(count).tolist()


def _capped(alive: list, groups, most: int, seed: int) -> tuple:
    count: dict = {}
    kept, gone = [], []
    for position in _order(len(alive), seed):
        group = groups[position]
        count[group] = count.get(group, 0) + 1
        (kept if count[group] <= most else gone).append(alive[position])
    return sorted(kept), sorted(gone)


def _evenly(alive: list, groups, target: int, seed: int) -> list:
    queues: dict = {}
    for position in _order(len(alive), seed):
        queues.setdefault(groups[position], []).append(alive[position])
    chosen: list = []
    while len(chosen) < target:
        for group in sorted(queues):
            if queues[group] and len(chosen) < target:
                chosen.append(queues[group].pop())
    return sorted(chosen)


def _k_means(table: np.ndarray, clusters: int, seed: int) -> list:
    """Lloyd's algorithm from a seeded choice of farthest points."""
    rng = np.random.default_rng(seed)
    clusters = min(clusters, len(table))
    centres = [table[int(rng.integers(len(table)))]]
    nearest = ((table - centres[0]) ** 2).sum(axis=1)
    while len(centres) < clusters:
        centres.append(table[int(nearest.argmax())])
        nearest = np.minimum(nearest, ((table - centres[-1]) ** 2).sum(axis=1))
    middle, groups = np.array(centres), None
    for _ in range(_ROUNDS):
        new = (-2 * table @ middle.T + (middle**2).sum(axis=1)).argmin(axis=1)
        if groups is not None and (new == groups).all():
            break
        groups = new
        for k in range(clusters):
            if (groups == k).any():
                middle[k] = table[groups == k].mean(axis=0)
    return groups.tolist()
