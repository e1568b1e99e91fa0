"""Train models/concord-landcover-s2.onnx: Dynamic World's word on real scenes, in a fast network.

    make train MODEL=landcover-s2        (.build/train, CONCORD_DATA, about 5 minutes on one core)

The network starts as Dynamic World itself with faster parts (s2_net), which already gives its
answer on L1C with every band. What is trained is the rest: layers in front that fill bands that
are absent (zeros, as the plugin gives them), and water as a hand label has it. The teacher reads
L1C with every band, whatever the student is shown of the same view. Then the wide blocks are put
in 8 bits, and what is measured is that graph.
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

import eight_bits  # noqa: E402
import nets  # noqa: E402
import numpy as np  # noqa: E402
import raster_cards  # noqa: E402
import s2_net  # noqa: E402
import s2_scenes as s2  # noqa: E402
import s2_views  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

NAME = "concord-landcover-s2"
INPUTS = {"reflectance": 4, "rededge": 4, "swir": 2}
EDGE, SWIR = (slice(bands[0], bands[-1] + 1) for bands in (s2_net.EDGE, s2_net.SWIR))
FILL_STEPS, FILL_RATE, PIXELS, VIEWS = 700, 2e-3, 4096, 800
BATCH = 6
# (layers, steps, rate) of the two other parts.
LAST = ("net.third", "net.offset", "net.head"), 110, 2e-4
FIRST = ("fill",), 130, 4e-4
# In 8 bits: a quarter faster. The first block and the end of the third lose more than the rest.
LIGHT = (
    "/landcover/net/second/",
    *(f"/landcover/net/third/{n}" for n in ("mix.", "near.0", "near.1", "short")),
)
CALIBRATION, PERCENTILE = 60, 99.9  # views, and how much of what a layer answers is kept
BESIDE = ("Sigmoid", "Mul", "Add")  # the curve and the ways round


def absent(draw) -> tuple:
    """(red edge, SWIR) that are absent for numbers 0 to 1: the first, both, or the second."""
    return draw < 0.86, draw > 0.43


def seen(rng, view) -> tuple:
    """(image as the plugin may give it with bands absent, 1 where it is L2A)."""
    ground = float(rng.random() < 0.4)
    image = (view.ground if ground else view.image).copy()
    image *= np.exp(rng.normal(0, 0.01, (10, 1, 1))).astype(np.float32)
    for gone, bands in zip(absent(rng.random()), (EDGE, SWIR)):
        if gone:
            image[bands] = 0
    return image, ground


def split(image) -> tuple:
    return image[:, :4], image[:, EDGE], image[:, SWIR]


def filled(model, scenes: list):
    """Train the layers in front alone: absent bands of pixels as L1C has them.

    First by least squares; the network on top gets few steps, for with more it learns the places.
    """
    rng, views = np.random.default_rng(13), s2_views.stream(scenes)
    shown = [next(views) for _ in range(VIEWS)]
    pools = [np.concatenate([getattr(v, level).reshape(10, -1)[:, ::8] for v in shown], 1)
             for level in ("image", "ground")]  # fmt: skip
    model.fit_line(torch.from_numpy(pools[0]))

    def batch(_step: int) -> tuple:
        at = rng.integers(pools[0].shape[1], size=PIXELS)
        image, surface = s2_views.recoloured(rng, *(pool[:, at] for pool in pools))
        ground = rng.random((1, PIXELS)) < 0.4
        given = np.where(ground, surface, image)
        for gone, bands in zip(absent(rng.random(PIXELS)), (EDGE, SWIR)):
            given[bands, gone] = 0
        planes = (given, image, ground)
        return tuple(torch.from_numpy(p.astype(np.float32)[None, :, :, None]) for p in planes)

    def loss(model, given, wanted, ground):
        off = model.filled(*split(given), ground) - model.normalised(wanted)
        return (off**2).mean()

    parts = [(model.fill.parameters(), FILL_RATE)]
    return nets.fit(model, batch, loss, FILL_STEPS, FILL_RATE, 0.0, parts, half=False)


def batches(scenes: list, teacher, by_hand: bool):
    """step -> (image, soft, ground): views and what ``teacher`` says of them with all at L1C.

    Args:
        by_hand: show L1C with every band, and correct the teacher by the hand label of water;
            else show either level and leave bands out.
    """
    rng, views = np.random.default_rng(12), s2_views.stream(scenes, 12)

    def batch(_step: int) -> tuple:
        shown = [next(views) for _ in range(BATCH)]
        images = torch.from_numpy(np.stack([view.image for view in shown]))
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            soft = torch.softmax(teacher(*split(images), torch.zeros(1, 1, 1, 1)), 1).numpy()
        planes, grounds = [], []
        for view, odds in zip(shown, soft):
            image, ground = (view.image, 0.0) if by_hand else seen(rng, view)
            odds = s2_views.corrected(odds, view.hand) if by_hand else odds
            planes.append(nets.turned(rng, image, odds))
            grounds.append(ground)
        image, soft = (torch.from_numpy(np.stack(p)).float().contiguous() for p in zip(*planes))
        return image, soft, torch.tensor(grounds).reshape(-1, 1, 1, 1)

    return batch


def loss(model, image, soft, ground):
    """Cross-entropy against the teacher's probabilities."""
    said = F.log_softmax(model(*split(image), ground).float(), 1)
    return -(soft * said).sum(1).mean()


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
        lean[EDGE] = 0
        leaner = lean.copy()
        leaner[SWIR] = 0
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
    for by_hand, (layers, steps, rate) in ((True, LAST), (False, FIRST)):
        for name, value in model.named_parameters():
            value.requires_grad_(name.startswith(layers))
        parts = [([p for p in model.parameters() if p.requires_grad], rate)]
        batch = batches(scenes, teacher, by_hand)
        model = nets.fit(model, batch, loss, steps, rate, 0.0, parts)
        teacher = copy.deepcopy(model)
    return model.requires_grad_(True)


def lighter(model, scenes: list):
    """The ONNX graph, the blocks that cost most in 8 bits."""
    views = s2_views.stream(scenes, 14)
    shown = [split(next(views).image[None]) for _ in range(CALIBRATION)]
    images = [dict(zip(INPUTS, map(np.ascontiguousarray, planes))) for planes in shown]
    told = {"level": s2_net.UNKNOWN}
    graph = nets.export(s2_net.Told(model), INPUTS, raster_cards.OUTPUT, told)
    images = [{**image, "level": np.array([s2_net.UNKNOWN], np.float32)} for image in images]
    graph = eight_bits.quantised(graph, images, LIGHT, PERCENTILE, BESIDE)
    return nets.with_defaults(graph, told)


def main(target: Path, without: str = "") -> None:
    nets.threads(1)
    scenes, places = s2.all_scenes(), tuple(without.split(",")) if without else ()
    named = {s.name for s in scenes}
    for place in places:
        if not any(name.startswith(place) for name in named):
            raise SystemExit(f"No place is called {place}; the scenes are {sorted(named)}.")
    left = [s for s in scenes if places and s.name.startswith(places)]
    taught = [s for s in scenes if not (places and s.name.startswith(places))]
    model = trained(taught)
    graph = lighter(model, taught)
    said = nets.Graph(graph.SerializeToString())
    figures = held_out(said, whole(left) if left else scenes, s2.Teacher())
    for name, row in figures.items():
        print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)
    if not without:
        raster_cards.save_landcover_s2(model, graph, figures, target)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--without", default="", metavar="PLACE,PLACE")
    main(ROOT / "models" / f"{NAME}.onnx", asked.parse_args().without)
