"""The wire format of protocol buffers: just enough to look into ONNX files and to add to them.

Source of the format: protobuf.dev, "Encoding". ONNX files may be hostile: everything that does
not fit raises, nothing is read beyond the end.
"""

from __future__ import annotations

BROKEN = (ValueError, IndexError, TypeError)  # what damaged bytes raise


def varint(data, at: int) -> tuple:
    """(number, place behind it)."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def fields(data, at: int, end: int):
    """(field number, value) of a message; a value with a length is its (start, end)."""
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("no field has the number 0")
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = (at, at + size), at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = (at, at + size), at + size
        else:
            raise ValueError("an unknown kind of field")
        if at > end:
            raise ValueError("a field runs over the end")
        yield number, value


def spans(data, at: int, end: int):
    """(field number, start, end) of the fields that have a length."""
    for number, value in fields(data, at, end):
        if isinstance(value, tuple):
            yield (number, *value)


def field(number: int, content: bytes) -> bytes:
    """A field with a length, encoded."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
