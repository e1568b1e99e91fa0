"""Roofs from few labels: a linear model on a network's maps against a forest on the bands.

The eastern third of fair-uganda, which the bundled building model has not seen.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.learn import train, validate

TILE, LEFT, TOP, ROWS = 256, 1238448 + 8, 1046528, 8  # zoom 21; columns 0 to 7 were trained on
WORLD = 2 * np.pi * 6378137
PIXEL = WORLD / 2**21 / TILE


def _mercator(ring):
    lon, lat = np.radians(np.array(ring, float)[:, :2]).T
    xs, ys = 6378137 * lon, 6378137 * np.log(np.tan(np.pi / 4 + lat / 2))
    return [list(pair) for pair in zip(xs, ys)]


@pytest.fixture(scope="module")
def roofs(real_data, tmp_path_factory):
    """(image at 15 cm, label raster: 1 roof, 2 other)."""
    folder, out = real_data / "fair-uganda", tmp_path_factory.mktemp("roofs")
    picture = np.zeros((3, ROWS * TILE, 4 * TILE), np.float32)
    for row in range(ROWS):
        for col in range(4):
            name = f"OAM-{LEFT + col}-{TOP + row}-21.png"
            planes = rasters.read(str(next(folder.rglob(name))))[:3]
            place = (slice(row * TILE, row * TILE + TILE), slice(col * TILE, col * TILE + TILE))
            picture[(slice(None), *place)] = planes
    half = picture.reshape(3, ROWS * TILE // 2, 2, 2 * TILE, 2).mean(axis=(2, 4)).round()
    west, north = LEFT * TILE * PIXEL - WORLD / 2, WORLD / 2 - TOP * TILE * PIXEL
    transform = (2 * PIXEL, 0.0, west, 0.0, -2 * PIXEL, north)
    grid = Grid("EPSG:3857", transform, half.shape[2], half.shape[1])
    said = json.loads(next(folder.rglob("labels.geojson")).read_text())
    shapes = [
        (
            {
                "type": "Polygon",
                "coordinates": [_mercator(r) for r in f["geometry"]["coordinates"]],
            },
            1,
        )
        for f in said["features"]
    ]
    labels = np.where(rasters.burn(shapes, grid) == 1, 1, 2).astype(np.uint8)
    image, classes = str(out / "image.tif"), str(out / "labels.tif")
    rasters.write(image, half.astype(np.uint8), grid, names=["red", "green", "blue"],
                  units=["DN"] * 3)  # fmt: skip
    rasters.write(classes, labels, grid, nodata=0)
    return image, classes


def _judged(roofs, folder, method, **more) -> float:
    """Mean IoU on held-out squares of 128 pixels, 500 labelled pixels, same gap for all."""
    image, labels = roofs
    wish = train.TrainWish(
        str(folder / f"{method}.onnx"), labels, recipe=validate.Recipe(method), samples=500,
        folds=4, block=256 * PIXEL, buffer=80 * PIXEL, **more,
    )  # fmt: skip
    report = train.train(wish, [image])
    assert report["onnx_against_scikit_learn"]["largest"] <= 1e-5
    assert report["quality"]["held_out_pixels"] == 500
    return report["quality"]["mean_iou"]


def test_few_labels_go_further_on_an_encoder(roofs, tmp_path):
    forest = _judged(roofs, tmp_path, "randomforest")
    linear = _judged(roofs, tmp_path, "linear", encoder="concord-buildings")
    assert 0.55 < forest < 0.7
    assert linear > forest + 0.08, (linear, forest)
