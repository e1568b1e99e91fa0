"""The Sentinel-2 scenes of CONCORD_DATA as reflectance, and the Dynamic World network on them.

Bands stand in the order of BANDS. Level L1C is top-of-atmosphere, L2A surface reflectance.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

BANDS = ("blue", "green", "red", "nir", "rededge071", "rededge075", "rededge078", "nir08",
         "swir16", "swir22")  # fmt: skip
FILES = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
WAVELENGTHS = (0.490, 0.560, 0.665, 0.842, 0.704, 0.740, 0.783, 0.865, 1.610, 2.190)
# Positions of our bands in a file of the 13 bands B1 ... B12 (B8A ninth, B10 eleventh).
OF_13 = (1, 2, 3, 7, 4, 5, 6, 8, 11, 12)
OF_12 = (1, 2, 3, 7, 4, 5, 6, 8, 10, 11)  # the same without B10
TEACHER = (0, 1, 2, 4, 5, 6, 3, 8, 9)  # our bands in the order that Dynamic World reads
# Constants of Dynamic World's normalisation in our order; nir08 takes nir's.
A = (1.7417268007636313, 1.7261204997060209, 1.6798346251414997, 2.3828939530384052,
     1.7734969472909623, 2.289154079164943, 2.382939712192371, 2.3828939530384052,
     2.1952484264967844, 1.554812948247501)  # fmt: skip
B = (2.023298706048351, 2.038905204308012, 2.179592821212937, 2.7578332604178284,
     2.2890068333026603, 2.6171674549378166, 2.773418590375327, 2.7578332604178284,
     2.789092484314204, 2.4140534947492487)  # fmt: skip
WATER, TREES, GRASS, FLOODED, CROPS, SHRUB, BUILT, BARE, SNOW = range(9)
HELD_DATE = "20200604"  # of ssl4eo-s12
BLOCK = 128  # sen1floods is split into squares of this side


@dataclass(frozen=True)
class S2:
    """One scene.

    Args:
        image: (10, rows, cols) float32 reflectance 0-1; 0 in every band is no data.
        level: L1C or L2A.
        hand: (rows, cols) WATER where a hand label has it, -2 where it has none, -1 unknown.
        held: (rows, cols) bool, pixels that no training may see.
    """

    name: str
    image: np.ndarray
    level: str
    hand: np.ndarray
    held: np.ndarray


def data() -> Path:
    """The folder of real data: CONCORD_DATA, seen from the repository's root."""
    root = Path(__file__).resolve().parents[2]
    return (root / os.environ.get("CONCORD_DATA", "../shared/data")).resolve()


def _stack(paths) -> np.ndarray:
    """One file a band, on the grid of the first."""
    planes = []
    for path in paths:
        with rasterio.open(path) as source:
            shape = planes[0].shape if planes else source.shape
            planes.append(source.read(1, out_shape=shape, resampling=rasterio.enums.Resampling(1)))
    return np.stack(planes).astype(np.float32) / 1e4


def _scene(name, image, level, hand=None, held=None) -> S2:
    shape = image.shape[1:]
    hand = np.full(shape, -1, np.int8) if hand is None else hand
    held = np.zeros(shape, bool) if held is None else held
    return S2(name, np.clip(image, 0, 2).astype(np.float32), level, hand, held)


def floods() -> S2:
    """sen1floods-es: water by hand; every other square of BLOCK pixels is held out."""
    folder = data() / "sen1floods-es"
    with rasterio.open(next((folder / "S2").glob("*.tif"))) as source:
        image = source.read().astype(np.float32)[list(OF_13)] / 1e4
    with rasterio.open(next((folder / "Labels").glob("*.tif"))) as source:
        label = source.read(1)
    hand = np.select([label == 1, label == 0], [WATER, -2], -1).astype(np.int8)
    rows, cols = np.indices(label.shape) // BLOCK
    return _scene("sen1floods-es", image, "L1C", hand, (rows + cols) % 2 == 1)


def majortom() -> S2:
    """majortom-199U, L2A; its eastern third is held out."""
    folder = next((data() / "majortom-199U").glob("S2*"))
    names = [n if len(n) == 3 else f"B0{n[1]}" for n in FILES]
    image = _stack(folder / f"{name}.tif" for name in names)
    held = np.zeros(image.shape[1:], bool)
    held[:, image.shape[2] * 2 // 3 :] = True
    return _scene("majortom-199U", image, "L2A", held=held)


def ssl4eo() -> list:
    """The place in India, two dates at each level; 2020-06-04 is held out, the other dates not."""
    found = []
    for level, folder in (("L1C", "s2c"), ("L2A", "s2a")):
        for date in sorted((data() / "ssl4eo-s12" / folder / "0000200").iterdir()):
            image = _stack(date / f"{name}.tif" for name in FILES)
            name = f"ssl4eo-s12 {date.name[:8]} {level}"
            held = np.full(image.shape[1:], date.name.startswith(HELD_DATE))
            found.append(_scene(name, image, level, held=held))
    return found


def eolearn() -> list:
    """Four dates of a place in Slovenia; the second of the five files is under cloud."""
    scenes = np.load(data() / "eolearn-patch" / "REFERENCE_SCENES.npy")
    images = np.moveaxis(scenes, -1, 1)[:, list(OF_13)]
    found = [_scene(f"eolearn {n}", image, "L1C") for n, image in enumerate(images)]
    return [found[0], *found[2:]]


def hydro() -> list:
    """Coast and open water without labels, some of it under cloud or at night."""
    found = []
    for path in sorted((data() / "unlabelled" / "hydro").glob("*.tif")):
        with rasterio.open(path) as source:
            image = source.read().astype(np.float32)[list(OF_12)] / 1e4
        if np.percentile(image, 1) > 0.09:  # since 2022 the files count from 1000
            image -= 0.1
        found.append(_scene(f"hydro {path.stem}", image, "L2A"))
    return found


def all_scenes() -> list:
    return [floods(), majortom(), *ssl4eo(), *eolearn(), *hydro()]


class Teacher:
    """Dynamic World: (10, rows, cols) L1C reflectance -> (9, rows, cols) probabilities.

    Brown et al., 2022, Scientific Data 9:251, https://doi.org/10.1038/s41597-022-01307-4
    """

    def __init__(self, threads: int = 1):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        path = data() / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._name = self._session.get_inputs()[0].name

    def __call__(self, image: np.ndarray) -> np.ndarray:
        rows, cols = image.shape[1:]
        chosen = list(TEACHER)
        shape = (-1, 1, 1)
        a, b = (np.array(c, np.float32)[chosen].reshape(shape) for c in (A, B))
        x = (np.log1p(50 * np.maximum(image[chosen], 0)) - a) / b
        x = 1 / (1 + np.exp(1 - 5 * x))
        x = np.pad(x, ((0, 0), (0, rows % 2), (0, cols % 2)), mode="edge")
        logits = self._session.run(None, {self._name: np.moveaxis(x, 0, -1)[None]})[0][0]
        logits = np.moveaxis(logits, -1, 0)[:, :rows, :cols]
        odds = np.exp(logits - logits.max(0))
        return odds / odds.sum(0)
