"""Train models/concord-landcover-s2.onnx: Dynamic World's word on real scenes, in a fast network.

    make train MODEL=landcover-s2        (.build/train, CONCORD_DATA, about 15 minutes on one core)

The network starts as Dynamic World itself with faster parts (s2_net) and is trained to give the
same answer. The teacher reads L1C; for L2A it is asked about what the satellite saw through the
air, so that both levels are taught the same. Bands that are absent are zeros, as the plugin gives
them.
``--without PLACE`` (ssl4eo, sen1floods, majortom or eolearn) leaves a whole place out, every date
of it, and only prints the figures there; ``--short`` does so after a third of the steps.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import nets  # noqa: E402
import numpy as np  # noqa: E402
import s2_net  # noqa: E402
import s2_scenes as s2  # noqa: E402
import s2_views  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

NAME = "concord-landcover-s2"
INPUTS = {"reflectance": 4, "rededge": 4, "swir": 2}
STEPS, BATCH, SIDE, RATE = 500, 8, 80, 1e-3
REAL = 0.65  # share of the batch that shows scenes as they are


def batches(scenes: list, crops: list):
    """step -> (image, soft, weight): random parts, turned, at either level, with bands absent."""
    rng = np.random.default_rng(12)

    shares = np.array([min(scene.weight.size, 300_000) for scene in scenes], float) ** 0.5
    shares /= shares.sum()

    def one() -> tuple:
        if rng.random() < REAL:
            crop = scenes[rng.choice(len(scenes), p=shares)]
        else:
            crop = crops[rng.integers(len(crops))]
        row, col = (int(rng.integers(n - SIDE + 1)) for n in crop.weight.shape)
        part = (..., slice(row, row + SIDE), slice(col, col + SIDE))
        planes = nets.turned(rng, crop.image[part], crop.soft[part], crop.weight[part])
        image = planes[0].astype(np.float32)
        if rng.random() < 0.4:
            image = s2_views.to_l2a(image, rng)
        image = image * np.exp(rng.normal(0, 0.01, (10, 1, 1))).astype(np.float32)
        lacking = rng.random()
        if lacking < 0.2:
            image[4:8] = 0
        if lacking < 0.1 or lacking > 0.95:
            image[8:] = 0
        return image, planes[1].astype(np.float32), planes[2].astype(np.float32)

    def batch(_step: int) -> tuple:
        parts = [torch.from_numpy(np.stack(p)) for p in zip(*(one() for _ in range(BATCH)))]
        return tuple(p.contiguous() for p in parts)

    return batch


def loss(model, image, soft, weight):
    """Cross-entropy against the teacher's probabilities."""
    said = F.log_softmax(model(image[:, :4], image[:, 4:8], image[:, 8:]).float(), 1)
    return -((soft * said).sum(1) * weight).sum() / weight.sum()


def answer(model, image: np.ndarray) -> np.ndarray:
    """Logits (9, rows, cols) of a (10, rows, cols) image."""
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(image))[None]
        return model(x[:, :4], x[:, 4:8], x[:, 8:])[0].numpy()


def held_out(model, scenes: list, teacher) -> dict:
    """Agreement with the teacher and water IoU where no training looked."""
    found = {}
    for scene in scenes:
        if not scene.held.any():
            continue
        image = scene.image if scene.level == "L1C" else _teachers_view(scene, scenes)
        wanted, said = teacher(image).argmax(0), answer(model, scene.image).argmax(0)
        lean = scene.image.copy()
        lean[4:8] = 0
        leaner = lean.copy()
        leaner[8:] = 0
        held = scene.held
        row = {"agreement": float((wanted == said)[held].mean())}
        row["without red edge"] = float((wanted == answer(model, lean).argmax(0))[held].mean())
        row["four bands"] = float((wanted == answer(model, leaner).argmax(0))[held].mean())
        if (scene.hand == s2.WATER).any():
            known = held & (scene.hand != -1)
            truth = scene.hand == s2.WATER
            for name, mapped in (("water IoU", said), ("water IoU, teacher", wanted)):
                water = mapped == s2.WATER
                both, either = water & truth & known, (water | truth) & known
                row[name] = float(both.sum() / either.sum())
        found[scene.name] = row
    return found


def _teachers_view(scene, scenes: list) -> np.ndarray:
    """The L1C image of the same date where there is one, else what it would be."""
    twin = [s for s in scenes if s.name == scene.name.replace("L2A", "L1C") and s is not scene]
    return twin[0].image if twin else s2_views.to_l1c(scene.image)


def whole(scenes: list) -> list:
    """The scenes with every pixel held out."""
    return [replace(s, held=np.ones_like(s.held)) for s in scenes]


def main(target: Path, without: str = "", short: bool = False) -> None:
    nets.threads(1)
    scenes, teacher = s2.all_scenes(), s2.Teacher()
    seen = [s for s in scenes if not (without and s.name.startswith(without))]
    if without and len(seen) == len(scenes):
        raise SystemExit(
            f"No place is called {without}; the scenes are {[s.name for s in scenes]}."
        )
    share = 3 if short else 1
    shown = s2_views.real(seen, teacher)
    crops = s2_views.crops(seen, teacher, s2_views.COUNT // share)
    model = s2_net.started()
    print(f"{len(shown)} scenes, {len(crops)} crops, {nets.parameters(model)} weights", flush=True)
    model = nets.fit(model, batches(shown, crops), loss, STEPS // share, RATE, decay=0.0)
    judged = whole([s for s in scenes if s.name.startswith(without)]) if without else scenes
    figures = held_out(model, judged, teacher)
    for name, row in figures.items():
        print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)
    if not without:
        import raster_cards

        raster_cards.save_landcover_s2(model, figures, target)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--without", default="", metavar="PLACE")
    asked.add_argument("--short", action="store_true")
    given = asked.parse_args()
    main(ROOT / "models" / f"{NAME}.onnx", given.without, given.short)
