"""YOLO text files: outlines, upright boxes or oriented boxes, in shares of the picture.

data.yaml names no path, because Ultralytics looks for a relative one from where it is started and
for a missing one beside the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .. import objects, split
from . import base


def _outline(thing, size) -> np.ndarray:
    return objects.one_ring(thing.rings) / size


def _upright(thing, size) -> np.ndarray:
    x, y, width, height = thing.box
    return np.array([(x + width / 2, y + height / 2), (width, height)]) / size


def _oriented(thing, size) -> np.ndarray:
    return objects.oriented_box(thing.rings[0]) / size


def _writer(shape):
    def chip(sample: base.Sample) -> tuple:
        rows, cols = sample.label.shape
        order = {code: i for i, code in enumerate(sample.setup.object_codes)}
        size = np.array([cols, rows], float)
        lines = []
        for thing in sample.things:
            values = np.clip(shape(thing, size), 0, 1).ravel()
            lines.append(" ".join([str(order[thing.code]), *(f"{v:.6f}" for v in values)]))
        text = "".join(line + "\n" for line in lines)
        folder = base.SPLIT_SHORT[sample.split]
        return {
            f"images/{folder}/{sample.id}.png": sample.picture_png,
            f"labels/{folder}/{sample.id}.txt": text.encode("ascii"),
        }, {"objects": len(lines)}

    return chip


def finish(entries, setup: base.Setup):
    """data.yaml with the splits and the class names."""
    names = [setup.scheme.name(code) for code in setup.object_codes]
    present = {entry.split for entry in entries()}
    lines = [f"# {setup.title}; licence {setup.wish.licence}; made with Concord"]
    for name in split.SPLITS:
        short = base.SPLIT_SHORT[name]
        if name in present:
            lines.append(f"{short}: images/{short}")
        elif name != "test":  # Ultralytics asks for both of the others
            other = base.SPLIT_SHORT[next(n for n in split.SPLITS if n in present)]
            lines.append(f"{short}: images/{other}  # no chip was dealt to {short}")
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    lines += ["names:", *(f'  {i}: "{name}"' for i, name in enumerate(quoted))]
    yield "data.yaml", "\n".join(lines) + "\n"


def _checker(kind: str, values: int | None):
    def check(folder: Path, codes: set):
        """Every picture has its text file, every line the right count of shares and a class."""
        text = folder / "data.yaml"
        if not text.is_file():
            yield "files", f"{kind}/data.yaml", "missing"
            return
        classes = len(re.findall(r"^  \d+: ", text.read_text(encoding="utf-8"), re.MULTILINE))
        for picture in sorted((folder / "images").rglob("*.png")):
            part = picture.relative_to(folder / "images").with_suffix(".txt")
            label = folder / "labels" / part
            name = f"{kind}/labels/{part.as_posix()}"
            if not label.is_file():
                yield "files", name, "missing"
                continue
            for number, line in enumerate(label.read_text(encoding="ascii").splitlines(), 1):
                problem = _line_problem(line, classes, values)
                if problem:
                    yield "format", name, f"line {number} {problem}"

    return check


def _line_problem(line: str, classes: int, values: int | None) -> str:
    try:
        code, *shares = line.split()
        numbers = [float(share) for share in shares]
        known = 0 <= int(code) < classes
    except ValueError:
        return "is not made of numbers"
    if not known:
        return f"has the class {code}, data.yaml knows {classes}"
    if values is not None and len(numbers) != values:
        return f"has {len(numbers)} numbers instead of {values}"
    if values is None and (len(numbers) < 6 or len(numbers) % 2):
        return "has an outline of less than three corners"
    if any(not 0 <= number <= 1 for number in numbers):
        return "has a share outside 0 to 1"
    return ""


FORMATS = tuple(
    base.Format(name, title, _writer(shape), finish, _checker(name, values))
    for name, title, shape, values in (
        ("yolo", "YOLO, outlines", _outline, None),
        ("yolo-box", "YOLO, boxes", _upright, 4),
        ("yolo-obb", "YOLO, oriented boxes", _oriented, 8),
    )
)
