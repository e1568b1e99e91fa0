"""Labels that meet are made to share their edges exactly.

The borders of all labels concerned are noded together and cut the plane into faces; each face goes
to the label that covers it, and faces that only rounding made go to a neighbour. Labels put
together from such faces have the very same vertices on both sides of every border, which
differences and insertions of single vertices do not give in floating-point coordinates.
"""

from __future__ import annotations

import math
from collections import defaultdict

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle

from .shaping import parts_of

NEW = "new"
ROUNDS = 8  # of noding and rounding; two or three do


def knit(
    outlines: dict, known: set, within: QgsRectangle, eps: float, gap: float = 0.0, yields=True
) -> dict | None:
    """Outlines by id with shared edges; None where GEOS cannot node them.

    Vertices that are not `known` are rounded to a grid far finer than `eps`: on it, noding comes to
    an end. Known ones stay where they are, because labels farther away may have them too. An
    outline whose vertices stay the same is returned as the same object.

    Args:
        outlines: {id: polygon}.
        known: (x, y) of the vertices that the labels had before.
        within: where no label is missing in `outlines`; elsewhere no face is given away.
        eps: twice the area by the border's length below which a face is rounding.
        gap: the same for empty faces, which are filled; the label NEW takes them where it touches.
        yields: what NEW and another label both cover goes to the other one.
    """
    digits = round(-math.log10(eps)) + 1
    rounded = {name: _rounded(outline, known, digits) for name, outline in outlines.items()}
    _meet(rounded, known, 2 * 10.0**-digits)
    faces, nodes = _faces(rounded, known, digits)
    if not faces:
        return None
    owned, loose = _sorted(faces, rounded, within, eps, gap, yields)
    _give_away(loose, owned)
    result = {}
    for name, old in outlines.items():
        made = _dissolved(owned[name], nodes) if owned[name] else QgsGeometry()
        if made.isNull() and owned[name]:
            return None
        result[name] = old if _vertices(made) == _vertices(old) else made
    return result


def _rounded(outline: QgsGeometry, known: set, digits: int) -> QgsGeometry:
    if _vertices(outline) <= known:
        return outline
    polygons = outline.asMultiPolygon() if outline.isMultipart() else [outline.asPolygon()]
    return QgsGeometry.fromMultiPolygonXY(
        [[_on_grid(ring, known, digits) for ring in rings] for rings in polygons]
    )


def _meet(outlines: dict, known: set, near: float) -> None:
    """Put vertices that lie on another's edge, as nearly as the grid allows, into that edge.

    Borders that run along each other would else cross again and again wherever they are noded.
    """
    all_of = {name: _vertices(outline) for name, outline in outlines.items()}
    for name, outline in list(outlines.items()):
        box = outline.boundingBox()
        box.grow(near)
        left, right, low, high = box.xMinimum(), box.xMaximum(), box.yMinimum(), box.yMaximum()
        old = all_of[name] <= known
        for other, spots in all_of.items():
            if other == name or not box.intersects(outlines[other].boundingBox()):
                continue
            for x, y in (spots - known if old else spots) - all_of[name]:
                if not (left <= x <= right and low <= y <= high):
                    continue
                spot = QgsPointXY(x, y)
                squared, _, following, _ = outlines[name].closestSegmentWithContext(spot, 0.0)
                if 0 <= squared <= near * near:
                    if outlines[name] is outline:
                        outlines[name] = QgsGeometry(outline)
                    outlines[name].insertVertex(x, y, following)


def _on_grid(line: list, known: set, digits: int) -> list:
    found = []
    for point in line:
        x, y = point.x(), point.y()
        if (x, y) not in known:
            point = QgsPointXY(round(x, digits), round(y, digits))
        # QGIS calls points equal that are 1e-8 apart: a millimetre, in degrees.
        if not found or (point.x(), point.y()) != (found[-1].x(), found[-1].y()):
            found.append(point)
    return found


def _faces(outlines: dict, known: set, digits: int) -> tuple:
    """(faces, all their vertices); without faces where the noding comes to no end."""
    lines = [QgsGeometry(outline.constGet().boundary()) for outline in outlines.values()]
    before = set().union(*(_vertices(line) for line in lines))
    for _ in range(ROUNDS):
        noded = QgsGeometry.unaryUnion(lines)
        if noded.isNull():
            break
        after = _vertices(noded)
        if after <= before:
            return parts_of(QgsGeometry.polygonize([noded])), after
        ways = noded.asMultiPolyline() if noded.isMultipart() else [noded.asPolyline()]
        ways = [_on_grid(way, known, digits) for way in ways]
        lines = [QgsGeometry.fromMultiPolylineXY([way for way in ways if len(way) > 1])]
        before = _vertices(lines[0])
    return [], set()


def _dissolved(faces: list, nodes: set) -> QgsGeometry:
    """Faces put together without a vertex that is none of the `nodes`."""
    if len(faces) == 1:
        return faces[0]
    made = QgsGeometry.unaryUnion(faces)
    if not made.isNull() and _vertices(made) <= nodes:
        return made
    # GEOS had to move vertices to get through; the edges that only one face has are the border.
    border: dict = {}
    for face in faces:
        for edge in _edges(face):
            border[edge] = border.get(edge, 0) + 1
    lines = [
        QgsGeometry.fromPolylineXY([QgsPointXY(*one), QgsPointXY(*other)])
        for (one, other), times in border.items()
        if times == 1
    ]
    inside = QgsGeometry.collectGeometry(faces)
    kept = []
    for part in parts_of(QgsGeometry.polygonize(lines)):
        if inside.contains(part.pointOnSurface()):
            kept.append(part)
    return QgsGeometry.collectGeometry(kept) if kept else QgsGeometry()


def _sorted(faces: list, outlines: dict, within, eps: float, gap: float, yields: bool) -> tuple:
    """({id: faces it covers}, faces that a neighbour has to take)."""
    engines = {}
    for name, outline in outlines.items():
        engine = QgsGeometry.createGeometryEngine(outline.constGet())
        engine.prepareGeometry()
        engines[name] = (outline.boundingBox(), engine)
    owned, loose = defaultdict(list), []
    for face in faces:
        width = 2 * face.area() / face.length()
        local = within.contains(face.boundingBox())
        if width < eps and local:
            loose.append(face)
            continue
        spot = face.pointOnSurface()
        place = spot.asPoint()
        covering = [
            name
            for name, (box, engine) in engines.items()
            if box.contains(place) and engine.contains(spot.constGet())
        ]
        if covering and covering[0] == NEW:  # the others were cut before
            covering = covering[1:] or covering if yields else covering[:1]
        for name in covering:
            owned[name].append(face)
        if not covering and width < gap and local:
            loose.append(face)
    return owned, loose


def _give_away(loose: list, owned: dict) -> None:
    """Each loose face to the label with the longest common border, NEW before the others."""
    waiting = loose
    while waiting:
        left = []
        for face in waiting:
            best = max(owned, key=lambda name: _border(face, owned[name], name), default=None)
            if best is None or _border(face, owned[best], best)[1] <= 0:
                left.append(face)
            else:
                owned[best].append(face)
        if len(left) == len(waiting):
            return  # islands of rounding; nobody misses them
        waiting = left


def _border(face: QgsGeometry, faces: list, name) -> tuple:
    edges = _edges(face)
    box = face.boundingBox()
    near = [other for other in faces if other.boundingBox().intersects(box)]
    shared = edges.keys() & {edge for other in near for edge in _edges(other)}
    length = sum(edges[edge] for edge in shared)
    return (length > 0 and name == NEW, length)


def _edges(face: QgsGeometry) -> dict:
    """{edge, whichever way it runs: its length}; equal borders are equal edges once noded."""
    found = {}
    for ring in face.asPolygon():
        for a, b in zip(ring, ring[1:]):
            one, other = (a.x(), a.y()), (b.x(), b.y())
            found[(min(one, other), max(one, other))] = a.distance(b)
    return found


def _vertices(outline: QgsGeometry) -> set:
    return {(vertex.x(), vertex.y()) for vertex in outline.vertices()}
