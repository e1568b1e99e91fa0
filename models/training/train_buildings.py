"""Train models/concord-buildings.onnx: roofs on aerial pictures of 0.1 to 0.35 m.

    make train MODEL=buildings        (.build/train, CONCORD_DATA, 10 minutes on one core)

Trained on the western two thirds of fair-uganda, judged on the eastern third; buildings across
the line are left out of both. A class of its own for the rim of a roof lets roofs that touch come
apart: the card says ``parcels``, and polygons grow from the inside of each roof to its rim.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import aerial_scenes as aerial  # noqa: E402
import aerial_views  # noqa: E402
import nets  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

NAME = "concord-buildings"
WIDTHS, BLOCKS = (16, 32, 64, 64), ((1,), (1, 2), (1, 2))


@dataclass(frozen=True)
class Phase:
    """Part of a training: strength is that of light, drawn is the share of generated roofs."""

    steps: int
    batch: int
    side: int
    rate: float
    scales: tuple  # of the 7.5 cm mosaic: 0.5 gives 0.15 m
    strength: float
    drawn: float


# First everything and its opposite, then nearer to what pictures are like.
PHASES = (
    Phase(420, 8, 160, 4e-3, (0.3, 0.62), 1.0, 0.31),
    Phase(1100, 4, 144, 3e-3, (0.35, 0.62), 0.4, 0.08),
)
JUDGED = 2  # figures are at 0.15 m: every second pixel of the mosaic
GAP = 12  # mosaic pixels; ground nearer than this to two roofs is a gap
RIM = 4  # mosaic pixels of a roof that count as its rim, about 0.3 m
GROUND, ROOF, EDGE = range(3)


class Buildings(torch.nn.Module):
    """A picture 0-1 to three logits: ground, inside of a roof, its rim."""

    def __init__(self):
        super().__init__()
        self.net = nets.Net(3, 3, WIDTHS, BLOCKS)

    def forward(self, rgb):
        return self.net(rgb * 4 - 2)


def truth() -> tuple:
    """(classes, weights, held) over the mosaic; weight 0 is not judged, gaps weigh more."""
    from rasterio.features import rasterize
    from shapely.geometry import box
    from shapely.geometry import shape as outline

    shape = (aerial.ROWS * aerial.TILE, aerial.COLUMNS * aerial.TILE)
    line = aerial.HELD_COLUMN * aerial.TILE
    outlines = [outline(r).buffer(0) for r in aerial.roofs()]
    outlines = [r for r in outlines if not r.is_empty]
    roofs = rasterize([(r, EDGE) for r in outlines], shape, dtype=np.uint8)
    inner = [(r.buffer(-RIM), ROOF) for r in outlines]
    inner = rasterize([(r, n) for r, n in inner if not r.is_empty], shape, dtype=np.uint8)
    roofs = np.where(inner > 0, inner, roofs)
    weight = np.ones(shape, np.float16)
    near = np.zeros(shape, np.uint8)
    for roof in outlines:
        near += rasterize([(roof.buffer(GAP), 1)], shape, dtype=np.uint8)
    weight[(near > 1) & (roofs == 0)] = 4
    frontier = box(line - 0.5, 0, line + 0.5, shape[0])
    for roof in outlines:
        if roof.intersects(frontier):
            weight[rasterize([(roof.buffer(4), 1)], shape, dtype=np.uint8) > 0] = 0
    held = np.zeros(shape, bool)
    held[:, line:] = True
    return roofs, weight, held


def _drawn(rng, image: np.ndarray, roof: np.ndarray) -> tuple:
    """Generated roofs of other colours: gables with a lit and a dark side and a cast shadow."""
    from skimage.draw import polygon

    image, roof = image.copy(), roof.copy()
    for _ in range(int(rng.integers(1, 6))):
        length, width = rng.uniform(18, 80), rng.uniform(14, 45)
        angle, (row, col) = rng.uniform(0, np.pi), rng.uniform(0, len(roof), 2)
        along = np.array([np.sin(angle), np.cos(angle)]) * length / 2
        across = np.array([np.cos(angle), -np.sin(angle)]) * width / 2
        grey = rng.uniform(0.2, 0.95)
        colour = np.clip(grey + rng.normal(0, 0.12, 3), 0.05, 1)
        shadow = rng.uniform(-8, 8, 2)
        centre = np.array([row, col])
        corners = [along + across, along - across, -along - across, -along + across]
        rows, cols = polygon(*zip(*(centre + shadow + c for c in corners)), roof.shape)
        free = roof[rows, cols] == 0
        image[:, rows[free], cols[free]] *= rng.uniform(0.35, 0.7)
        lit = rng.uniform(0.0, 0.25)
        for side in (1, -1):
            half = [along + side * across, along, -along, -along + side * across]
            rows, cols = polygon(*zip(*(centre + c for c in half)), roof.shape)
            ribs = 0.03 * np.sin((rows * along[0] + cols * along[1]) / length * rng.uniform(1, 4))
            image[:, rows, cols] = colour[:, None] * (1 + side * lit) + ribs
            image[:, rows, cols] += rng.normal(0, 0.03, (3, len(rows)))
        rows, cols = polygon(*zip(*(centre + c for c in corners)), roof.shape)
        roof[rows, cols] = EDGE
        inner = [c - 2 * np.sign(c @ along) * along / (length / 2)
                 - 2 * np.sign(c @ across) * across / (width / 2) for c in corners]  # fmt: skip
        rows, cols = polygon(*zip(*(centre + c for c in inner)), roof.shape)
        roof[rows, cols] = ROOF
    return np.clip(image, 0, 1), roof


def batches(mosaic: np.ndarray, roofs: np.ndarray, weight: np.ndarray, woods: list, phase: Phase):
    """step -> (image, roof, weight) of the part that is given, and of woods without a roof."""
    rng, side = np.random.default_rng(phase.steps), phase.side

    def one() -> tuple:
        kind = rng.random()
        if kind < 0.1:
            wood = woods[rng.integers(len(woods))]
            part, _ = aerial_views.window(rng, wood.shape, side, (0.5, 1.0))
            image = aerial_views.resized(wood[part].astype(np.float32) / 255, side, 1)
            roof, care = np.zeros((2, side, side), np.float32)
            care += 1
        else:
            part, _ = aerial_views.window(rng, roofs.shape, side, phase.scales)
            image = aerial_views.resized(mosaic[part].astype(np.float32) / 255, side, 1)
            roof = aerial_views.resized(roofs[part], side, 0).astype(np.float32)
            care = aerial_views.resized(weight[part].astype(np.float32), side, 0)
        if rng.random() < phase.drawn:
            image, roof = _drawn(rng, image, roof)
        image = aerial_views.light(rng, image, phase.strength)
        if rng.random() < 0.15 * phase.strength:
            image = image[rng.permutation(3)]
        return nets.turned(rng, image, roof, care)

    def batch(_step: int) -> tuple:
        planes = zip(*(one() for _ in range(phase.batch)))
        return tuple(torch.from_numpy(np.stack(p).astype(np.float32)) for p in planes)

    return batch


def loss(model, image, roof, weight):
    """Weighted cross-entropy plus the soft Dice of Milletari et al. (2016, arXiv 1606.04797)."""
    said = model(image).float()
    entropy = (F.cross_entropy(said, roof.long(), reduction="none") * weight).mean()
    care = (weight > 0).float()
    chance = (1 - F.softmax(said, 1)[:, GROUND]) * care
    there = (roof > 0) * care
    both = (chance * there).sum()
    return entropy + 0.5 * (1 - (2 * both + 1) / (chance.sum() + there.sum() + 1))


def thinned(image: np.ndarray, step: int) -> np.ndarray:
    """Mean of blocks of step x step pixels."""
    bands, rows, cols = image.shape
    blocks = image.reshape(bands, rows // step, step, cols // step, step)
    return blocks.astype(np.float32).mean((2, 4))


def judged(model, mosaic, roofs, weight, step: int = JUDGED) -> dict:
    """IoU and accuracy of the roof pixels of a part, seen at ``step`` mosaic pixels."""
    with torch.no_grad():
        x = torch.from_numpy(thinned(mosaic, step) / 255)[None]
        said = model(x)[0].argmax(0).numpy() > 0
    roof = roofs[step // 2 :: step, step // 2 :: step] > 0
    care = weight[step // 2 :: step, step // 2 :: step] > 0
    both, either = (said & roof & care).sum(), ((said | roof) & care).sum()
    return {"IoU": float(both / either), "precision": float(both / max(1, (said & care).sum())),
            "recall": float(both / (roof & care).sum())}  # fmt: skip


def main(target: Path) -> None:
    nets.threads(1)
    mosaic, (roofs, weight, held) = aerial.uganda(), truth()
    line = int(np.argmax(held[0]))
    west = (mosaic[:, :, :line], roofs[:, :line], weight[:, :line])
    east = (mosaic[:, :, line:], roofs[:, line:], weight[:, line:])
    model, woods = Buildings(), aerial.woods()
    for phase in PHASES:
        model = nets.fit(model, batches(*west, woods, phase), loss, phase.steps, phase.rate)
    figures = {
        "held out, 0.15 m": judged(model, *east),
        "held out, 0.3 m": judged(model, *east, 4),
        "trained on, 0.15 m": judged(model, *west),
    }
    for name, row in figures.items():
        print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)
    import raster_cards

    raster_cards.save_buildings(model, figures, target)


if __name__ == "__main__":
    main(ROOT / "models" / f"{NAME}.onnx")
