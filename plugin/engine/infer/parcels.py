"""Polygons out of a class map: areas of one class, or parcels from interior and boundary.

A card says ``parcels``: {"interior": code, "boundary": code}, as in Fields of The World; each
connected interior is a parcel and grows into the boundary around it (watershed, Beucher 1979).
"""

from __future__ import annotations

import numpy as np

from .. import packages, rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress


def of_map(path: str, report: dict, progress: Progress = SILENT):
    """Yield (GeoJSON polygon, {class, class_name, score}) of the first band of a class map.

    Args:
        report: that of the run, with classes, code_shift and what its card says of parcels.
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
    for shape, _ in rasters.polygons(marked, grid, marked > 0):
        yield shape, _said(interior, names)


def _codes(wanted, shift: int) -> tuple:
    try:
        return int(wanted["interior"]) + shift, int(wanted["boundary"]) + shift
    except (KeyError, TypeError, ValueError) as error:
        raise ConcordError(
            f"The card's parcels are {wanted}; give the codes of interior and boundary."
        ) from error


def grown(codes: np.ndarray, interior: int, boundary: int) -> np.ndarray:
    """Int32 parcel numbers (rows, cols), 0 outside; the boundary falls to the nearest parcel."""
    from scipy import ndimage
    from skimage.segmentation import watershed

    marks, _ = ndimage.label(codes == interior)
    inside = (codes == interior) | (codes == boundary)
    height = ndimage.distance_transform_edt(marks == 0).astype(np.float32)
    return watershed(height, marks.astype(np.int32), mask=inside).astype(np.int32)


def _said(code: int, names: dict) -> dict:
    return {"class": code, "class_name": names.get(code, ""), "score": None}
