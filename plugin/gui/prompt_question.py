"""Between the canvas and the image: prompts one way, proposals the other.

Every function raises QgsCsException where a transformation has no answer.
"""

from __future__ import annotations

import json

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
)
from qgis.gui import QgsMapCanvas


def _to_image(canvas: QgsMapCanvas, crs: QgsCoordinateReferenceSystem) -> QgsCoordinateTransform:
    own = canvas.mapSettings().destinationCrs()
    return QgsCoordinateTransform(own, crs, QgsProject.instance())


def scale(canvas: QgsMapCanvas, crs: QgsCoordinateReferenceSystem) -> float:
    """Map units of `crs` along a screen pixel in the middle of the view."""
    centre, step = canvas.center(), canvas.mapUnitsPerPixel()
    move = _to_image(canvas, crs)
    aside = QgsPointXY(centre.x() + step, centre.y())
    return move.transform(centre).distance(move.transform(aside))


def asked(canvas: QgsMapCanvas, crs, points, box, shape, previous=None):
    """A Question in the image's CRS from prompts in the canvas CRS."""
    from ..engine.segment.desk import Question

    move = _to_image(canvas, crs)
    spots = [(move.transform(point), label) for point, label in points]
    corners, outline = (), None
    if box is not None:
        frame = QgsGeometry.fromRect(box)
        frame.transform(move)
        corners = tuple((p.x(), p.y()) for p in frame.vertices())
    if shape is not None:
        old = QgsGeometry(shape)
        old.transform(move)
        outline = json.loads(old.asJson(12))
    spots = tuple((p.x(), p.y(), label) for p, label in spots)
    return Question(spots, corners, outline, scale(canvas, crs), previous)


def seen(canvas: QgsMapCanvas, crs) -> tuple:
    """((left, bottom, right, top) of the view in `crs`, its scale there)."""
    view = QgsGeometry.fromRect(canvas.extent())
    view.transform(_to_image(canvas, crs))
    box = view.boundingBox()
    bounds = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
    return bounds, scale(canvas, crs)


def on_canvas(canvas: QgsMapCanvas, geometry: QgsGeometry, crs) -> QgsGeometry:
    """A geometry of `crs` in the canvas CRS."""
    shape = QgsGeometry(geometry)
    target = canvas.mapSettings().destinationCrs()
    shape.transform(QgsCoordinateTransform(crs, target, QgsProject.instance()))
    return shape
