"""A model's card read from the file alone, in milliseconds, for lists that offer models."""

from __future__ import annotations

import mmap
from pathlib import Path

from .. import wire
from ..errors import ConcordError
from . import card as cards
from . import item as items

_METADATA_PROPS = 14  # field number of ModelProto.metadata_props


def card_of(path: str | Path) -> cards.Card | None:
    """The card of an ONNX file, None for a file that is missing, damaged or has a broken card."""
    try:
        return items.read(str(path), metadata(path))
    except (OSError, ConcordError, *wire.BROKEN):
        return None


def metadata(path: str | Path) -> dict:
    """The file's metadata_props; the last entry of a key wins, as in onnxruntime."""
    found: dict = {}
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for number, start, end in wire.spans(view, 0, len(view)):
            if number == _METADATA_PROPS:
                pair = {n: view[a:b] for n, a, b in wire.spans(view, start, end)}
                key, value = (pair.get(n, b"").decode("utf-8", "replace") for n in (1, 2))
                found[key] = value
    return found
