"""How many roofs concord-buildings outlines, as the plugin draws them: by polygon, not by pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path

import aerial_scenes as aerial
import numpy as np
from prompt_split import concord
from shapely.affinity import affine_transform
from shapely.geometry import box, shape
from shapely.strtree import STRtree

STEP = 2  # every second pixel of the mosaic: 0.15 m
ALIKE = 0.5  # IoU from which a polygon is that roof; no two can be of one roof


def held_out() -> dict:
    """{figure: value} of the eastern third; roofs across the line count neither way."""
    line = aerial.HELD_COLUMN * aerial.TILE // STEP
    seen = box(0, 0, aerial.COLUMNS * aerial.TILE / STEP, aerial.ROWS * aerial.TILE / STEP)
    roofs = [shape(r).buffer(0).intersection(seen) for r in aerial.roofs(STEP)]
    own = [roof for roof in roofs if roof.bounds[0] > line]
    across = [roof for roof in roofs if roof.bounds[0] <= line < roof.bounds[2]]
    drawn = [p for p in _polygons() if p.centroid.x > line]
    drawn = [p for p in drawn if not any(p.intersects(roof) for roof in across)]
    tree, hits = STRtree(own), set()
    for polygon in drawn:
        hits |= {int(k) for k in tree.query(polygon) if _iou(polygon, own[k]) >= ALIKE}
    return {"roofs": len(own), "roofs outlined": len(hits) / len(own), "polygons": len(drawn),
            "polygons that are a roof": len(hits) / max(1, len(drawn))}  # fmt: skip


def _iou(a, b) -> float:
    both = a.intersection(b).area
    return both / (a.area + b.area - both)


def _polygons() -> list:
    """What the plugin draws on the whole picture, in its pixels."""
    rasters, grids, scenes = concord("..rasters"), concord("..grid"), concord("..scene")
    session, runner = concord("..infer.session"), concord("..infer.runner")
    parcels = concord("..infer.parcels")
    fine = aerial.uganda()
    rows, cols = fine.shape[1] // STEP, fine.shape[2] // STEP
    picture = fine.reshape(3, rows, STEP, cols, STEP).mean((2, 4)).round().astype(np.uint8)
    size, left, top = aerial.metres(STEP), 5e5, 5e5
    place = grids.Grid("EPSG:32636", (size, 0.0, left, 0.0, -size, top), cols, rows)
    with tempfile.TemporaryDirectory() as folder:
        image, target = str(Path(folder) / "picture.tif"), str(Path(folder) / "map.tif")
        rasters.write(image, picture, place, names=["red", "green", "blue"],
                      units=["DN"] * 3)  # fmt: skip
        with scenes.Scene([image]) as scene:
            model = session.Model("concord-buildings")
            report = runner.run(model, scene, runner.RunWish(target))
        found = [shape(polygon) for polygon, _ in parcels.of_map(target, report)]
    return [_moved(polygon, size, left, top) for polygon in found]


def _moved(polygon, size: float, left: float, top: float):
    turn = (1 / size, 0, 0, -1 / size, -left / size, top / size)
    return affine_transform(polygon, turn)
