"""Whatever is accepted, painted and erased under the planar rule, the labels stay a coverage.

Random outlines as prompts give them (staircases of a turned grid) and strokes as the brush gives
them. Differences and inserted vertices alone broke this within a dozen steps: hairs of 1e-9 m,
overlaps of rounding, polygons that crossed themselves.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsGeometry,
    QgsPointXY,
)
from scipy import ndimage

from concord.plugin.bridge import capture, labels, touching
from concord.plugin.bridge.planar import CUT_NEW, CUT_OLD, Rule
from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid

CONTEXT = QgsCoordinateTransformContext()
STEPS, SIDE = 12, 40
PLACES = {"EPSG:32614": (490_000.6, 5_206_000.2, 5.0), "EPSG:4326": (-99.1, 47.0, 5e-5)}


def blob(random, at, pixel: float) -> QgsGeometry:
    noise = ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), 3)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    far = np.hypot(rows - SIDE / 2, cols - SIDE / 2) / (SIDE / 2)
    parts, _ = ndimage.label(noise / noise.std() * 0.3 + 0.75 - far > 0)
    mask = parts == max(1, parts[SIDE // 2, SIDE // 2])
    across, along = pixel * math.cos(0.003), pixel * math.sin(0.003)
    grid = Grid("", (across, along, at[0], along, -across, at[1]), SIDE, SIDE)
    found = rasters.polygons(mask.astype(np.uint8), grid, mask)
    return capture.geometry_of([shape for shape, _code in found])


def stroke(random, at, pixel: float) -> QgsGeometry:
    way = [QgsPointXY(*at)]
    for _ in range(random.integers(1, 4)):
        dx, dy = random.normal(0, 12 * pixel, 2)
        way.append(QgsPointXY(way[-1].x() + dx, way[-1].y() + dy))
    return QgsGeometry.fromPolylineXY(way).buffer(4.2 * pixel, 8)


def faults(layer, pixel: float) -> list:
    """What a topology checker would say."""
    shapes = [feature.geometry() for feature in layer.getFeatures()]
    found = ["invalid" for shape in shapes if shape.isEmpty() or not shape.isGeosValid()]
    for i, one in enumerate(shapes):
        found += ["overlap" for other in shapes[:i] if one.overlaps(other) or one.equals(other)]
    union = QgsGeometry.unaryUnion(shapes)
    for part in union.asGeometryCollection():
        for ring in part.asPolygon()[1:]:
            hole = QgsGeometry.fromPolygonXY([ring])
            if 2 * hole.area() / hole.length() < pixel / 1000:
                found.append("sliver")
    return found


@pytest.mark.parametrize("crs", list(PLACES))
@pytest.mark.parametrize("seed", range(4))
def test_a_coverage_stays_a_coverage(tmp_path, qgis_app, seed, crs):
    walk(tmp_path, seed, crs)


@pytest.mark.parametrize("seed", [36, 38, 54])
def test_borders_that_nearly_run_along_each_other_are_noded_to_an_end(tmp_path, qgis_app, seed):
    """Each rounding of their crossing made a new crossing one step of the grid farther on."""
    walk(tmp_path, seed, "EPSG:32614")


def walk(tmp_path, seed: int, crs: str) -> None:
    """Random steps on a new layer, judged after each; then all are undone."""
    random = np.random.default_rng(seed)
    x, y, pixel = PLACES[crs]
    own = QgsCoordinateReferenceSystem(crs)
    layer = labels.create_label_layer(tmp_path / "labels.gpkg", own, "labels")
    layer.startEditing()
    rule = Rule((CUT_NEW, CUT_OLD)[seed % 2], True, (0.4, 0.0, 0.2)[seed % 3] * pixel)
    done = 0
    for number in range(STEPS):
        at = (x + random.uniform(0, 80) * pixel, y + random.uniform(0, 80) * pixel)
        kind = random.integers(0, 4)
        try:
            if kind <= 1:
                shape = blob(random, at, pixel)
                labels.accept(layer, shape, own, {"class": number}, CONTEXT, None, rule)
            elif kind == 2:
                known = [feature.id() for feature in layer.getFeatures()]
                chosen = int(random.choice(known)) if known and number % 2 else None
                shape = stroke(random, at, pixel)
                touching.paint(layer, shape, own, {"class": number}, CONTEXT, rule, chosen)
            else:
                touching.erase(layer, stroke(random, at, pixel), own, CONTEXT, rule)
        except ConcordError:  # wholly on other labels
            continue
        done += 1
        assert faults(layer, pixel) == [], (number, int(kind))
    assert done > STEPS / 2
    while layer.undoStack().canUndo():
        layer.undoStack().undo()
    assert layer.featureCount() == 0
