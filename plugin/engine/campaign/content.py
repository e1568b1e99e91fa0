"""What an annotator hands in, as bytes: a class mask of the task's window, and its polygons."""

from __future__ import annotations

import hashlib
import struct
import zlib

import numpy as np

from ..errors import ConcordError

_HEAD = struct.Struct("<4sHH")
_MAGIC = b"CCM1"


def pack(mask: np.ndarray) -> bytes:
    """A uint8 mask (rows, cols) as bytes; the same mask gives the same bytes."""
    rows, cols = mask.shape
    body = zlib.compress(np.ascontiguousarray(mask, np.uint8).tobytes(), 6)
    return _HEAD.pack(_MAGIC, rows, cols) + body


def unpack(data) -> np.ndarray:
    """The mask (rows, cols) uint8 of ``pack``.

    Raises:
        ConcordError: the bytes are damaged.
    """
    data = bytes(data)
    try:
        magic, rows, cols = _HEAD.unpack_from(data)
        limit = zlib.decompressobj()
        body = limit.decompress(data[_HEAD.size :], rows * cols + 1)
    except (struct.error, zlib.error) as error:
        raise ConcordError("A stored annotation is damaged; restore the store.") from error
    if magic != _MAGIC or len(body) != rows * cols:
        raise ConcordError("A stored annotation is damaged; restore the store.")
    return np.frombuffer(body, np.uint8).reshape(rows, cols)


def digest(data: bytes, shapes: str = "") -> str:
    """What makes two hand-ins the same: SHA-256 of mask and polygons."""
    return hashlib.sha256(data + b"\0" + (shapes or "").encode()).hexdigest()


def wkb_box(bounds) -> bytes:
    """A rectangle (left, bottom, right, top) as WKB polygon, little endian."""
    left, bottom, right, top = bounds
    ring = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    head = struct.pack("<BIII", 1, 3, 1, len(ring))
    return head + b"".join(struct.pack("<dd", x, y) for x, y in ring)


def geopackage_box(bounds, srs: int) -> bytes:
    """The same as GeoPackage geometry with its envelope."""
    left, bottom, right, top = bounds
    return (
        b"GP\0\x03"
        + struct.pack("<i", srs)
        + struct.pack("<dddd", left, right, bottom, top)
        + wkb_box(bounds)
    )
