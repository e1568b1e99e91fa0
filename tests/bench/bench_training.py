"""Does a small network learn more from refined labels than from the noisy ones?"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from .bench_refine import SEED, refined, strip


def bench_small_network(folder: Path) -> dict:
    """A small network trained on NLCD, on NLCD refined by `auto`, and on the 1 m map of seven
    chips, scored on the eighth (chips 0, 3 and 7, which have two classes); 5 seeds; percent."""
    from sklearn.neural_network import MLPClassifier

    from concord.plugin.engine.grid import Window
    from concord.plugin.engine.refine.auto import AutoEngine
    from concord.plugin.engine.refine.model import features_of
    from concord.plugin.engine.refine.source import ArraySource

    bands, nlcd, truth, columns = strip()
    source = ArraySource(bands, nlcd, (2, 3, 5))
    features = features_of(source.patch(Window(0, 0, source.width, source.height))) / 512.0
    maps = {"noisy": nlcd, "refined": refined(AutoEngine(), source), "right": truth}
    found: dict = {}
    for held in (0, 3, 7):
        rest = np.concatenate([np.arange(c.start, c.stop) for i, c in enumerate(columns)
                               if i != held])  # fmt: skip
        test = features[:, ::2, columns[held]][:, :, ::2].reshape(len(features), -1).T
        wanted = truth[::2, columns[held]][:, ::2].ravel()
        for seed in range(5):
            rng = np.random.default_rng(seed)
            rows, cols = rng.integers(0, 256, 6000), rng.choice(rest, 6000)
            for name, codes in maps.items():
                network = MLPClassifier((16,), max_iter=40, random_state=seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # 40 rounds are meant to be few
                    network.fit(features[:, rows, cols].T, codes[rows, cols])
                share = float((network.predict(test) == wanted).mean())
                found.setdefault(name, []).append(share)
    figures = {name: round(100 * float(np.mean(v)), 2) for name, v in found.items()}
    gain = np.array(found["refined"]) - np.array(found["noisy"])
    return {**figures, "refined_better_of_15": int((gain > 0).sum())}


def bench_small_network_on_noise(folder: Path) -> dict:
    """The same network on noisy, by `auto` refined and right labels of one half of a scene, scored
    on the other half: six kinds at their middle level, 5 seeds; gain in points with its spread."""
    from sklearn.neural_network import MLPClassifier

    from concord.plugin.engine.grid import Window
    from concord.plugin.engine.refine import engines
    from concord.plugin.engine.refine.model import features_of
    from concord.plugin.engine.refine.source import ArraySource

    from .noises import LEVELS, lay
    from .refine_scenes import scenes

    figures = {}
    for name, bands, truth, metres in scenes():
        if name not in ("fair-uganda", "sen1floods-es"):
            continue
        source = ArraySource(bands, truth)
        patch = source.patch(Window(0, 0, source.width, source.height))
        features, half = features_of(patch) / 512.0, truth.shape[1] // 2
        test = features[:, ::2, half::2].reshape(len(features), -1).T
        wanted = truth[::2, half::2].ravel()
        right = truth[:, :half]
        for kind, levels in LEVELS.items():
            noisy = lay(right, kind, levels[1], SEED)
            engine = engines.engine_of("auto", metres)
            maps = {"noisy": noisy, "right": right,
                    "refined": refined(engine, ArraySource(bands[..., :half], noisy))}  # fmt: skip
            found: dict = {}
            for seed in range(5):
                rng = np.random.default_rng(seed)
                rows, cols = rng.integers(0, len(right), 6000), rng.integers(0, half, 6000)
                rows, cols = rows[right[rows, cols] > 0], cols[right[rows, cols] > 0]
                for title, codes in maps.items():
                    network = MLPClassifier((16,), max_iter=40, random_state=seed)
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        network.fit(features[:, rows, cols].T, codes[rows, cols])
                    told = network.predict(test)
                    found.setdefault(title, []).append(100 * _mean_iou(told, wanted))
            gain = np.array(found["refined"]) - np.array(found["noisy"])
            figures[f"{name} {kind}"] = (
                f"noisy {np.mean(found['noisy']):.1f}, refined {np.mean(found['refined']):.1f}, "
                f"right {np.mean(found['right']):.1f}, gain {gain.mean():+.2f} "
                f"(spread {gain.std(ddof=1):.2f}), better {int((gain > 0).sum())} of 5"
            )
    return figures


def _mean_iou(told, wanted) -> float:
    known = wanted > 0
    told, wanted = told[known], wanted[known]
    return float(np.mean([((told == c) & (wanted == c)).sum() / max(1, ((told == c) | (wanted == c))
                          .sum()) for c in np.unique(wanted)]))  # fmt: skip
