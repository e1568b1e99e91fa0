"""A new label among its neighbours: who gives way, and that shared edges share their vertices.

A planar coverage has no overlaps, no slivers, and every vertex on a shared edge stands in both
polygons. Otherwise QGIS's topology checker, and every later edit of one side, open gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qgis.core import (
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
    QgsVectorLayer,
)

from ..engine.errors import ConcordError
from . import rings
from .knitting import NEW, knit
from .shaping import parts_of, valid
from .text import tr

ALLOW, CUT_NEW, CUT_OLD = "allow", "cut_new", "cut_old"


@dataclass(frozen=True)
class Rule:
    """How a new label gets on with the old ones.

    Args:
        overlap: `allow`, `cut_new` (the new one gives way) or `cut_old` (the old ones do).
        planar: close gaps narrower than `gap` and make shared edges share their vertices.
        gap: width in map units.
    """

    overlap: str = ALLOW
    planar: bool = False
    gap: float = 0.0


@dataclass
class Settled:
    """The new outline, and what becomes of the old ones: {id: geometry}, and ids to delete."""

    geometry: QgsGeometry
    changed: dict = field(default_factory=dict)
    deleted: list = field(default_factory=list)


def settle(layer: QgsVectorLayer, geometry: QgsGeometry, rule: Rule, own=None) -> Settled:
    """Work out how a new outline (in the layer's CRS) fits among the layer's labels.

    Nothing is written. `own` is the id of the label that the outline replaces.

    Raises:
        ConcordError: nothing of the new outline is left.
    """
    if rule.overlap == ALLOW and not rule.planar:
        return Settled(geometry)
    shape = valid(geometry)
    near = _neighbours(layer, shape.boundingBox(), rule, own)
    before = dict(near)
    settled = Settled(shape)
    if rule.overlap == CUT_OLD:
        if rule.planar and rule.gap > 0:
            shape = _closed(shape, near, rule.gap, overlapping=True)
        _cut_old(settled, near, shape, rule)
    elif rule.overlap == CUT_NEW or rule.planar:
        shape = _cut_new(shape, near, rule)
        if rule.planar and rule.gap > 0:
            shape = _closed(shape, near, rule.gap)
    settled.geometry = _knitted(shape, near, rule, settled, before) if rule.planar else shape
    settled.changed = _changes(near, before)
    return settled


def carve(layer: QgsVectorLayer, shape: QgsGeometry, rule: Rule, only: set | None = None) -> tuple:
    """(what taking `shape`, in the layer's CRS, off its labels changes, ids that lose area).

    Nothing is written. `only`: ids that may lose area, None for all. With the planar rule what is
    left shares its vertices with its neighbours, and parts thinner than the gap go too.
    """
    shape = valid(shape)
    near = _neighbours(layer, shape.boundingBox(), rule, None)
    before, settled = dict(near), Settled(shape)
    cut = _cut_old(settled, near, shape, rule, only)
    if rule.planar:
        _knitted(None, near, rule, settled, before)
    settled.changed = _changes(near, before)
    return settled, cut


def _changes(near: dict, before: dict) -> dict:
    return {
        number: outline
        for number, outline in near.items()
        if outline is not before[number] and not outline.equals(before[number])
    }


def _around(box: QgsRectangle, rule: Rule) -> QgsRectangle:
    """Where labels matter to an outline in `box`."""
    around = QgsRectangle(box)
    around.grow(max(rule.gap * 2, _eps(box) * 100))
    return around


def _neighbours(layer, box: QgsRectangle, rule: Rule, own) -> dict:
    request = QgsFeatureRequest().setFilterRect(_around(box, rule)).setNoAttributes()
    found = {}
    for feature in layer.getFeatures(request):
        if feature.id() != own and feature.hasGeometry():
            found[feature.id()] = valid(feature.geometry())
    return found


def _eps(box: QgsRectangle) -> float:
    """Distance below which two positions are one: rounding of this CRS's coordinates."""
    largest = max(
        abs(box.xMinimum()), abs(box.xMaximum()), abs(box.yMinimum()), abs(box.yMaximum())
    )
    return max(largest, 1e-3) * 1e-11


def _cut_new(shape: QgsGeometry, near: dict, rule: Rule) -> QgsGeometry:
    touched = [outline for outline in near.values() if outline.intersects(shape)]
    if not touched:
        return shape
    rest = _thick(valid(shape.difference(QgsGeometry.unaryUnion(touched))), rule)
    if rest.isNull() or rest.isEmpty():
        raise ConcordError(
            tr("The proposal lies wholly on other labels; let it cut them, or allow overlaps.")
        )
    return rest


def _cut_old(settled: Settled, near: dict, shape: QgsGeometry, rule: Rule, only=None) -> list:
    """Take `shape` off the labels `near`, or off those in `only`; ids of those that lose area."""
    cut = []
    for number, outline in list(near.items()):
        if (only is not None and number not in only) or not outline.intersects(shape):
            continue
        rest = _thick(valid(outline.difference(shape)), rule)
        if rest.isNull() or rest.isEmpty():
            settled.deleted.append(number)
            del near[number]
        elif rest.area() < outline.area():
            near[number] = rest
        else:
            continue
        cut.append(number)
    return cut


def _thick(geometry: QgsGeometry, rule: Rule) -> QgsGeometry:
    """Without parts thinner than the gap: they are slivers. Planar only."""
    if not rule.planar or rule.gap <= 0:
        return geometry
    kept = [part for part in parts_of(geometry) if 2 * part.area() / part.length() >= rule.gap / 2]
    return QgsGeometry.collectGeometry(kept) if kept else QgsGeometry()


def _closed(shape: QgsGeometry, near: dict, gap: float, overlapping: bool = False) -> QgsGeometry:
    """The outline with the narrow gaps to its neighbours filled.

    Closing (out and in again by half the gap) fills them; what the neighbours hold is taken off,
    so that the new edge runs along theirs.
    """
    if not near:
        return shape
    # Farther away nothing can change, and the work grows with what is looked at.
    around = shape.boundingBox()
    around.grow(gap * 3)
    parts = [valid(outline.clipped(around)) for outline in near.values()]
    old = QgsGeometry.unaryUnion([part for part in parts if not part.isEmpty()])
    if old.isEmpty() or old.distance(shape) > gap:
        return shape
    both = old.combine(shape)
    shut = both.buffer(gap / 2, 4).buffer(-gap / 2, 4)
    reach = shape.buffer(gap, 4)
    meets = [_prepared(shape), _prepared(old)]
    slivers = [
        part
        for part in parts_of(valid(shut.difference(both).intersection(reach)))
        if all(engine.intersects(part.constGet()) for engine in meets)
    ]
    if not slivers:
        return shape
    filled = valid(QgsGeometry.unaryUnion([shape, *slivers]))
    return filled if overlapping else valid(filled.difference(old))


def _prepared(shape: QgsGeometry):
    engine = QgsGeometry.createGeometryEngine(shape.constGet())
    engine.prepareGeometry()
    return engine


def _knitted(shape: QgsGeometry | None, near: dict, rule: Rule, settled: Settled, before: dict):
    """The new outline with shared edges; neighbours in `near` change, or go where none is left."""
    everything = dict(near) if shape is None else {NEW: shape, **near}
    if not everything:
        return shape
    box = QgsRectangle()
    for outline in everything.values():
        box.combineExtentWith(outline.boundingBox())
    gap = rule.gap if shape is not None else 0.0
    around = _around(settled.geometry.boundingBox(), rule)
    known = set().union(*(rings.vertices(outline) for outline in before.values()))
    found = knit(everything, known, around, _eps(box) * 20, gap, rule.overlap != CUT_OLD)
    if found is None:
        return _share_vertices(shape, near) if shape is not None else None
    for number in list(near):
        if found[number].isEmpty():
            settled.deleted.append(number)
            del near[number]
        else:
            near[number] = found[number]
    return found.get(NEW)


def _share_vertices(shape: QgsGeometry, near: dict) -> QgsGeometry:
    """Put every vertex that lies on another's edge into that edge, both ways.

    Returns the new outline; changed neighbours are replaced in `near`.
    """
    eps = _eps(shape.boundingBox())
    for outline in near.values():
        if outline.distance(shape) <= eps * 10:
            shape, _ = with_vertices(shape, outline, eps)
    for number, outline in near.items():
        if outline.distance(shape) <= eps * 10:
            richer, added = with_vertices(outline, shape, eps)
            if added:
                near[number] = richer
    return shape


def with_vertices(shape: QgsGeometry, other: QgsGeometry, eps: float) -> tuple:
    """(`shape` with those vertices of `other` that lie on its edges, how many were added)."""
    box = shape.boundingBox()
    box.grow(eps)
    result, added = QgsGeometry(shape), 0
    own = {(v.x(), v.y()) for v in shape.vertices()}
    for vertex in other.vertices():
        spot = QgsPointXY(vertex.x(), vertex.y())
        if (spot.x(), spot.y()) in own or not box.contains(spot):
            continue
        squared, _, following, _ = result.closestSegmentWithContext(spot, 0.0)
        if 0 <= squared <= eps * eps and result.insertVertex(spot.x(), spot.y(), following):
            own.add((spot.x(), spot.y()))
            added += 1
    return result, added
