"""Masks as run lengths: COCO's two forms and CVAT's.

COCO (cocodataset/cocoapi, its format description): runs go down the columns and begin with a run
of background; compressed, each run is written in groups of five bits as printable letters, and
from the fourth run on as the difference to the run two before. CVAT ("CVAT for images 1.1"): runs
go along the rows of a box, beginning with background.
"""

from __future__ import annotations

import numpy as np

_FIRST = 48  # the letter that stands for 0
_MORE, _SIGN, _BITS = 0x20, 0x10, 5


def of_text(text: str) -> list:
    """The run lengths of COCO's compressed form. Raises ValueError for what is none."""
    runs: list = []
    value = shift = 0
    for letter in text:
        group = ord(letter) - _FIRST
        if not 0 <= group < 64 or shift > 60:
            raise ValueError("no compressed run lengths")
        value |= (group & 0x1F) << shift
        shift += _BITS
        if group & _MORE:
            continue
        if group & _SIGN:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths that end too early")
    return runs


def spread(runs, size: int) -> np.ndarray:
    """Run lengths as ``size`` bools, background first.

    Raises:
        ValueError: negative runs, or runs that do not fill the size.
    """
    lengths = np.asarray(runs, np.int64)
    if (lengths < 0).any() or int(lengths.sum()) != size:
        raise ValueError("run lengths that do not fill their image")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def of_coco(segmentation: dict, shape: tuple) -> np.ndarray:
    """(rows, cols) bool of a COCO segmentation with ``size`` [rows, cols] and ``counts``.

    Raises:
        ValueError: its size is not ``shape``, or its runs do not fill it.
    """
    rows, cols = (int(n) for n in segmentation["size"])
    if (rows, cols) != tuple(shape):
        raise ValueError("a mask of another size")
    counts = segmentation["counts"]
    runs = of_text(counts) if isinstance(counts, str) else counts
    return spread(runs, rows * cols).reshape(cols, rows).T


def of_cvat(text: str, box: tuple, shape: tuple) -> np.ndarray:
    """(rows, cols) bool of CVAT's ``rle`` in ``box`` (left, top, width, height) of an image.

    Raises:
        ValueError: a box outside the image, or runs that do not fill the box.
    """
    left, top, width, height = box
    rows, cols = shape
    if min(left, top) < 0 or min(width, height) < 1 or left + width > cols or top + height > rows:
        raise ValueError("a mask outside its image")
    mask = np.zeros(shape, bool)
    runs = [int(part) for part in text.split(",")]
    mask[top : top + height, left : left + width] = spread(runs, width * height).reshape(
        height, width
    )
    return mask
