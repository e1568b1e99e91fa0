"""A scripted annotator and the objects of the real data that it clicks on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.draw import polygon as filled

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.scene import Scene
from concord.plugin.engine.segment import composite, predict
from concord.plugin.engine.segment.prompts import Prompt

FIRST, LAST = (1238448, 1046528), (1238459, 1046535)  # tiles of fair-uganda at zoom 21
HALF = 20037508.342789244


def mosaic(folder: Path, target: Path) -> str:
    """fair-uganda's 96 tiles of zoom 21 as one GeoTIFF in EPSG:3857 (3072 x 2048 pixels)."""
    columns, rows = LAST[0] - FIRST[0] + 1, LAST[1] - FIRST[1] + 1
    image = np.zeros((3, rows * 256, columns * 256), np.uint8)
    for row in range(rows):
        for col in range(columns):
            name = f"OAM-{FIRST[0] + col}-{FIRST[1] + row}-21.png"
            tile = rasters.read(folder / name, indexes=[1, 2, 3])
            image[:, row * 256 : row * 256 + 256, col * 256 : col * 256 + 256] = tile
    side = 2 * HALF / 2**21
    pixel = side / 256
    left, top = FIRST[0] * side - HALF, HALF - FIRST[1] * side
    place = Grid("EPSG:3857", (pixel, 0.0, left, 0.0, -pixel, top), image.shape[2], image.shape[1])
    rasters.write(str(target), image, place, names=["red", "green", "blue"])
    return str(target)


@dataclass(frozen=True)
class Object:
    """One true object: its mask inside a window that starts at (row, col) of the scene."""

    number: int
    row: int
    col: int
    mask: np.ndarray

    def inside(self, row: float, col: float) -> tuple:
        """(column, row) in the scene of a pixel position of the mask."""
        return self.col + col + 0.5, self.row + row + 0.5


def buildings(folder: Path, grid: Grid, margin: int = 4) -> list:
    """fair-uganda's building polygons that lie inside the mosaic, as masks on its grid."""
    found = []
    features = json.loads((folder / "labels.geojson").read_text())["features"]
    for number, feature in enumerate(features):
        shape = feature["geometry"]
        parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        rings = [_pixels(part[0], grid) for part in parts]
        cols, rows = np.concatenate(rings).T
        if cols.min() < 0 or rows.min() < 0 or cols.max() > grid.width or rows.max() > grid.height:
            continue
        row, col = max(0, int(rows.min()) - margin), max(0, int(cols.min()) - margin)
        size = (int(rows.max()) + margin - row + 1, int(cols.max()) + margin - col + 1)
        mask = np.zeros(size, bool)
        for ring in rings:
            rr, cc = filled(ring[:, 1] - row - 0.5, ring[:, 0] - col - 0.5, size)
            mask[rr, cc] = True
        if mask.sum() >= 100:
            found.append(Object(number, row, col, mask))
    return found


def _pixels(ring, grid: Grid) -> np.ndarray:
    points = rasters.transform_points([spot[:2] for spot in ring], "EPSG:4326", grid.crs)
    return np.array([grid.colrow(x, y) for x, y in points])


def ponds(path: str, smallest: int = 60, largest: int = 6000) -> list:
    """naip-nd's water bodies: NDWI above 0.1, cleaned, by area in pixels."""
    with Scene([path]) as scene:
        green, nir = scene.read(["green", "nir"])
    water = ndimage.binary_opening((green - nir) / np.maximum(green + nir, 1) > 0.1)
    parts, _count = ndimage.label(water)
    found = []
    for number, (rows, cols) in enumerate(ndimage.find_objects(parts), 1):
        r0, c0 = max(0, rows.start - 4), max(0, cols.start - 4)
        mask = parts[r0 : rows.stop + 4, c0 : cols.stop + 4] == number
        mask = ndimage.binary_fill_holes(mask)
        if smallest <= mask.sum() <= largest:
            found.append(Object(number, r0, c0, mask))
    return found


def innermost(mask: np.ndarray) -> tuple:
    """(row, col) of the pixel that lies farthest from the mask's border."""
    far = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.unravel_index(int(far.argmax()), mask.shape)


def truth_on(place, thing: Object) -> np.ndarray:
    """The object's mask on a tile, by the middle of the tile's pixels."""
    rows, cols = place.shape
    ri = place.window.row + (np.arange(rows) + 0.5) * place.factor - thing.row
    ci = place.window.col + (np.arange(cols) + 0.5) * place.factor - thing.col
    ri, ci = np.floor(ri).astype(int)[:, None], np.floor(ci).astype(int)[None]
    height, width = thing.mask.shape
    good = (ri >= 0) & (ri < height) & (ci >= 0) & (ci < width)
    return good & thing.mask[np.clip(ri, 0, height - 1), np.clip(ci, 0, width - 1)]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


def annotate(scene, planes, provider, thing: Object, clicks: int = 5, level: int = 0) -> list:
    """IoU after 1 ... ``clicks`` clicks: first the object's middle, then the worst error's."""
    points, labels = [thing.inside(*innermost(thing.mask))], [1]
    found, previous = [], None
    for _ in range(clicks):
        prompt = Prompt(tuple(points), tuple(labels))
        answers = predict.answer(scene, planes, provider, thing.number, prompt, level, previous)
        if not answers:
            found.append(0.0)
            continue
        previous = answers[0]
        place, truth = previous.place, truth_on(previous.place, thing)
        found.append(overlap(previous.mask, truth))
        parts, count = ndimage.label(previous.mask ^ truth)
        if not count:
            continue
        worst = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        row, col = innermost(worst)
        points.append(
            (
                place.window.col + (col + 0.5) * place.factor,
                place.window.row + (row + 0.5) * place.factor,
            )
        )
        labels.append(int(truth[row, col]))
    return found


def table(path: str, objects: list, model: str, bands=(), level: int = 0, clicks: int = 5) -> dict:
    """Mean IoU after each number of clicks over all objects."""
    provider = predict.provider_of(model)
    with Scene([path]) as scene:
        planes = composite.of_scene(scene, bands)
        runs = [annotate(scene, planes, provider, thing, clicks, level) for thing in objects]
    means = np.mean(runs, axis=0)
    figures = {f"iou_{n}": round(float(means[n - 1]), 3) for n in range(1, clicks + 1)}
    return {"objects": len(objects), **figures}
