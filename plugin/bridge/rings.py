"""Coordinates of QGIS geometries as arrays, and back, in one call each.

A label has hundreds of vertices; asking QGIS for them one at a time took a third of the time of
accepting a proposal, on the thread that draws the interface.
"""

from __future__ import annotations

import struct

import numpy as np
from qgis.core import QgsGeometry, QgsWkbTypes

_LINE, _POLYGON, _CURVES = 2, 3, range(8, 13)
_PIECE = np.dtype([("order", "u1"), ("type", "<u4"), ("count", "<u4"), ("xy", "<f8", 4)])


def parts(geometry: QgsGeometry) -> list:
    """[[(n, 2) array of a ring or line, ...] of each part]; curves as lines, without Z and M."""
    if geometry.isNull() or geometry.isEmpty():
        return []
    if QgsWkbTypes.flatType(geometry.wkbType()) in _CURVES:
        geometry = QgsGeometry(geometry.constGet().segmentize())
    return _read(bytes(geometry.asWkb()), 0)[0]


def lines(geometry: QgsGeometry) -> list:
    """All rings or lines of a geometry as (n, 2) arrays."""
    return [line for part in parts(geometry) for line in part]


def vertices(geometry: QgsGeometry) -> set:
    """The (x, y) of all vertices."""
    return {spot for line in lines(geometry) for spot in spots(line)}


def spots(line: np.ndarray) -> list:
    """(n, 2) as a list of (x, y), which can be looked up in a set."""
    return list(zip(*line.T.tolist()))


def segments(found: list) -> np.ndarray:
    """(m, 2, 2): the different segments of rings or lines, whichever way they run."""
    if not found:
        return np.zeros((0, 2, 2))
    spots = np.concatenate(found)
    last = np.cumsum([len(line) for line in found])[:-1] - 1  # of each line but the last one
    pairs = np.concatenate([spots[:-1], spots[1:]], axis=1).reshape(-1, 2, 2)
    return distinct(np.delete(pairs, last, axis=0))


def noded(pieces: np.ndarray) -> np.ndarray | None:
    """Segments (m, 2, 2) cut wherever they meet; None where GEOS cannot."""
    geometry = QgsGeometry.unaryUnion([from_segments(pieces)])
    if geometry.isNull():
        return None
    data = bytes(geometry.asWkb())
    if geometry.isMultipart() and (len(data) - 9) % _PIECE.itemsize == 0:
        found = np.frombuffer(data, _PIECE, offset=9)
        if (found["count"] == 2).all() and (found["type"] == _LINE).all():
            return distinct(found["xy"].reshape(-1, 2, 2))
    return segments(lines(geometry))


def distinct(found: np.ndarray) -> np.ndarray:
    """Segments (m, 2, 2), each once and none without length."""
    (x0, y0), (x1, y1) = found[:, 0].T, found[:, 1].T
    turned = (x0 > x1) | ((x0 == x1) & (y0 > y1))
    found = np.where(turned[:, None, None], found[:, ::-1], found)
    found = found[(x0 != x1) | (y0 != y1)]
    return np.unique(found.reshape(-1, 4), axis=0).reshape(-1, 2, 2)


def from_segments(found: np.ndarray) -> QgsGeometry:
    """(m, 2, 2) as one geometry of m lines."""
    pieces = np.empty(len(found), _PIECE)
    pieces["order"], pieces["type"], pieces["count"] = 1, _LINE, 2
    pieces["xy"] = found.reshape(-1, 4)
    return _made(struct.pack("<BII", 1, 5, len(found)) + pieces.tobytes())


def from_parts(polygons: list) -> QgsGeometry:
    """Lists of rings as one geometry of polygons."""
    data = [struct.pack("<BII", 1, 6, len(polygons))]
    for rings in polygons:
        data.append(struct.pack("<BII", 1, _POLYGON, len(rings)))
        for ring in rings:
            data += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, "<f8").tobytes()]
    return _made(b"".join(data))


def _made(data: bytes) -> QgsGeometry:
    geometry = QgsGeometry()
    geometry.fromWkb(data)
    return geometry


def _read(data: bytes, at: int) -> tuple:
    """(parts, where the next geometry begins) of well-known binary as QGIS writes it."""
    order = "<" if data[at] else ">"
    kind, count = struct.unpack_from(order + "II", data, at + 1)
    flat, extra = (kind & 0x0FFFFFFF) % 1000, (kind & 0x0FFFFFFF) // 1000
    size = 2 + (1, 1, 2)[extra - 1] if extra else 2 + bool(kind & 0x80000000)
    at += 9
    if flat == _LINE:
        return [[_array(data, at, count, size, order)]], at + count * size * 8
    found: list = []
    if flat == _POLYGON:
        for _ in range(count):
            (number,) = struct.unpack_from(order + "I", data, at)
            found.append(_array(data, at + 4, number, size, order))
            at += 4 + number * size * 8
        return [found], at
    for _ in range(count):
        more, at = _read(data, at)
        found += more
    return found, at


def _array(data: bytes, at: int, count: int, size: int, order: str) -> np.ndarray:
    return np.frombuffer(data, order + "f8", count * size, at).reshape(count, size)[:, :2]
