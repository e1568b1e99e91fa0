"""Tidying the outline of a proposal before it becomes a label."""

from __future__ import annotations

from dataclasses import dataclass

from qgis.core import QgsGeometry, QgsWkbTypes

POLYGON = QgsWkbTypes.GeometryType.PolygonGeometry
_ROUGH = 0.06  # of the root of the area: what a building's staircase is simplified by
_ANGLE = 40.0  # degrees from square or straight that are still pulled there
_LIKE = 0.75  # IoU below which right angles are not what the object has


@dataclass(frozen=True)
class Finish:
    """What is done to an outline, in the label layer's map units.

    Args:
        simplify: tolerance; 0 leaves every corner.
        smooth: round the corners.
        holes: fill holes of a smaller area; a negative value fills all, 0 none.
        specks: drop separate parts of a smaller area; the largest part always stays.
        right_angles: square corners, for buildings.
    """

    simplify: float = 0.0
    smooth: bool = False
    holes: float = 0.0
    specks: float = 0.0
    right_angles: bool = False


def finished(geometry: QgsGeometry, finish: Finish) -> QgsGeometry:
    """The outline tidied; never empty when it was not before."""
    shape = _without_specks(valid(geometry), finish.specks)
    if finish.holes:
        shape = shape.removeInteriorRings(finish.holes if finish.holes > 0 else -1)
    if finish.right_angles:
        return _squared(shape, finish.simplify)
    if finish.simplify > 0:
        shape = _or(valid(shape.simplify(finish.simplify)), shape)
    if finish.smooth:
        shape = _or(valid(shape.smooth(2, 0.25)), shape)
    return shape


def valid(geometry: QgsGeometry) -> QgsGeometry:
    """Polygons only, repaired where rings cross."""
    shape = geometry if geometry.isGeosValid() else geometry.makeValid()
    if QgsWkbTypes.geometryType(shape.wkbType()) == POLYGON:
        return shape
    parts = [
        part
        for part in shape.asGeometryCollection()
        if QgsWkbTypes.geometryType(part.wkbType()) == POLYGON and part.area() > 0
    ]
    return QgsGeometry.collectGeometry(parts) if parts else QgsGeometry()


def _or(shape: QgsGeometry, before: QgsGeometry) -> QgsGeometry:
    return before if shape.isNull() or shape.isEmpty() or shape.area() <= 0 else shape


def parts_of(geometry: QgsGeometry) -> list[QgsGeometry]:
    """The single polygons of a geometry."""
    return [part for part in geometry.asGeometryCollection() if part.area() > 0]


def _without_specks(geometry: QgsGeometry, smallest: float) -> QgsGeometry:
    if smallest <= 0 or not geometry.isMultipart():
        return geometry
    parts = sorted(parts_of(geometry), key=lambda part: -part.area())
    kept = [part for i, part in enumerate(parts) if i == 0 or part.area() >= smallest]
    return QgsGeometry.collectGeometry(kept) if kept else geometry


def _squared(geometry: QgsGeometry, tolerance: float) -> QgsGeometry:
    """Each part with square corners, or as it was where square corners do not suit it."""
    kept = []
    for part in parts_of(geometry):
        rough = tolerance if tolerance > 0 else _ROUGH * part.area() ** 0.5
        simple = _or(valid(part.simplify(rough)), part)
        square = valid(simple.orthogonalize(1e-8, 1000, _ANGLE))
        union = square.combine(part).area() if not square.isEmpty() else 0.0
        like = square.intersection(part).area() / union if union else 0.0
        kept += parts_of(square) if like >= _LIKE else [simple]
    return QgsGeometry.collectGeometry(kept) if kept else geometry
