"""Train models/concord-spectral.onnx on generated scenes, and write its card.

    .venv/bin/python models/training/train_spectral.py [TARGET.onnx]

A stand-in: it has seen nothing but the project's own synthetic land. One fixed seed gives the
same bytes on the same machine.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

# One thread, before numpy starts: sums in another order would change the last bits.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import model_card  # noqa: E402
import numpy as np  # noqa: E402
import spectral_graph  # noqa: E402

NAME = "concord-spectral"
TRAINING_SEEDS = tuple(range(1001, 1013))
HELD_OUT_SEEDS = (1, 2, 3)  # 1 is the sample scene of the first run
SIZE = 512
VIEWS = 4  # how often each scene is seen, each time under other conditions
PIXELS = 9_000  # pixels taken from each view
HIDDEN = (32, 32)
STEPS, BATCH, RATE = 9_000, 2_048, 4e-3
BANDS = (("blue", 0.49), ("green", 0.56), ("red", 0.665), ("nir", 0.842))


def concord():
    """The plugin as a package, whatever its folder is called."""
    if "concord" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "concord", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["concord"] = module
        spec.loader.exec_module(module)
    from concord.plugin.engine.sample import scene

    return scene


def other_conditions(rng, image: np.ndarray, truth: np.ndarray) -> tuple:
    """The scene under another sun, air, sensor and pixel size (7 to 20 m)."""
    from scipy import ndimage

    factor = rng.choice([1.0, 1.0, 1.0, 1.4, 0.7, 0.5])
    if factor != 1.0:
        image = np.stack([ndimage.zoom(plane, factor, order=1, mode="nearest") for plane in image])
        truth = ndimage.zoom(truth, factor, order=0, mode="nearest")
    gain = np.exp(rng.normal(0, 0.10) + rng.normal(0, 0.06, 4))
    haze = rng.uniform(-0.004, 0.022) * np.array([1.0, 0.7, 0.45, 0.2])
    image = image * gain[:, None, None] + haze[:, None, None]
    image = image + rng.standard_normal(image.shape) * rng.uniform(0.0, 0.004)
    # Murky water is bright in reality and not in the sample scenes.
    if rng.random() < 0.5:
        murk = rng.uniform(0, 1) * np.array([0.03, 0.05, 0.06, 0.045])
        image = np.where(truth[None] == 1, image + murk[:, None, None], image)
    return np.clip(image, 0, 1.5).astype(np.float32), truth


def collect(scene) -> tuple:
    """(features (n, F), classes (n,) from 0, reflectances (n, 4)) of the training views."""
    rng = np.random.default_rng(20)
    rows, codes, values = [], [], []
    for seed in TRAINING_SEEDS:
        sample = scene.generate(seed, SIZE)
        for _ in range(VIEWS):
            image, truth = other_conditions(rng, sample.optical, sample.truth)
            planes = spectral_graph.features(image)
            picked = rng.choice(truth.size, PIXELS, p=_chances(truth))
            rows.append(planes.reshape(len(planes), -1)[:, picked].T)
            codes.append(truth.ravel()[picked].astype(np.int64) - 1)
            values.append(image.reshape(4, -1)[:, rng.choice(truth.size, 2_000)].T)
    return np.concatenate(rows), np.concatenate(codes), np.concatenate(values)


def _chances(truth: np.ndarray) -> np.ndarray:
    """Chance of each pixel: rare classes come more often, by the root of their share."""
    shares = np.bincount(truth.ravel(), minlength=7)
    weight = np.where(shares > 0, np.maximum(shares, 1) ** -0.5, 0.0)[truth.ravel()]
    return weight / weight.sum()


def train(rows: np.ndarray, codes: np.ndarray) -> list:
    """MLP layers [(weights, bias)] fitted with Adam (Kingma and Ba, 2015, arXiv 1412.6980)."""
    rng = np.random.default_rng(21)
    mean, spread = rows.mean(0), rows.std(0) + 1e-6
    rows = (rows - mean) / spread
    sizes = (rows.shape[1], *HIDDEN, 6)
    layers = [
        [rng.normal(0, np.sqrt(2 / i), (i, o)).astype(np.float32), np.zeros(o, np.float32)]
        for i, o in zip(sizes[:-1], sizes[1:])
    ]
    first = [[np.zeros_like(p) for p in layer] for layer in layers]
    second = [[np.zeros_like(p) for p in layer] for layer in layers]
    for step in range(1, STEPS + 1):
        picked = rng.integers(0, len(rows), BATCH)
        slopes = _slopes(layers, rows[picked], codes[picked])
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        for at, layer in enumerate(layers):
            for k in range(2):
                slope = slopes[at][k]
                first[at][k] = 0.9 * first[at][k] + 0.1 * slope
                second[at][k] = 0.999 * second[at][k] + 0.001 * slope**2
                lifted = first[at][k] / (1 - 0.9**step)
                layer[k] -= rate * lifted / (np.sqrt(second[at][k] / (1 - 0.999**step)) + 1e-8)
    # The standardisation goes into the first layer, so that the graph needs no extra nodes.
    weights, bias = layers[0]
    layers[0] = [weights / spread[:, None], bias - (mean / spread) @ weights]
    return [(w.T.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def _slopes(layers: list, rows: np.ndarray, codes: np.ndarray) -> list:
    """Gradients of the mean cross-entropy for every layer's weights and bias."""
    inputs = [rows]
    for weights, bias in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ weights + bias, 0))
    scores = inputs[-1] @ layers[-1][0] + layers[-1][1]
    scores = np.exp(scores - scores.max(1, keepdims=True))
    error = scores / scores.sum(1, keepdims=True)
    error[np.arange(len(codes)), codes] -= 1
    error /= len(codes)
    slopes = []
    for at in range(len(layers) - 1, -1, -1):
        slopes.append([inputs[at].T @ error, error.sum(0)])
        if at:
            error = (error @ layers[at][0].T) * (inputs[at] > 0)
    return slopes[::-1]


def evaluate(layers: list, scene) -> dict:
    """Overall accuracy, mean IoU and IoU of each class on the held-out seeds."""
    matrix = np.zeros((6, 6), np.int64)
    for seed in HELD_OUT_SEEDS:
        sample = scene.generate(seed, SIZE)
        current = spectral_graph.features(sample.optical)
        current = current.reshape(len(current), -1).T
        for at, (weights, bias) in enumerate(layers):
            current = current @ weights.T + bias
            if at < len(layers) - 1:
                current = np.maximum(current, 0)
        found = current.argmax(1)
        matrix += np.bincount(
            6 * (sample.truth.ravel().astype(np.int64) - 1) + found, minlength=36
        ).reshape(6, 6)
    hit = np.diag(matrix)
    iou = hit / (matrix.sum(0) + matrix.sum(1) - hit)
    return {"oa": hit.sum() / matrix.sum(), "miou": iou.mean(), "iou": iou}


def card(scores: dict, values: np.ndarray, parameters: int) -> dict:
    """The MLM item of the model."""
    import json

    taxonomy = json.loads(
        (ROOT / "resources/taxonomies/concord-sample.json").read_text(encoding="utf-8")
    )
    listed = model_card.classes(taxonomy)
    properties = {
        "title": "Concord spectral stand-in",
        "summary": "For trials on the sample scene; its maps of real images mean nothing",
        "description": _about(scores, listed),
        "license": "GPL-2.0-or-later",
        "gsd": 10,
        "bands": [model_card.band(*band) for band in BANDS],
        "mlm:name": NAME,
        "mlm:architecture": "Local statistics and multilayer perceptron",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "ONNX",
        "mlm:framework_version": model_card.ONNX_RELEASE[spectral_graph.OPSET],
        "mlm:total_parameters": parameters,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:batch_size_suggestion": 1,
        "mlm:accelerator": None,
        **_planes(listed),
        "mlm:hyperparameters": _hyper(scores, values),
    }
    return model_card.item(NAME, properties, model_card.onnx_asset(NAME, "ONNX graph and weights"))


def _about(scores: dict, listed: list) -> str:
    single = ", ".join(
        f"{entry['title']} {value:.2f}" for entry, value in zip(listed, scores["iou"])
    )
    return (
        "A synthetic stand-in that shows how Concord runs a model: six land covers from "
        "blue, green, red and near infrared at about 10 m. Trained only on scenes that "
        f"Concord generates itself. On generated scenes it has not seen (seeds "
        f"{', '.join(map(str, HELD_OUT_SEEDS))}): overall accuracy {scores['oa']:.3f}, "
        f"mean IoU {scores['miou']:.3f} ({single}). These figures say nothing about real "
        "land; do not use its maps of real images."
    )


def _planes(listed: list) -> dict:
    """What goes into the graph and what comes out."""
    shape = {"dim_order": ["batch", "bands", "height", "width"], "data_type": "float32"}
    return {
        "mlm:input": [
            {
                "name": "reflectance",
                "description": "Surface reflectance 0-1; no scaling, the graph does it.",
                "bands": [name for name, _ in BANDS],
                "input": {"shape": [-1, 4, -1, -1], **shape},
                "value_scaling": None,
                "resize_type": None,
                "pre_processing_function": None,
            }
        ],
        "mlm:output": [
            {
                "name": "logits",
                "tasks": ["semantic-segmentation"],
                "result": {
                    "shape": [-1, 6, -1, -1],
                    "dim_order": ["batch", "class", "height", "width"],
                    "data_type": "float32",
                },
                "classification:classes": listed,
                "post_processing_function": None,
            }
        ],
    }


def _hyper(scores: dict, values: np.ndarray) -> dict:
    low, high = np.percentile(values, [1, 99], axis=0)
    return {
        "tile": 256,
        "halo": spectral_graph.HALO,
        "blend": "crop",
        "activation": "logits",
        "unit": "reflectance",
        "pixel_size_range_m": [5, 20],
        "ignore_value": 255,
        "taxonomy": "concord-sample",
        "training_sensors": ["concord-sample (synthetic)"],
        "value_range": [[round(float(a), 4), round(float(b), 4)] for a, b in zip(low, high)],
        "training_seeds": list(TRAINING_SEEDS),
        "held_out_seeds": list(HELD_OUT_SEEDS),
        "held_out_accuracy": round(float(scores["oa"]), 4),
        "held_out_mean_iou": round(float(scores["miou"]), 4),
    }


def main(target: str | Path) -> dict:
    started = time.monotonic()
    scene = concord()
    rows, codes, values = collect(scene)
    print(f"{len(rows)} pixels from {len(TRAINING_SEEDS)} scenes, {_since(started)}")
    layers = train(rows, codes)
    print(f"trained, {_since(started)}")
    scores = evaluate(layers, scene)
    parameters = sum(w.size + b.size for w, b in layers)
    model_card.save(spectral_graph.build(layers), card(scores, values, parameters), target)
    single = " ".join(f"{value:.3f}" for value in scores["iou"])
    print(
        f"held-out accuracy {scores['oa']:.4f}, mean IoU {scores['miou']:.4f} "
        f"({single}); {parameters} parameters; {target}; {_since(started)}"
    )
    return scores


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / "models" / f"{NAME}.onnx")
