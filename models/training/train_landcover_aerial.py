"""Train models/concord-landcover-aerial.onnx: land cover at 1 m from red, green, blue, infrared.

    make train MODEL=landcover-aerial        (.build/train, CONCORD_DATA, 15 minutes on one core)

Leave one chip out, eight times, for the figures; then once on all chips for the bundled model.
The eight chips hold tree canopy, low vegetation and a little impervious ground. Water comes from
naip-nd; barren ground and roads are nowhere in the data, so the model does not know them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import aerial_scenes as aerial  # noqa: E402
import aerial_views  # noqa: E402
import nets  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy import ndimage  # noqa: E402
from torch.nn import functional as F  # noqa: E402

NAME = "concord-landcover-aerial"
INPUTS = {"rgb": 3, "nir": 1}
WIDTHS, BLOCKS = (24, 48), ((1, 2, 3),)
STEPS, LAST_STEPS, BATCH, SIDE, RATE = 180, 260, 8, 96, 8e-3
SCALES = (0.75, 1.35)
WEIGHTS = (1.0, 0.7, 1.3, 2.0)  # of the classes in the loss; most pixels are trees
SEEK = ((aerial.LOW, 0.45), (aerial.IMPERVIOUS, 0.1))  # share of windows laid on a class
LIGHT = 0.15  # strength of the augmentation; how bright a place is tells meadow from wood
FOREST_PIXELS = 20_000


class Landcover(torch.nn.Module):
    """Pictures 0-1 to logits of four classes; an infrared input of zeros is absent.

    Beside the bands the network reads their local means and spread, which eight chips are too few
    to learn.
    """

    def __init__(self):
        super().__init__()
        self.net = nets.Net(18, 4, WIDTHS, BLOCKS)

    def forward(self, rgb, nir):
        there = (nir > 0).to(rgb.dtype)
        index = (nir - rgb[:, :1]) / (nir + rgb[:, :1] + 0.05) * there
        bands = torch.cat([rgb, nir], 1)
        near, far, square = _mean(bands, 5), _mean(bands, 15), _mean(bands * bands, 7)
        spread = torch.sqrt(F.relu(square - _mean(bands, 7) ** 2) + 1e-5)
        planes = [bands * 4 - 2, near * 4 - 2, far * 4 - 2, spread * 10, index, there]
        return self.net(torch.cat(planes, 1))


def _mean(planes, side: int):
    """Mean of side x side pixels, of those that are there at the rim."""
    return F.avg_pool2d(planes, side, 1, side // 2, count_include_pad=False)


def batches(chips: list, ponds: list):
    """step -> (image, label): random parts at random scales, in other light, some without nir."""
    rng = np.random.default_rng(13)
    places = {code: [n for n, c in enumerate(chips) if (c.label == code).any()] for code, _ in SEEK}
    places = {code: found for code, found in places.items() if found}

    def one() -> tuple:
        pool = ponds if rng.random() < 0.12 else chips
        chip = pool[rng.integers(len(pool))]
        sought = _sought(rng) if pool is chips else aerial.IGNORE
        if sought in places:
            chip = chips[places[sought][rng.integers(len(places[sought]))]]
        part, _ = aerial_views.window(rng, chip.label.shape, SIDE, SCALES)
        if sought in places:
            part = _near(rng, chip, part, sought)
        image = aerial_views.resized(chip.image[part].astype(np.float32) / 255, SIDE, 1)
        label = aerial_views.resized(chip.label[part], SIDE, 0)
        image = aerial_views.light(rng, image, LIGHT)
        if rng.random() < 0.3:
            image[3] = 0
        return nets.turned(rng, image, label)

    def batch(_step: int) -> tuple:
        images, labels = zip(*(one() for _ in range(BATCH)))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels)).long()

    return batch


def _sought(rng) -> int:
    """The class that the next window is laid on, IGNORE for anywhere."""
    draw = rng.random()
    for code, share in SEEK:
        if draw < share:
            return code
        draw -= share
    return aerial.IGNORE


def _near(rng, chip, part, code: int) -> tuple:
    """The same window moved onto a random pixel of a class."""
    rows, cols = np.nonzero(chip.label == code)
    pick = int(rng.integers(len(rows)))
    moved = []
    for at, span, whole in zip((rows[pick], cols[pick]), part[1:], chip.label.shape):
        size = span.stop - span.start
        start = int(np.clip(at - rng.integers(size), 0, whole - size))
        moved.append(slice(start, start + size))
    return (..., *moved)


def loss(model, image, label):
    said = model(image[:, :3], image[:, 3:]).float()
    weight = torch.tensor(WEIGHTS)
    return F.cross_entropy(said, label, weight, ignore_index=aerial.IGNORE, label_smoothing=0.02)


def answer(model, image: np.ndarray, nir: bool = True) -> np.ndarray:
    """Class numbers (rows, cols) of a (4, rows, cols) uint8 image."""
    with torch.no_grad():
        x = torch.from_numpy(image.astype(np.float32) / 255)[None]
        return model(x[:, :3], x[:, 3:] * nir)[0].argmax(0).numpy()


def confusion(label: np.ndarray, said: np.ndarray) -> np.ndarray:
    known = label != aerial.IGNORE
    pairs = label[known].astype(np.int64) * 4 + said[known]
    return np.bincount(pairs, minlength=16).reshape(4, 4)


def scores(matrix: np.ndarray) -> dict:
    """Accuracy, IoU of each class that is in the reference, and their mean."""
    hit = np.diag(matrix)
    either = matrix.sum(0) + matrix.sum(1) - hit
    there = matrix.sum(1) > 0
    iou = {n: float(hit[i] / either[i]) for i, n in enumerate(NAMES) if there[i]}
    return {"accuracy": float(hit.sum() / matrix.sum()), "mIoU": float(np.mean(list(iou.values()))),
            **iou}  # fmt: skip


NAMES = ("water", "tree canopy", "low vegetation", "impervious")


def features(image: np.ndarray) -> np.ndarray:
    """What the rival, a random forest, reads: bands, two blurs and the local spread; (16, n)."""
    image = image.astype(np.float32)
    narrow = ndimage.gaussian_filter(image, (0, 1.5, 1.5))
    wide = ndimage.gaussian_filter(image, (0, 4, 4))
    spread = ndimage.uniform_filter(image**2, (0, 7, 7))
    spread = np.sqrt(np.maximum(spread - ndimage.uniform_filter(image, (0, 7, 7)) ** 2, 0))
    return np.concatenate([image, narrow, wide, spread]).reshape(16, -1)


def forest(chips: list):
    """A random forest of 50 trees on pixels of the chips, the classes by the root of their size."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(14)
    rows = np.concatenate([features(c.image).T for c in chips])
    labels = np.concatenate([c.label.ravel() for c in chips])
    count = np.bincount(labels[labels >= 0], minlength=4)
    chance = np.where(labels >= 0, 1 / np.sqrt(np.maximum(count, 1))[labels], 0)
    picked = rng.choice(len(labels), FOREST_PIXELS, p=chance / chance.sum())
    model = RandomForestClassifier(50, max_depth=16, random_state=0, n_jobs=1)
    return model.fit(rows[picked], labels[picked])


def cross_validated(chips: list, ponds: list) -> dict:
    """Every chip judged by a model that never saw its place; sums over both dates."""
    sums = {name: np.zeros((4, 4), np.int64) for name in ("model", "without nir", "forest")}
    for number in sorted({c.number for c in chips}):
        seen = [c for c in chips if c.number != number]
        torch.manual_seed(7)
        model = nets.fit(Landcover(), batches(seen, ponds), loss, STEPS, RATE)
        rival = forest(seen)
        for chip in (c for c in chips if c.number == number):
            sums["model"] += confusion(chip.label, answer(model, chip.image))
            sums["without nir"] += confusion(chip.label, answer(model, chip.image, False))
            said = rival.predict(features(chip.image).T).reshape(chip.label.shape)
            sums["forest"] += confusion(chip.label, said)
        print(number, {k: round(scores(v)["mIoU"], 4) for k, v in sums.items()}, flush=True)
    return {name: scores(matrix) for name, matrix in sums.items()}


def main(target: Path) -> None:
    nets.threads(1)
    chips, ponds = aerial.chesapeake(), aerial.potholes(held=False)
    figures = cross_validated(chips, ponds)
    torch.manual_seed(7)
    model = nets.fit(Landcover(), batches(chips, ponds), loss, LAST_STEPS, RATE)
    matrix = sum(confusion(c.label, answer(model, c.image)) for c in aerial.potholes(held=True))
    figures["ponds of unseen dates"] = scores(matrix)
    for name, row in figures.items():
        print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)
    import raster_cards

    raster_cards.save_landcover_aerial(model, figures, target)


if __name__ == "__main__":
    main(ROOT / "models" / f"{NAME}.onnx")
