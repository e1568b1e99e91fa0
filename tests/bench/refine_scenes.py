"""Real images with real label maps: [(name, bands (n, rows, cols), truth, metres)]."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("CONCORD_DATA") or _BESIDE)
NLCD = {
    1: (11,), 2: (41, 42, 43, 90), 3: (12, 21, 51, 52, 71, 72, 73, 74, 81, 82, 95), 4: (31,),
    5: (22, 23, 24),
}  # fmt: skip
LAND_COVER = {1: (1,), 2: (2,), 3: (3,), 4: (4,), 5: (5, 6)}


def recode(values: np.ndarray, groups: dict) -> np.ndarray:
    """Codes of a product to codes of the scheme; what is in no group becomes 0."""
    table = np.zeros(256, np.uint8)
    for code, members in groups.items():
        table[list(members)] = code
    return table[values.astype(int)]


def chesapeake() -> list:
    """[(NAIP bands red green blue nir, NLCD, 1 m land cover)] of the 8 chips."""
    chips = []
    for path in sorted((DATA / "chesapeake" / "test-train_patches").glob("*.npz")):
        values = np.load(path, allow_pickle=False)["arr_0"][0]
        chips.append((values[:4], recode(values[9], NLCD), recode(values[8], LAND_COVER)))
    return chips


def _uganda() -> tuple:
    """Drone mosaic brought to about 0.3 m, buildings 2, the rest 1."""
    from skimage import io

    from concord.plugin.engine import grid, rasters

    tiles = {}
    for path in sorted((DATA / "fair-uganda").glob("OAM-*-*-21.png")):
        _, x, y, _ = path.stem.split("-")
        tiles[int(x), int(y)] = io.imread(path)[..., :3]
    xs, ys = sorted({x for x, _ in tiles}), sorted({y for _, y in tiles})
    rows = [np.concatenate([tiles[x, y] for x in xs], 1) for y in ys]
    image = np.concatenate(rows, 0).astype(np.float32)
    image = image.reshape(image.shape[0] // 4, 4, image.shape[1] // 4, 4, 3).mean((1, 3))
    span = 40075016.685578488
    size = span / 2**21 / 64
    corner = (xs[0] / 2**21 * span - span / 2, span / 2 - ys[0] / 2**21 * span)
    place = grid.Grid(
        "EPSG:3857", (size, 0, corner[0], 0, -size, corner[1]), image.shape[1], image.shape[0]
    )
    shapes = json.loads((DATA / "fair-uganda" / "labels.geojson").read_text())["features"]
    polygons = []
    for feature in shapes:
        geometry = feature["geometry"]
        parts = [geometry["coordinates"]]
        if geometry["type"] == "MultiPolygon":
            parts = geometry["coordinates"]
        for rings in parts:
            moved = [
                [list(p) for p in rasters.transform_points(ring, "EPSG:4326", "EPSG:3857")]
                for ring in rings
            ]
            polygons.append(({"type": "Polygon", "coordinates": moved}, 2))
    truth = rasters.burn(polygons, place, fill=1)
    return "fair-uganda", image.transpose(2, 0, 1), truth.astype(np.uint8), 0.3


def _floods() -> tuple:
    from concord.plugin.engine import rasters

    folder = DATA / "sen1floods-es"
    image = next(iter(sorted(folder.rglob("*S2*.tif"))))
    label = next(iter(sorted(p for p in folder.rglob("*.tif") if "abel" in p.name)))
    bands = rasters.read(image).astype(np.float32)[[1, 2, 3, 7, 10, 11]]
    hand = rasters.read(label)[0]
    return "sen1floods-es", bands, np.select([hand == 0, hand == 1], [1, 2], 0).astype(np.uint8), 10


def _slovenia() -> tuple:
    folder = DATA / "eolearn-patch"
    bands = np.load(folder / "REFERENCE_SCENES.npy")[2].astype(np.float32)
    truth = np.load(folder / "LULC.npy").reshape(bands.shape[:2])
    return "eolearn-patch", bands.transpose(2, 0, 1), truth.astype(np.uint8), 10


def scenes() -> list:
    """Every scene whose label map has at least two classes and whose image is at hand."""
    found = [
        (f"chesapeake-{i}", bands, cover, 1)
        for i, (bands, _, cover) in enumerate(chesapeake())
        if i in (0, 3, 7)
    ]
    return [*found, _uganda(), _floods(), _slovenia()]
