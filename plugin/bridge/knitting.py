"""Labels that meet are made to share their edges exactly.

The borders of all labels concerned are noded together and cut the plane into faces; each face goes
to the label that covers it, and faces that only rounding made go to a neighbour. Labels put
together from such faces have the very same vertices on both sides of every border, which
differences and insertions of single vertices do not give in floating-point coordinates.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from qgis.core import QgsGeometry, QgsRectangle

from . import rings
from .shaping import parts_of

NEW = "new"
ROUNDS = 12  # of noding and rounding; two or three do


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
    faces, nodes = _faces(rounded, known, digits)
    if not faces:
        return None
    owned, loose = _sorted([_Face(face) for face in faces], rounded, within, eps, gap, yields)
    _give_away(loose, owned)
    result = {}
    for name, old in outlines.items():
        made = _dissolved(owned[name], nodes) if owned[name] else QgsGeometry()
        if made.isNull() and owned[name]:
            return None
        result[name] = old if rings.vertices(made) == rings.vertices(old) else made
    return result


class _Face:
    """A face of the noded plane; `edges` is {edge, whichever way it runs: its length}."""

    def __init__(self, shape: QgsGeometry):
        self.shape, self.box = shape, shape.boundingBox()
        self._edges: dict | None = None

    @property
    def edges(self) -> dict:
        if self._edges is None:
            self._edges = {}
            for ring in rings.lines(self.shape):
                length = np.hypot(*(ring[1:] - ring[:-1]).T).tolist()
                spots = rings.spots(ring)
                for one, other, long in zip(spots, spots[1:], length):
                    self._edges[(min(one, other), max(one, other))] = long
        return self._edges


def _rounded(outline: QgsGeometry, known: set, digits: int) -> QgsGeometry:
    if rings.vertices(outline) <= known:
        return outline
    polygons = [
        [_ring_on_grid(ring, known, digits) for ring in part] for part in rings.parts(outline)
    ]
    return rings.from_parts([part for part in polygons if len(part[0]) > 3])


def _ring_on_grid(line: np.ndarray, known: set, digits: int) -> np.ndarray:
    """A ring with its unknown vertices on the grid, none twice in a row."""
    line = _on_grid(line, known, digits)
    return line[np.concatenate([[True], (line[1:] != line[:-1]).any(axis=1)])]


def _faces(outlines: dict, known: set, digits: int) -> tuple:
    """(faces, all their vertices); without faces where the noding comes to no end.

    A vertex that lies as near to an edge as the grid allows becomes part of that edge, as in snap
    rounding (Hobby 1999). Else borders that run along each other cross in a new place in each
    round, one step of the grid farther on.
    """
    near = 2 * 10.0**-digits
    pieces = rings.segments(
        [line for outline in outlines.values() for line in rings.lines(outline)]
    )
    before = _ends(pieces)
    fresh = before - known
    pieces = _split(pieces, fresh, near)
    young = np.array([one in fresh or two in fresh for one, two in _spots(pieces)], bool)
    pieces = np.concatenate([pieces[~young], _split(pieces[young], before & known, near)])
    moved = np.ones(len(pieces), bool)
    for _ in range(ROUNDS):
        pieces = _noded(pieces, moved)
        if pieces is None:
            break
        after = _ends(pieces)
        if after <= before:
            return parts_of(QgsGeometry.polygonize([rings.from_segments(pieces)])), after
        cut = pieces
        pieces = rings.distinct(_on_grid(pieces.reshape(-1, 2), known, digits).reshape(-1, 2, 2))
        fresh, before = _ends(pieces) - before, _ends(pieces)
        pieces = _split(pieces, fresh, near)
        same = set(_spots(cut))
        moved = np.array([piece not in same for piece in _spots(pieces)], bool)
    return [], set()


def _on_grid(line: np.ndarray, known: set, digits: int) -> np.ndarray:
    """(n, 2) vertices, those that are not known on the grid."""
    old = np.array([spot in known for spot in rings.spots(line)], bool)
    return np.where(old[:, None], line, np.round(line, digits))


def _noded(pieces: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
    """Segments cut wherever they meet; only those near ones that `moved` can meet anything new."""
    near = moved.copy()
    low, high = pieces.min(axis=1), pieces.max(axis=1)
    for k in np.flatnonzero(moved & ~moved.all()):
        near |= ((low <= high[k]) & (high >= low[k])).all(axis=1)
    found = rings.noded(pieces[near])
    if found is None or near.all():
        return found
    return rings.distinct(np.concatenate([pieces[~near], found]))


def _ends(pieces: np.ndarray) -> set:
    return set(rings.spots(pieces.reshape(-1, 2)))


def _spots(pieces: np.ndarray) -> list:
    """(one end, other end) of each segment."""
    spots = rings.spots(pieces.reshape(-1, 2))
    return list(zip(spots[::2], spots[1::2]))


def _split(pieces: np.ndarray, among: set, near: float) -> np.ndarray:
    """Segments (m, 2, 2) led through those of the vertices `among` that lie on them."""
    if not among or not len(pieces):
        return pieces
    places = np.array(sorted(among))
    low, high = pieces.min(axis=1) - near, pieces.max(axis=1) + near
    hit = (low[:, 0, None] <= places[:, 0]) & (places[:, 0] <= high[:, 0, None])
    hit &= (low[:, 1, None] <= places[:, 1]) & (places[:, 1] <= high[:, 1, None])
    which, place = np.nonzero(hit)
    start, spots = pieces[which, 0], places[place]
    way, off = pieces[which, 1] - start, spots - start
    along = (off * way).sum(axis=1) / (way**2).sum(axis=1)
    across = off - along[:, None] * way
    inside = (spots[:, None] != pieces[which]).any(axis=2).all(axis=1) & (0 < along) & (along < 1)
    hits: dict = defaultdict(list)
    for k in np.flatnonzero(inside & ((across**2).sum(axis=1) <= near * near)).tolist():
        hits[int(which[k])].append((along[k], tuple(spots[k])))
    if not hits:
        return pieces
    whole = np.ones(len(pieces), bool)
    whole[list(hits)] = False
    ways = [
        np.array([pieces[k, 0], *(spot for _, spot in sorted(found)), pieces[k, 1]])
        for k, found in hits.items()
    ]
    return rings.distinct(np.concatenate([pieces[whole], rings.segments(ways)]))


def _dissolved(faces: list, nodes: set) -> QgsGeometry:
    """Faces put together without a vertex that is none of the `nodes`."""
    if len(faces) == 1:
        return faces[0].shape
    shapes = [face.shape for face in faces]
    made = QgsGeometry.unaryUnion(shapes)
    if not made.isNull() and rings.vertices(made) <= nodes:
        return made
    # GEOS had to move vertices to get through; the edges that only one face has are the border.
    border: dict = defaultdict(int)
    for face in faces:
        for edge in face.edges:
            border[edge] += 1
    single = [edge for edge, times in border.items() if times == 1]
    inside = QgsGeometry.collectGeometry(shapes)
    kept = [
        part
        for part in parts_of(QgsGeometry.polygonize([rings.from_segments(np.array(single))]))
        if inside.contains(part.pointOnSurface())
    ]
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
        width = 2 * face.shape.area() / face.shape.length()
        local = within.contains(face.box)
        if width < eps and local:
            loose.append(face)
            continue
        spot = face.shape.pointOnSurface()
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


def _border(face: _Face, faces: list, name) -> tuple:
    near = [other for other in faces if other.box.intersects(face.box)]
    shared = {edge for other in near for edge in face.edges.keys() & other.edges.keys()}
    length = sum(face.edges[edge] for edge in shared)
    return (length > 0 and name == NEW, length)
