"""ONNX against the torch predictor of `segment-anything`, same random weights of true ViT-B shapes.

Needs the export environment (`make sam-export CHECKPOINT=random:vit_b` makes it and the pair);
without it these tests are skipped. The pictures come through the plugin's own scene and composite:
a non-square one, a tile at the edge, 16 bits, and a raster in a rotated CRS.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, pair, predict
from concord.plugin.engine.segment.prompts import Prompt
from concord.plugin.engine.segment.sam import SamPrompter

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".build" / "sam" / "bin" / "python"
PAIR = ROOT / ".build" / "sam-models" / "random-vit_b.encoder.onnx"
LOGITS, OVERLAP = 1e-4, 0.999

pytestmark = pytest.mark.skipif(
    not (PYTHON.exists() and PAIR.exists()),
    reason="no export environment; run `make sam-export CHECKPOINT=random:vit_b` once",
)


def waves(rows: int, cols: int, bands: int = 3, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[:rows, :cols]
    random = np.random.default_rng(seed)
    planes = [np.sin(y / (31 + 9 * b)) * np.cos(x / (47 + 5 * b)) for b in range(bands)]
    return np.stack(planes) + random.normal(0, 0.05, (bands, rows, cols))


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict:
    """{name: (raster, pixel that is clicked)}."""
    folder = tmp_path_factory.mktemp("oracle")
    names = ["red", "green", "blue"]

    def write(name, values, transform, crs="EPSG:32632"):
        place = Grid(crs, transform, values.shape[2], values.shape[1])
        rasters.write(str(folder / name), values, place, names=names)
        return str(folder / name)

    north = (1.0, 0.0, 5e5, 0.0, -1.0, 5e6)
    eight = ((waves(700, 1024) + 1.5) * 80).clip(0, 255).astype(np.uint8)
    large = ((waves(1300, 1500, seed=1) + 1.5) * 80).clip(0, 255).astype(np.uint8)
    sixteen = ((waves(600, 900, seed=2) + 1.5) * 9000).clip(0, 65535).astype(np.uint16)
    turned = (0.8, 0.6, 5e5, 0.6, -0.8, 5e6)
    rotated = "+proj=omerc +lat_0=46 +lonc=9 +alpha=35 +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m"
    return {
        "non-square": (write("a.tif", eight, north), (400.5, 300.5)),
        "edge-tile": (write("b.tif", large, north), (1400.5, 1250.5)),
        "16-bit": (write("c.tif", sixteen, north), (500.5, 200.5)),
        "rotated-crs": (write("d.tif", eight[:, :640, :800], turned, rotated), (333.5, 444.5)),
    }


def place_and_image(path, spot, provider):
    with Scene([path]) as scene:
        planes = composite.of_scene(scene)
        prompt = Prompt((spot,), (1,))
        place = predict.place_of(prompt, scene.grid.width, scene.grid.height, provider.tile)
        image, _ = planes.render(scene, place.window, place.shape)
    return place, image


@pytest.fixture(scope="module")
def provider():
    return SamPrompter(pair.find(str(PAIR)))


@pytest.fixture(scope="module")
def torch_says(cases, provider, tmp_path_factory) -> dict:
    """The torch predictor's answers, from a process and environment of its own."""
    folder = tmp_path_factory.mktemp("torch")
    given = {}
    for name, (path, spot) in cases.items():
        place, image = place_and_image(path, spot, provider)
        local = (spot[0] - place.window.col, spot[1] - place.window.row)
        given[f"{name}/image"], given[f"{name}/points"] = image, np.array([local])
    np.savez(folder / "cases.npz", **given)
    program = ROOT / "resources" / "sam" / "sam_export.py"
    out = folder / "out.npz"
    command = [PYTHON, program, "random:vit_b", "--answer", folder / "cases.npz", out]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(out) as kept:
        return {name: kept[name] for name in kept.files}


@pytest.mark.parametrize("name", ["non-square", "edge-tile", "16-bit", "rotated-crs"])
def test_onnx_says_what_torch_says(name, cases, provider, torch_says):
    path, spot = cases[name]
    place, image = place_and_image(path, spot, provider)
    encoding = provider.encode(image, np.ones(image.shape[:2], bool))
    prompt = Prompt((spot,), (1,)).moved(place.window.col, place.window.row)
    found = provider.predict(encoding, prompt)
    scores = torch_says[f"{name}/scores"]
    order = np.argsort(-scores, kind="stable")
    worst, overlap = 0.0, 1.0
    for candidate, index in zip(found, order):
        low, mask = torch_says[f"{name}/low"][index], torch_says[f"{name}/masks"][index]
        worst = max(worst, float(np.abs(candidate.logits - low).max()))
        union = (candidate.mask | mask).sum()
        overlap = min(overlap, float((candidate.mask & mask).sum() / union) if union else 1.0)
        assert candidate.score == pytest.approx(float(np.clip(scores[index], 0, 1)), abs=1e-4)
    assert worst <= LOGITS and overlap >= OVERLAP, (worst, overlap)
    report = ROOT / ".build" / "sam-oracle.json"
    kept = json.loads(report.read_text()) if report.exists() else {}
    kept[name] = {"image": image.shape, "logits": worst, "iou": overlap}
    report.write_text(json.dumps(kept, indent=1) + "\n")


def test_the_mask_prompt_too(cases, provider, torch_says):
    name = "non-square"
    path, spot = cases[name]
    place, image = place_and_image(path, spot, provider)
    encoding = provider.encode(image, np.ones(image.shape[:2], bool))
    best = int(np.argmax(torch_says[f"{name}/scores"]))
    prompt = Prompt((spot,), (1,), mask=torch_says[f"{name}/low"][best])
    found = provider.predict(encoding, prompt.moved(place.window.col, place.window.row))
    # torch gives masks 1-3; ours puts mask 0, the clear prompt's, before them
    second = torch_says[f"{name}/low2"]
    order = np.argsort(-torch_says[f"{name}/scores2"], kind="stable")
    for candidate, index in zip(found[1:], order):
        assert np.abs(candidate.logits - second[index]).max() <= LOGITS
