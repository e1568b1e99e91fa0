"""The bundled models on real data, judged only where their training never looked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concord.plugin.engine import files, pictures, rasters, report, taxonomy
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer import session

from . import measure

WATER, HAND_WATER = 1, 2
BLOCK = 128  # pixels; every other square of sen1floods-es was held out of training
# Tiles of fair-uganda at zoom 21 that were held out: the eastern third.
LEFT, TOP, COLUMNS, ROWS, ZOOM = 1238456, 1046528, 4, 8, 21
HALF = 20037508.342789244


def land_cover(steps, out: Path, loop, scene: str, hand: str) -> str:
    """concord-landcover-s2 on the Spanish scene; the path of its map."""
    results, seconds = steps.run(
        "runmodel", INPUT=[scene], MODEL="concord-landcover-s2",
        OUTPUT=str(out / "maps" / "landcover.tif"), REPORT=str(out / "maps" / "landcover.json"),
    )  # fmt: skip
    info, truth = rasters.info(hand), rasters.read(hand)[0]
    rows, cols = np.indices(truth.shape) // BLOCK
    truth[(rows + cols) % 2 == 0] = 0
    held = str(out / "real" / "hand_label_held_out.tif")
    rasters.write(held, truth, info.grid, nodata=0)
    score = measure.class_iou(results["OUTPUT"], WATER, held, HAND_WATER)
    loop.figures["landcover_water_iou"] = score
    loop.figures["landcover_seconds"] = files.read_json(results["REPORT"])["seconds"]
    figure = f"water IoU {score:.3f} on the squares held out of training"
    steps.tell("Bundled land cover on the extent", "runmodel", seconds, figure)
    return results["OUTPUT"]


def buildings(steps, out: Path, loop, data: Path) -> report.Section:
    """concord-buildings on the part of fair-uganda that was held out, as polygons."""
    image = _mosaic(data, out / "real" / "uganda.tif")
    polygons = str(out / "maps" / "buildings.gpkg")
    results, seconds = steps.run(
        "runmodel", INPUT=[image], MODEL="concord-buildings", POLYGONS=polygons,
        OUTPUT=str(out / "maps" / "buildings.tif"), REPORT=str(out / "maps" / "buildings.json"),
    )  # fmt: skip
    grid = rasters.info(image).grid
    outlines = files.read_json(data / "fair-uganda" / "labels.geojson")["features"]
    shapes = [_projected(feature["geometry"]) for feature in outlines]
    truth = rasters.burn([(shape, 1) for shape in shapes], grid).astype(bool)
    score = measure.iou(rasters.read(results["OUTPUT"])[0] >= 2, truth)
    loop.figures["buildings_iou"] = score
    figure = f"IoU {score:.2f} against the outlines of the held-out third"
    steps.tell("Bundled buildings on a drone picture", "runmodel", seconds, figure)
    shown = (
        ("drone picture", pictures.of_scene([image], ["red", "green", "blue"])),
        ("buildings found", pictures.of_classes(results["OUTPUT"], _scheme("concord-buildings"))),
    )
    return report.Section("Buildings of the held-out third", pictures=shown)


def _scheme(model: str) -> taxonomy.Taxonomy:
    """The classes of a bundled model, in the colours of its card."""
    path = session.BUNDLED / f"{model}.mlm.json"
    card = items.from_item(files.read_json(path), path.name)
    return taxonomy.Taxonomy(model, card.title, card.classes)


def _mosaic(data: Path, target: Path) -> str:
    """The held-out tiles as one picture of about 0.15 m."""
    image = np.zeros((3, ROWS * 128, COLUMNS * 128), np.uint8)
    for col in range(COLUMNS):
        for row in range(ROWS):
            path = data / "fair-uganda" / f"OAM-{LEFT + col}-{TOP + row}-{ZOOM}.png"
            if not path.exists():
                raise ConcordError(f"{path} is missing; DATA must hold what its README names.")
            tile = rasters.read(path, indexes=[1, 2, 3]).astype(np.float32)
            half = tile.reshape(3, 128, 2, 128, 2).mean(axis=(2, 4)).round().astype(np.uint8)
            image[:, row * 128 : row * 128 + 128, col * 128 : col * 128 + 128] = half
    side = 2 * HALF / 2**ZOOM
    corner = (LEFT * side - HALF, HALF - TOP * side)
    pixel = side / 128
    grid = Grid("EPSG:3857", (pixel, 0.0, corner[0], 0.0, -pixel, corner[1]), *image.shape[:0:-1])
    rasters.write(str(target), image, grid, names=["red", "green", "blue"], units=["DN"] * 3)
    return str(target)


def _projected(shape: dict) -> dict:
    """A polygon of EPSG:4326 in EPSG:3857."""

    def ring(points) -> list:
        lon, lat = np.array(points, float)[:, :2].T
        y = np.log(np.tan((90 + lat) * np.pi / 360)) * HALF / np.pi
        return np.stack([lon * HALF / 180, y], 1).tolist()

    if shape["type"] == "Polygon":
        return {"type": "Polygon", "coordinates": [ring(r) for r in shape["coordinates"]]}
    parts = [[ring(r) for r in part] for part in shape["coordinates"]]
    return {"type": "MultiPolygon", "coordinates": parts}
