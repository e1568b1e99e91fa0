"""Simulated annotators for real labels; always named as simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concord.plugin.engine.sample import annotators, noise


@dataclass(frozen=True)
class Care:
    """Edge jitter (px), smallest object that is noticed (px), share of blobs mistaken."""

    jitter: float
    smallest: int
    mistaken: float


CARE = {"simulated_b": Care(0.7, 6, 0.01), "simulated_c": Care(1.6, 30, 0.05)}


def simulate(truth: np.ndarray, name: str, seed: int = 1) -> np.ndarray:
    """A two-class map (rows, cols) drawn with less care than ``truth``; 0 stays 0."""
    care, rng = CARE[name], noise.stream(seed, name)
    drawn = annotators.stray(rng, annotators.overlook(truth, care.smallest), care.jitter)
    blobs = noise.smooth(rng, truth.shape, 12)
    wrong = blobs > np.quantile(blobs, 1 - care.mistaken)
    drawn = np.where(wrong & (drawn > 0), 3 - drawn, drawn)
    return np.where(truth == 0, 0, drawn).astype(np.uint8)
