"""PNG pictures and palette masks, written without GDAL so that no side file appears."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(pixels: np.ndarray, palette: dict | None = None) -> bytes:
    """PNG bytes of uint8 pixels: (rows, cols, 3) for RGB, (rows, cols) for grey or a palette.

    Args:
        palette: {value: (r, g, b)}; given, the values are kept and coloured by it.
    """
    rows, cols = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else (3 if palette is not None else 0)
    lines = np.zeros((rows, 1 + pixels[0].size), np.uint8)  # filter 0 before every row
    lines[:, 1:] = pixels.reshape(rows, -1)
    parts = [b"\x89PNG\r\n\x1a\n"]
    parts.append(_chunk(b"IHDR", struct.pack(">IIBBBBB", cols, rows, 8, kind, 0, 0, 0)))
    if kind == 3:
        table = np.zeros((256, 3), np.uint8)
        for value, rgb in palette.items():
            table[value] = rgb[:3]
        parts.append(_chunk(b"PLTE", table.tobytes()))
    parts.append(_chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)
