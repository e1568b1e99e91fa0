"""Why no model of water in Sentinel-1 is bundled: what a forest and a threshold reach, as a table.

    make evaluate-models PART=radar_water        (.build/train, CONCORD_DATA, a minute)

One scene here has a hand label (Sen1Floods11, Spain), so each third of it is judged by what the
other two teach. The threshold is the best of all on those two, over both polarisations and four
sizes of window; the forest sees them all.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import rasterio  # noqa: E402
from s2_scenes import data  # noqa: E402
from scipy import ndimage  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402

WINDOWS, TEXTURE = (1, 3, 7, 15), 7  # pixels of 10 m
LIMITS = np.arange(-28, -5, 0.5)  # dB
THIRDS = ("west", "middle", "east")


def scene() -> tuple:
    """(vv and vh in dB (2, rows, cols), water, judged (rows, cols) bool)."""
    base, planes = data() / "sen1floods-es", []
    for part in ("S1", "Labels"):
        with rasterio.open(next((base / part).glob("*.tif"))) as source:
            planes.append(source.read())
    radar, label = planes[0].astype(np.float32), planes[1][0]
    judged = (label >= 0) & np.isfinite(radar).all(0)
    return np.nan_to_num(radar, nan=-30.0), label == 1, judged


def features(radar: np.ndarray) -> np.ndarray:
    """(rows, cols, features): means of the power in dB, then the spread of the dB."""
    power = 10 ** (radar / 10)
    means = [10 * np.log10(ndimage.uniform_filter(band, size) + 1e-6)
             for size in WINDOWS for band in power]  # fmt: skip
    spreads = [
        ndimage.uniform_filter(band**2, TEXTURE) - ndimage.uniform_filter(band, TEXTURE) ** 2
        for band in radar
    ]
    return np.stack([*means, *(np.sqrt(np.maximum(spread, 0)) for spread in spreads)], -1)


def overlap(said, water) -> float:
    """IoU."""
    return float((said & water).sum() / max(1, (said | water).sum()))


def rows() -> list:
    """[(third, IoU of the threshold, IoU of the forest)]."""
    radar, water, judged = scene()
    seen = features(radar)
    third = np.arange(water.shape[1]) * len(THIRDS) // water.shape[1] + np.zeros(water.shape, int)
    found = []
    for number, name in enumerate(THIRDS):
        taught, held = judged & (third != number), judged & (third == number)
        plain = [(overlap(seen[taught][:, k] < limit, water[taught]), k, limit)
                 for k in range(2 * len(WINDOWS)) for limit in LIMITS]  # fmt: skip
        _, k, limit = max(plain)
        forest = RandomForestClassifier(
            150, min_samples_leaf=20, max_samples=0.3, random_state=0, n_jobs=-1
        ).fit(seen[taught], water[taught])
        said = forest.predict(seen[held])
        threshold = overlap(seen[held][:, k] < limit, water[held])
        found.append((name, threshold, overlap(said, water[held])))
    return found


def main() -> None:
    print("| third of sen1floods left out | IoU of water, best threshold | random forest |")
    print("| --- | --- | --- |")
    for name, threshold, forest in rows():
        print(f"| {name} | {threshold:.2f} | {forest:.2f} |")


if __name__ == "__main__":
    main()
