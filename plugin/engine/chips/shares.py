"""Rasters of percentages that judge labels (posterior, agreement), told from class rasters.

A consensus raster has two bands, class and posterior. The posterior alone may be given, too; a
class raster in its place would be read as a posterior of a few percent, silently.
"""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..taxonomy import IGNORE, NO_DATA

_SIDE, _SQUARES = 128, 5  # pixels a side, squares an axis: what is looked at


def band(stack, path: str | None, grid: Grid, index: int = 1):
    """A reader of one band on ``grid`` by nearest pixel, 0 without data; None without a path."""
    if not path:
        return None
    rasters.require_crs(rasters.info(path))
    raster = rasters.Raster(path, grid, "nearest")
    stack.callback(raster.close)
    return lambda window: np.nan_to_num(raster.read(window, [index])[0])


def posterior(stack, path: str | None, labels):
    """A reader of the posterior 0-100 as uint8: the band of this name, else the second of two,
    else the only one.

    Args:
        labels: what the posterior belongs to, with ``grid`` and ``read``.

    Raises:
        ConcordError: no band can be the posterior, or the only one plainly holds something else.
    """
    if not path:
        return None
    names, said = rasters.info(path).names, "a consensus raster has the bands class and posterior"
    if "posterior" in names:
        return _percent(band(stack, path, labels.grid, names.index("posterior") + 1))
    if len(names) > 2 or "agreement" in names:
        told = ", ".join(name or f"band {i}" for i, name in enumerate(names, 1))
        raise ConcordError(
            f"{path} has no band named posterior (it has {told}); {said}, choose one."
        )
    read = band(stack, path, labels.grid, len(names))
    problem = "" if len(names) == 2 else _problem(rasters.info(path), read, labels)
    if problem:
        raise ConcordError(f"{path} {problem}; {said}, choose one or leave CONSENSUS out.")
    return _percent(read)


def agreement(stack, path: str | None, grid: Grid):
    """A reader of the agreement 0-100 as uint8: the band of this name, else the first.

    Raises:
        ConcordError: it is a consensus raster, whose first band holds classes.
    """
    if not path:
        return None
    names = rasters.info(path).names
    if "agreement" not in names and "posterior" in names:
        raise ConcordError(
            f"{path} is a consensus raster and holds no agreement; choose the raster AGREEMENT "
            "that concord:consensus writes beside it."
        )
    index = names.index("agreement") + 1 if "agreement" in names else 1
    return _percent(band(stack, path, grid, index))


def _percent(read):
    return lambda window: np.clip(read(window), 0, 100).astype(np.uint8)


def _problem(info, read, labels) -> str:
    """Why the only band of a raster is no posterior, '' when it may be one."""
    if info.categories or info.colours or info.names[0].lower() in ("class", "classes", "label"):
        return "is a class raster and holds no posterior"
    codes, shares = _seen(read, labels)
    if not len(shares):
        return ""
    if shares.max() <= 1:
        return "holds numbers up to 1, but a posterior is given in percent"
    # The most probable of k classes has at least 1/k; fewer than eight say too little of it.
    least = np.floor(100 / max(8, len(np.unique(codes))))
    if (shares < least).mean() > 0.5 or (shares == codes).mean() > 0.5:
        return f"holds {shares.min():g} to {shares.max():g}, class codes rather than a posterior"
    return ""


def _seen(read, labels) -> tuple:
    """(labels, values) of the labelled pixels with a value in squares spread over the grid."""
    codes, shares = [], []
    for window in _squares(labels.grid):
        label, value = labels.read(window), read(window)
        used = (label != NO_DATA) & (label != IGNORE) & (value > 0) & (value != IGNORE)
        codes.append(label[used])
        shares.append(value[used])
    return np.concatenate(codes), np.concatenate(shares).astype(np.float64)


def _squares(grid: Grid) -> list:
    def starts(length: int) -> list:
        last = max(0, length - _SIDE)
        return sorted({round(i * last / (_SQUARES - 1)) for i in range(_SQUARES)})

    width, height = min(_SIDE, grid.width), min(_SIDE, grid.height)
    return [Window(c, r, width, height) for r in starts(grid.height) for c in starts(grid.width)]
