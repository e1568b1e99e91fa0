"""Brush and eraser on a label layer: one stroke is one undo step, neighbours included."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ..engine.errors import ConcordError
from . import labels
from .planar import Rule, carve
from .shaping import parts_of
from .text import tr

SOURCE = "hand"


def target(layer: QgsVectorLayer, start, crs, project, classes: tuple | None) -> int | None:
    """Id of the label that a stroke starting at `start` (in `crs`) extends; None for a new one.

    A single selected label takes every stroke. Else the smallest label at the start does, when
    its class, as text, is one of `classes`; with None whatever its class is.
    """
    chosen = layer.selectedFeatureIds()
    if len(chosen) == 1:
        return chosen[0]
    field = labels.field_of(layer, "class")

    def fits(feature) -> bool:
        return classes is None or str(feature[field]) in classes

    found = labels.label_at(layer, QgsPointXY(start.x(), start.y()), crs, project, fits)
    return found[1] if found is not None else None


def paint(
    layer: QgsVectorLayer,
    stroke: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    values: dict,
    context: QgsCoordinateTransformContext,
    rule: Rule,
    extends: int | None = None,
) -> bool:
    """Add a stroke (polygon in `crs`) to a label, or write it as a new one; False for no change.

    A label that is extended keeps its attributes but `source`, which says that a hand changed it.

    Raises:
        ConcordError: the stroke cannot be written; the layer is as it was.
    """
    title, own = tr("Brush stroke"), layer.crs()
    shape = _moved(layer, stroke, crs, context)
    if extends is None:
        values = {**values, "source": SOURCE}
        labels.accept(layer, shape, own, values, context, None, rule, None, title)
        return True
    old = layer.getFeature(extends).geometry()
    shape = old.combine(shape)
    if shape.isNull() or shape.isGeosEqual(old):
        return False
    labels.accept(layer, shape, own, {"source": SOURCE}, context, None, rule, extends, title)
    return True


def erase(
    layer: QgsVectorLayer,
    stroke: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    context: QgsCoordinateTransformContext,
    rule: Rule,
) -> int:
    """Take a stroke (polygon in `crs`) away from the selected labels, or from all it meets.

    A label with nothing left is deleted; where a layer takes single polygons only, the pieces of a
    label that is cut through become labels of their own with the same attributes.

    Returns:
        how many labels changed; with 0 no undo step is made.

    Raises:
        ConcordError: the layer cannot be edited; it is as it was.
    """
    reason = labels.problem(layer)
    if reason:
        raise ConcordError(reason)
    shape = _moved(layer, stroke, crs, context)
    only = set(layer.selectedFeatureIds()) or None
    settled, cut = carve(layer, shape, rule, only)
    if not cut:
        return 0
    changed, pieces = _split(layer, settled.changed)
    source = labels.field_of(layer, "source")

    def write() -> bool:
        done = all(layer.changeGeometry(number, outline) for number, outline in changed.items())
        done = done and all(layer.deleteFeature(number) for number in settled.deleted)
        if done and source >= 0:
            left = [number for number in cut if number not in settled.deleted]
            done = all(layer.changeAttributeValue(number, source, SOURCE) for number in left)
        return done and all(layer.addFeature(piece) for piece in pieces(source))

    labels.in_one_step(layer, tr("Eraser stroke"), write)
    return len(cut)


def _split(layer: QgsVectorLayer, outlines: dict) -> tuple:
    """({id: outline that fits the layer}, a function that makes the other pieces' features)."""
    if QgsWkbTypes.isMultiType(layer.wkbType()):
        return {n: labels.fitting(layer, shape) for n, shape in outlines.items()}, lambda _s: []
    first, rest = {}, []
    for number, shape in outlines.items():
        parts = sorted(parts_of(shape), key=lambda part: -part.area())
        first[number] = labels.fitting(layer, parts[0])
        rest += [(number, labels.fitting(layer, part)) for part in parts[1:]]
    keys = layer.primaryKeyAttributes()

    def pieces(source: int) -> list[QgsFeature]:
        made = []
        for number, outline in rest:
            request = QgsFeatureRequest(number)
            old = next(layer.getFeatures(request)).attributes()
            told = {i: v for i, v in enumerate(old) if i not in keys}
            if source >= 0:
                told[source] = SOURCE
            made.append(QgsVectorLayerUtils.createFeature(layer, outline, told))
        return made

    return first, pieces


def _moved(layer, shape, crs, context) -> QgsGeometry:
    return labels.moved(layer, shape, crs, context, tr("The stroke"))
