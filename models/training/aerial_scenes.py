"""The aerial images of CONCORD_DATA with their labels, as uint8 planes red green blue nir."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import rasterio
from s2_scenes import data

WATER, TREES, LOW, IMPERVIOUS = range(4)  # outputs of the model
CODES = (1, 2, 3, 5)  # what they are in the taxonomy "chesapeake"
IGNORE = -1
NAIP_HELD = ("20160816", "20200831")  # dates of naip-nd that no training sees
# fair-uganda: tiles of zoom 21, the eastern third held out.
TILE, LEFT, TOP, COLUMNS, ROWS, HELD_COLUMN = 256, 1238448, 1046528, 12, 8, 8
ORIGIN, WORLD = 20037508.342789244, 2 * 20037508.342789244


@dataclass(frozen=True)
class Chip:
    """image (4, rows, cols) uint8, label (rows, cols) output number or IGNORE."""

    name: str
    number: int
    image: np.ndarray
    label: np.ndarray


def chesapeake() -> list:
    """Eight places, each seen twice (newer and older NAIP), with the 1 m land cover."""
    table = np.full(256, IGNORE, np.int8)
    for place, code in enumerate(CODES):
        table[code] = place
    table[6] = IMPERVIOUS  # roads are impervious here; the eight chips hold none
    found = []
    folder = data() / "chesapeake" / "test-train_patches"
    for number, path in enumerate(sorted(folder.glob("*.npz"))):
        values = np.load(path, allow_pickle=False)["arr_0"][0]
        label = table[values[8].astype(np.uint8)]
        for first, age in ((0, "new"), (4, "old")):
            image = values[first : first + 4].round().astype(np.uint8)
            found.append(Chip(f"chip {number} {age}", number, image, label))
    return found


def potholes(held: bool) -> list:
    """naip-nd: ponds by the water index of McFeeters (1996), low plants by the vegetation index.

    Pixels between the two are not taught. The scene is 5 m, so it teaches colour, not texture.
    """
    found = []
    for path in sorted((data() / "naip-nd").glob("*.tif")):
        if path.stem.endswith(NAIP_HELD) != held:
            continue
        with rasterio.open(path) as source:
            image = source.read()[:4]
        red, green, _, nir = image.astype(np.float32) + 1
        water, plants = (green - nir) / (green + nir), (nir - red) / (nir + red)
        label = np.full(red.shape, IGNORE, np.int8)
        label[(water < -0.15) & (plants > 0.15)] = LOW
        label[water > 0.2] = WATER
        label[(image == 0).all(0) | (image == 255).all(0)] = IGNORE
        found.append(Chip(f"naip-nd {path.stem[-8:]}", -1, image, label))
    return found


def uganda() -> np.ndarray:
    """The zoom 21 mosaic (3, 2048, 3072) uint8; a pixel is about 7.5 cm."""
    from skimage import io

    mosaic = np.zeros((3, ROWS * TILE, COLUMNS * TILE), np.uint8)
    for col in range(COLUMNS):
        for row in range(ROWS):
            path = data() / "fair-uganda" / f"OAM-{LEFT + col}-{TOP + row}-21.png"
            tile = np.moveaxis(io.imread(path)[..., :3], -1, 0)
            mosaic[:, row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE] = tile
    return mosaic


def roofs(step: float = 1.0) -> list:
    """Outlines of fair-uganda's buildings as GeoJSON polygons in pixels of every ``step``th."""
    with open(data() / "fair-uganda" / "labels.geojson", encoding="utf-8") as file:
        shapes = [feature["geometry"] for feature in json.load(file)["features"]]
    scale = TILE * 2**21 / WORLD
    found = []
    for shape in shapes:
        single = shape["type"] == "Polygon"
        for rings in [shape["coordinates"]] if single else shape["coordinates"]:
            pixels = []
            for ring in rings:
                lon, lat = np.array(ring, float)[:, :2].T
                x = lon * ORIGIN / 180
                y = np.log(np.tan((90 + lat) * np.pi / 360)) * ORIGIN / np.pi
                cols = ((x + ORIGIN) * scale - LEFT * TILE) / step
                rows = ((ORIGIN - y) * scale - TOP * TILE) / step
                pixels.append(np.stack([cols, rows], 1).tolist())
            found.append({"type": "Polygon", "coordinates": pixels})
    return found


def woods() -> list:
    """RGB pictures of 10 cm without a building: (3, rows, cols) uint8."""
    paths = [*(data() / "unlabelled" / "aerial").glob("*SJER*.tif"),
             *(data() / "neon-osbs").glob("*.tif")]  # fmt: skip
    found = []
    for path in sorted(paths):
        with rasterio.open(path) as source:
            found.append(source.read()[:3])
    return found


def metres(mosaic_pixels: float = 1.0) -> float:
    """Ground size of mosaic pixels at the mosaic's latitude (0.31 degrees north)."""
    return mosaic_pixels * WORLD / (TILE * 2**21) * float(np.cos(np.radians(0.31)))
