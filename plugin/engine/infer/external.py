"""Where an ONNX file keeps weights outside itself, found without the ``onnx`` package.

Only the fields on the way to ``TensorProto.external_data`` are walked; see onnx.proto.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from .. import wire
from ..errors import ConcordError

# message -> {field number: message inside}
_PATHS = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {13: "entry"},
}


def locations(path: str | Path) -> list:
    """The paths of external data as the file names them; [] also for a file that is no ONNX."""
    found: list = []
    if Path(path).stat().st_size == 0:
        return found
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        try:
            _walk(view, 0, len(view), "model", found)
        except wire.BROKEN:
            return []  # onnxruntime says what is wrong with it
    return found


def require_inside(path: str | Path) -> None:
    """Refuse a model whose weights lie outside of its own folder."""
    folder = Path(path).resolve().parent
    for place in locations(path):
        target = (folder / place).resolve()
        if Path(place).is_absolute() or folder not in target.parents:
            raise ConcordError(
                f"{path} keeps weights in {place}, outside of its folder; Concord does not read "
                "them, export the model into one file."
            )
        if not target.is_file():
            raise ConcordError(f"{path} needs the file {place} beside it; copy it there.")


def _walk(view, at: int, end: int, message: str, found: list) -> None:
    for field, start, stop in wire.spans(view, at, end):
        inside = _PATHS[message].get(field)
        if inside == "entry":
            pair = {n: view[a:b] for n, a, b in wire.spans(view, start, stop)}
            if pair.get(1) == b"location":
                found.append(pair.get(2, b"").decode("utf-8", "replace"))
        elif inside is not None:
            _walk(view, start, stop, inside, found)
