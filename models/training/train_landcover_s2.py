"""Train models/concord-landcover-s2.onnx: Dynamic World's word on real scenes, in a fast network.

    make train MODEL=landcover-s2        (.build/train, CONCORD_DATA, about 5 minutes on one core)

The network starts as Dynamic World itself with faster parts (s2_net), which already gives its
answer on L1C with every band. What is trained is the rest: layers in front that bring L2A back to
L1C and fill bands that are absent (zeros, as the plugin gives them), and water as a hand label
has it. The teacher reads L1C with every band, whatever the student is shown of the same view.
``--without PLACE,PLACE`` (ssl4eo, sen1floods, majortom, eolearn) leaves whole places out, every
date of them, and only prints the figures there.
"""

from __future__ import annotations

import argparse
import copy
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
FILL_STEPS, FILL_RATE, PIXELS, VIEWS = 7000, 5e-3, 4096, 800
BATCH = 6
FULL = 16.0  # what a pixel of L1C with every band counts
# (layers, steps, rate, what a view of L1C with every band counts) of the two other parts.
LAST = ("net.third", "net.offset", "net.head"), 110, 2e-4, 6.0
FIRST = ("fill",), 130, 4e-4, 2.0


def seen(rng, view) -> tuple:
    """(image as the plugin may give it, whether it is L1C with all its bands)."""
    above = rng.random() >= 0.4
    image = (view.image if above else view.ground).copy()
    image *= np.exp(rng.normal(0, 0.01, (10, 1, 1))).astype(np.float32)
    lacking = rng.random()
    if lacking < 0.36:
        image[4:8] = 0
    if lacking < 0.18 or lacking > 0.94:
        image[8:] = 0
    return image, above and 0.36 <= lacking <= 0.94


def split(image) -> tuple:
    return image[:, :4], image[:, 4:8], image[:, 8:]


def filled(model, scenes: list):
    """Train the layers in front alone: pixels as L1C with all bands has them.

    Whatever they leave as it is keeps Dynamic World's answer, so full L1C counts more.
    """
    rng, views = np.random.default_rng(13), s2_views.stream(scenes)
    shown = [next(views) for _ in range(VIEWS)]
    pools = [np.concatenate([getattr(v, level).reshape(10, -1)[:, ::8] for v in shown], 1)
             for level in ("image", "ground")]  # fmt: skip

    def batch(_step: int) -> tuple:
        at = rng.integers(pools[0].shape[1], size=PIXELS)
        image, ground = s2_views.recoloured(rng, *(pool[:, at] for pool in pools))
        above, lacking = rng.random(PIXELS) < 0.6, rng.random(PIXELS)
        given = np.where(above, image, ground).astype(np.float32)
        given[4:8, lacking < 0.36] = 0
        given[8:, (lacking < 0.18) | (lacking > 0.94)] = 0
        weight = np.where(above & (lacking >= 0.36) & (lacking <= 0.94), FULL, 1.0)
        planes = (torch.from_numpy(p.astype(np.float32)[None, :, :, None]) for p in (given, image))
        return (*planes, torch.from_numpy(weight).float())

    def loss(model, given, wanted, weight):
        off = model.filled(*split(given))[:, :10] - model.normalised(wanted)
        return ((off**2).mean((0, 1, 3)) * weight).mean()

    parts = [(model.fill.parameters(), FILL_RATE)]
    return nets.fit(model, batch, loss, FILL_STEPS, FILL_RATE, 0.0, parts, half=False)


def batches(scenes: list, teacher, by_hand: bool, counts: float):
    """step -> (image, soft, weight): views and what ``teacher`` says of them with all at L1C.

    Args:
        by_hand: show L1C with every band, and correct the teacher by the hand label of water;
            else show either level and leave bands out.
        counts: what a view of L1C with every band counts beside another.
    """
    rng, views = np.random.default_rng(12), s2_views.stream(scenes, 12)

    def batch(_step: int) -> tuple:
        shown = [next(views) for _ in range(BATCH)]
        images = torch.from_numpy(np.stack([view.image for view in shown]))
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            soft = torch.softmax(teacher(*split(images)), 1).numpy()
        planes, weights = [], []
        for view, odds in zip(shown, soft):
            image, full = (view.image, True) if by_hand else seen(rng, view)
            odds = s2_views.corrected(odds, view.hand) if by_hand else odds
            planes.append(nets.turned(rng, image, odds))
            weights.append(counts if full else 1.0)
        image, soft = (torch.from_numpy(np.stack(p)).float().contiguous() for p in zip(*planes))
        return image, soft, torch.tensor(weights)

    return batch


def loss(model, image, soft, weight):
    """Cross-entropy against the teacher's probabilities."""
    said = F.log_softmax(model(*split(image)).float(), 1)
    return -((soft * said).sum(1).mean((1, 2)) * weight).mean()


def answer(model, image: np.ndarray) -> np.ndarray:
    """Logits (9, rows, cols) of a (10, rows, cols) image."""
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(image))[None]
        return model(*split(x))[0].numpy()


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


def trained(scenes: list):
    """First the layers in front, then the last of Dynamic World's, then those in front again.

    Only the last block learns what the hand label has otherwise of water, at L1C with every band:
    with all of them free, places without labels lost more of the teacher's word for the same gain.
    What comes out is the teacher of the layers in front, for views that lack something.
    """
    model, teacher = filled(s2_net.started(), scenes), s2_net.started(s2_net.EXACT).eval()
    for by_hand, (layers, steps, rate, counts) in ((True, LAST), (False, FIRST)):
        for name, value in model.named_parameters():
            value.requires_grad_(name.startswith(layers))
        parts = [([p for p in model.parameters() if p.requires_grad], rate)]
        batch = batches(scenes, teacher, by_hand, counts)
        model = nets.fit(model, batch, loss, steps, rate, 0.0, parts)
        teacher = copy.deepcopy(model)
    return model.requires_grad_(True)


def main(target: Path, without: str = "") -> None:
    nets.threads(1)
    scenes, places = s2.all_scenes(), tuple(without.split(",")) if without else ()
    named = {s.name for s in scenes}
    for place in places:
        if not any(name.startswith(place) for name in named):
            raise SystemExit(f"No place is called {place}; the scenes are {sorted(named)}.")
    left = [s for s in scenes if places and s.name.startswith(places)]
    model = trained([s for s in scenes if not (places and s.name.startswith(places))])
    figures = held_out(model, whole(left) if left else scenes, s2.Teacher())
    for name, row in figures.items():
        print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)
    if not without:
        import raster_cards

        raster_cards.save_landcover_s2(model, figures, target)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--without", default="", metavar="PLACE,PLACE")
    main(ROOT / "models" / f"{NAME}.onnx", asked.parse_args().without)
