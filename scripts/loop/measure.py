"""Figures of the run, measured on the files that it wrote."""

from __future__ import annotations

import numpy as np
from qgis.core import QgsVectorLayer

from concord.plugin.engine import rasters
from concord.plugin.engine.labels import ClassRaster


def accuracy(path: str, truth: str) -> float:
    """Share of equal codes over pixels that both know, on the truth's grid."""
    with ClassRaster(truth) as right, ClassRaster(path, right.grid) as given:
        a, b = given.read(), right.read()
    known = (a != 0) & (a != 255) & (b != 0) & (b != 255)
    return float((a == b)[known].mean())


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


def class_iou(path: str, code: int, truth: str, truth_code: int) -> float:
    """IoU of a class over pixels that the truth knows."""
    with ClassRaster(truth) as right, ClassRaster(path, right.grid) as given:
        a, b = given.read(), right.read()
    known = b != 0
    return iou((a == code) & known, (b == truth_code) & known)


def outlines(path: str, objects: str) -> dict:
    """{object: IoU} of polygons against a raster of object numbers."""
    with ClassRaster(objects) as raster:
        truth, grid = raster.read(), raster.grid
    import json

    layer = QgsVectorLayer(path, "outlines", "ogr")
    drawn: dict = {}
    for feature in layer.getFeatures():
        shape = json.loads(feature.geometry().asJson(9))
        drawn.setdefault(int(feature["object"]), []).append((shape, 1))
    numbers = [int(n) for n in np.unique(truth) if n]
    return {n: iou(rasters.burn(drawn.get(n, []), grid).astype(bool), truth == n) for n in numbers}


def mean(values) -> float:
    return float(np.mean(list(values)))
