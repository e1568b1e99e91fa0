"""Work done elsewhere, cut to the tasks of a campaign: class rasters, polygons, COCO, CVAT.

In COCO and CVAT an image is one task: its file name ends in the task's number (`task-12.png`),
and coordinates are pixels of the task's chip from its upper left corner. Both may hold polygons
and masks as run lengths (`runs.py`); later shapes lie on top of earlier ones.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..labels import ClassRaster
from ..taxonomy import Taxonomy
from . import runs
from .values import key_of

_LARGEST = 500_000_000  # bytes of a COCO or CVAT file


def of_raster(path: str, windows: dict, grid: Grid, scheme: Taxonomy) -> dict:
    """{task: (mask, '')} of the tasks in which a class raster has a label.

    Args:
        windows: {task: Window} of the person's tasks.
    """
    found = {}
    with ClassRaster(path, grid) as raster:
        for task, window in windows.items():
            mask = raster.read(window)
            scheme.check(np.unique(mask), path)
            if ((mask > 0) & (mask < 255)).any():
                found[task] = (mask, "")
    return found


def of_shapes(shapes, windows: dict, grid: Grid) -> dict:
    """{task: (mask, GeoJSON text)} of (GeoJSON geometry in the grid's CRS, code) pairs."""
    found = {}
    shapes = list(shapes)
    for task, window in windows.items():
        part = grid.sub(window)
        inside = [(s, c) for s, c in shapes if _touches(s, part.bounds)]
        mask = rasters.burn(inside, part)
        if mask.any():
            found[task] = (mask, collection(inside))
    return found


def collection(shapes) -> str:
    """(geometry, code) pairs as the text that the store keeps."""
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": shape, "properties": {"class": int(code)}}
                for shape, code in shapes
            ],
        }
    )


def _points(coordinates):
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield coordinates
        return
    for part in coordinates:
        yield from _points(part)


def _touches(shape: dict, bounds) -> bool:
    points = list(_points(shape["coordinates"]))
    if not points:
        return False
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, bottom, right, top = bounds
    return min(xs) < right and max(xs) > left and min(ys) < top and max(ys) > bottom


def _class_of(name: str, number, scheme: Taxonomy, source: str) -> int:
    """A class by its name, else by its number."""
    for code, known in scheme.names.items():
        if key_of(known) == key_of(str(name)):
            return code
    if isinstance(number, int) and number in scheme.codes:
        return number
    raise ConcordError(
        f"{source} has the class '{name}', which the campaign does not have; rename it to one of "
        f"{', '.join(scheme.names.values())}."
    )


def _task_of(name: str, windows: dict) -> int | None:
    numbers = re.findall(r"\d+", Path(str(name)).stem)
    return int(numbers[-1]) if numbers and int(numbers[-1]) in windows else None


def _ring(flat) -> list:
    points = [[float(x), float(y)] for x, y in zip(flat[0::2], flat[1::2])]
    return [*points, points[0]]


def _painted(drawn: dict, windows: dict, grid: Grid) -> dict:
    """{task: (mask, map polygons)} of {task: [(rings in chip pixels or bool mask, code)]}."""
    found = {}
    for task, shapes in drawn.items():
        window: Window = windows[task]
        chip = Grid(grid.crs, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), window.width, window.height)
        part = grid.sub(window)
        mask = np.zeros((window.height, window.width), np.uint8)
        mapped: list = []
        for shape, code in shapes:
            if isinstance(shape, np.ndarray):
                inside = shape
                outlines = rasters.polygons(inside.astype(np.uint8), part, inside)
                mapped += [(outline, code) for outline, _ in outlines]
            else:
                ring = {"type": "Polygon", "coordinates": shape}
                inside = rasters.burn([(ring, 1)], chip) == 1
                mapped.append((_on_map(shape, part), code))
            mask[inside] = code
        if mask.any():
            found[task] = (mask, collection(mapped))
    return found


def _on_map(rings, part: Grid) -> dict:
    return {
        "type": "Polygon",
        "coordinates": [[list(part.xy(x, y)) for x, y in ring] for ring in rings],
    }


def _shape(window: Window) -> tuple:
    return window.height, window.width


def of_coco(path: str, windows: dict, grid: Grid, scheme: Taxonomy) -> dict:
    """{task: (mask, GeoJSON text)} of a COCO file: polygons, and run lengths of both forms."""
    _check_size(path)
    content = files.read_json(path)
    try:
        names = {c["id"]: c["name"] for c in content["categories"]}
        images = {i["id"]: _task_of(i["file_name"], windows) for i in content["images"]}
        drawn: dict = {}
        for item in content["annotations"]:
            task = images.get(item["image_id"])
            if task is None:
                continue
            code = _class_of(names[item["category_id"]], item["category_id"], scheme, path)
            given = item["segmentation"]
            if isinstance(given, dict):
                shapes = [runs.of_coco(given, _shape(windows[task]))]
            else:
                shapes = [[_ring(flat)] for flat in given if len(flat) >= 6]
            drawn.setdefault(task, []).extend((shape, code) for shape in shapes)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConcordError(
            f"{path} is no COCO file whose images are the campaign's chips ({error}); export it "
            "again, with polygons or run lengths in chip pixels."
        ) from error
    return _painted(drawn, windows, grid)


def of_cvat(path: str, windows: dict, grid: Grid, scheme: Taxonomy) -> dict:
    """{task: (mask, GeoJSON text)} of a CVAT for images 1.1 file: polygons, boxes, masks."""
    _check_size(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConcordError(f"{path} cannot be read; check that the file exists.") from error
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ConcordError(f"{path} declares entities, which CVAT does not write; export it again.")
    try:
        root = ElementTree.fromstring(text)
        drawn: dict = {}
        for image in root.iter("image"):
            task = _task_of(image.get("name", ""), windows)
            if task is None:
                continue
            for node in image:
                shape = _cvat_shape(node, _shape(windows[task]))
                if shape is not None:
                    code = _class_of(node.get("label", ""), None, scheme, path)
                    drawn.setdefault(task, []).append((shape, code))
    except (ElementTree.ParseError, ValueError, TypeError) as error:
        raise ConcordError(
            f"{path} is no CVAT for images file of the campaign's chips ({error}); export it again."
        ) from error
    return _painted(drawn, windows, grid)


def _cvat_shape(node, shape: tuple):
    """Rings or a bool mask of a node, None for what is no area."""
    if node.tag == "mask":
        box = tuple(int(float(node.get(k))) for k in ("left", "top", "width", "height"))
        return runs.of_cvat(node.get("rle", ""), box, shape)
    return _cvat_rings(node) or None


def _cvat_rings(node) -> list:
    if node.tag == "polygon":
        flat = [float(v) for pair in node.get("points", "").split(";") for v in pair.split(",")]
        return [_ring(flat)] if len(flat) >= 6 else []
    if node.tag == "box":
        left, top, right, bottom = (float(node.get(k)) for k in ("xtl", "ytl", "xbr", "ybr"))
        return [_ring([left, top, right, top, right, bottom, left, bottom])]
    return []


def _check_size(path: str) -> None:
    if Path(path).is_file() and Path(path).stat().st_size > _LARGEST:
        raise ConcordError(f"{path} is larger than 500 MB; export the campaign in parts.")
