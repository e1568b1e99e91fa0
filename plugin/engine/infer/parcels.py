"""Polygons out of a class map: areas of one class, or parcels from interior and boundary.

A card says ``parcels``: {"interior": code, "boundary": code}, as in Fields of The World; each
connected interior is a parcel and grows into the boundary around it (watershed, Beucher 1979).

A network strews specks of a few pixels, also over images much finer than it was made for. What is
smaller than 3 by 3 of the coarsest pixels that the card names is none of its things: an interior
with a boundary around it is no smaller. ``least_m2`` beside the codes says another size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import packages, rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress
from . import values

_LEAST_SIDE = 3  # pixels


@dataclass(frozen=True)
class Parcels:
    """Codes in the class map; ``background`` is the one class beside the parcel's, if it is one."""

    interior: int
    boundary: int
    background: int | None


def of_card(card) -> Parcels | None:
    """What a map of this model shows, None where it shows no parcels."""
    if card.kind != "classes" or not card.hyper.get("parcels"):
        return None
    classes, shift = values.classes_of(card)
    return _known(card.hyper["parcels"], shift, [c.code for c in classes])


def of_report(report: dict) -> Parcels | None:
    """The same, from the report of a run."""
    codes = [entry["code"] for entry in report.get("classes", []) if "share" in entry]
    wanted = report.get("parcels")
    return _known(wanted, report["code_shift"], codes) if wanted and codes else None


def _known(wanted, shift: int, codes: list) -> Parcels | None:
    try:
        interior, boundary = _codes(wanted, shift)
    except ConcordError:  # said when polygons are asked for
        return None
    if not {interior, boundary} <= set(codes):
        return None
    others = [code for code in codes if code not in (interior, boundary)]
    return Parcels(interior, boundary, others[0] if len(others) == 1 else None)


def told(card, grid) -> dict | None:
    """What the report says of parcels: the card's codes, and the least size in square metres."""
    wanted = card.hyper.get("parcels")
    if not isinstance(wanted, dict):
        return wanted
    side = max([rasters.metres_per_pixel(grid), *card.pixel_size_range])
    return {"least_m2": round((_LEAST_SIDE * side) ** 2, 3), **wanted}


def shares(report: dict) -> list:
    """The report's classes with interior and boundary of one thing as the one class they are."""
    known = of_report(report)
    found = report.get("classes", [])
    if known is None:
        return found
    edge = next(entry for entry in found if entry["code"] == known.boundary)
    return [
        {**entry, **{key: entry[key] + edge[key] for key in ("pixels", "share")}}
        if entry["code"] == known.interior
        else entry
        for entry in found
        if entry is not edge
    ]


def of_map(path: str, report: dict, progress: Progress = SILENT):
    """Yield (GeoJSON polygon, {class, class_name, score}) of the first band of a class map.

    Args:
        report: that of the run, with classes, code_shift and what its card says of parcels; for
            parcels it gets ``polygons``: how many there are, and how many specks were left out.
    """
    names = {c["code"]: c["name"] for c in report["classes"]}
    grid = rasters.info(path).grid
    codes = rasters.read(path, indexes=[1])[0]
    wanted = report.get("parcels")
    progress.check()
    if not wanted:
        for shape, code in rasters.polygons(codes, grid, codes > 0):
            yield shape, _said(int(code), names)
        return
    absent = packages.missing("skimage", "scipy")
    if absent:
        raise ConcordError(packages.sentence(absent))
    interior, boundary = _codes(wanted, report["code_shift"])
    marked = grown(codes, interior, boundary)
    found = int(marked.max(initial=0))
    left_out = _without_specks(marked, _least(wanted, grid))
    report["polygons"] = {"drawn": found - left_out, "left_out": left_out}
    for shape, _ in rasters.polygons(marked, grid, marked > 0):
        yield shape, _said(interior, names)


def _codes(wanted, shift: int) -> tuple:
    try:
        return int(wanted["interior"]) + shift, int(wanted["boundary"]) + shift
    except (KeyError, TypeError, ValueError) as error:
        raise ConcordError(
            f"The card's parcels are {wanted}; give the codes of interior and boundary."
        ) from error


def _least(wanted: dict, grid) -> float:
    """Pixels of the smallest parcel."""
    try:
        least = float(wanted.get("least_m2", 0))
    except (TypeError, ValueError) as error:
        raise ConcordError(
            f"The least size of the card's parcels is {wanted['least_m2']}; give square metres."
        ) from error
    square = rasters.square_metres_per_pixel(grid) or rasters.metres_per_pixel(grid) ** 2
    return least / square


def grown(codes: np.ndarray, interior: int, boundary: int) -> np.ndarray:
    """Int32 parcel numbers (rows, cols), 0 outside; the boundary falls to the nearest parcel."""
    from scipy import ndimage
    from skimage.segmentation import watershed

    marks, _ = ndimage.label(codes == interior)
    inside = (codes == interior) | (codes == boundary)
    height = ndimage.distance_transform_edt(marks == 0).astype(np.float32)
    return watershed(height, marks.astype(np.int32), mask=inside).astype(np.int32)


def _without_specks(marked: np.ndarray, least: float) -> int:
    """Take parcels of fewer pixels out of the numbered map; returns how many they were."""
    small = np.bincount(marked.ravel()) < least
    small[0] = False
    marked[small[marked]] = 0
    return int(small.sum())


def _said(code: int, names: dict) -> dict:
    return {"class": code, "class_name": names.get(code, ""), "score": None}
