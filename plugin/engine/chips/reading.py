"""Sets that open again: native and LandCoverNet as rasters, COCO (CVAT's too) as polygons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..progress import SILENT, Progress
from . import objects

_LARGEST = 400_000_000  # pixels of a mosaic


@dataclass(frozen=True)
class Found:
    """What was written: rasters and vectors by role, and how many chips or objects."""

    kind: str
    layers: dict
    count: int
    notes: tuple = ()


def open_set(source: str, output: str, progress: Progress = SILENT) -> Found:
    """Read a set and write what a map shows of it into a folder.

    Args:
        source: the folder of a native or LandCoverNet set, or a COCO file (or its folder).
        output: a new or empty folder.

    Raises:
        ConcordError: it is none of these, or its chips do not share one grid.
    """
    place = Path(source)
    if place.suffix.lower() == ".json" and place.is_file():
        return _coco([place], output, progress)
    items = sorted((place / "chips").glob("*/*.json"))
    if items:
        return _mosaic("native", items, "label.tif", ("class",), output, progress)
    items = sorted(place.rglob("*_labels/*/stac.json"))
    if items:
        return _mosaic("landcovernet", items, "labels.tif", ("class", "score"), output, progress)
    listed = sorted(place.rglob("instances_*.json"))
    if listed:
        return _coco(listed, output, progress)
    raise ConcordError(
        f"{source} is no set that can be opened; choose a native or LandCoverNet folder, or a "
        "COCO file."
    )


def _mosaic(kind, items: list, name: str, bands: tuple, output: str, progress) -> Found:
    """The masks of all chips on one grid, and their outlines."""
    masks = [path.parent / name for path in items]
    infos = [rasters.require_crs(rasters.info(path)) for path in masks]
    first = infos[0].grid
    for info in infos:
        if not rasters.same_crs(info.grid.crs, first.crs) or not np.allclose(
            info.grid.pixel_size, first.pixel_size
        ):
            raise ConcordError(f"{info.path} lies on another grid than the rest; open it alone.")
    grid, windows = _common([info.grid for info in infos])
    features = []
    with files.atomic_folder(output) as folder:
        target, colours = folder / f"{kind}_labels.tif", infos[0].colours
        with rasters.Writer(
            target, grid, len(bands), "uint8", names=list(bands), nodata=0, colours=colours,
            categories=infos[0].categories,
        ) as out:  # fmt: skip
            for done, (path, item, window) in enumerate(zip(masks, items, windows)):
                progress.report(done, len(masks), "Reading chips", "chips")
                array = rasters.read(path)
                out.write(array, window)  # where chips overlap they agree
                features.append(_outline(item))
        _write_features(folder / "chips.geojson", features)
    root = Path(output)
    layers = {"labels": str(root / f"{kind}_labels.tif"), "chips": str(root / "chips.geojson")}
    return Found(kind, layers, len(items))


def _common(grids: list) -> tuple:
    """The grid that holds all grids, and the window of each on it."""
    first = grids[0]
    spots = [first.colrow(g.transform[2], g.transform[5]) for g in grids]
    lefts, tops = ([round(s[i]) for s in spots] for i in (0, 1))
    if np.abs(np.array(spots) - np.stack([lefts, tops], 1)).max() > 0.01:
        raise ConcordError("The chips do not lie on one grid of pixels; open them one by one.")
    left, top = min(lefts), min(tops)
    width = max(c + g.width for c, g in zip(lefts, grids)) - left
    height = max(r + g.height for r, g in zip(tops, grids)) - top
    if width * height > _LARGEST:
        raise ConcordError("The chips lie too far apart for one raster; open parts of the set.")
    whole = first.sub(Window(left, top, width, height))
    windows = [Window(c - left, r - top, g.width, g.height)
               for c, r, g in zip(lefts, tops, grids)]  # fmt: skip
    return whole, windows


def _outline(path: Path) -> dict:
    item = files.read_json(path)
    try:
        properties = {"id": item["id"], "split": item["properties"].get("ml-aoi:split", "")}
        return {"type": "Feature", "geometry": item["geometry"], "properties": properties}
    except (KeyError, TypeError, AttributeError) as error:
        raise ConcordError(f"{path} is no STAC item; export the set again.") from error


def _write_features(path: Path, features: list, crs: str = "") -> None:
    content: dict = {"type": "FeatureCollection"}
    code = rasters.epsg(crs) if crs else None
    if crs and not code:  # GeoJSON can only name a CRS by its code
        for feature in features:
            feature["geometry"]["coordinates"] = [
                [[list(s) for s in rasters.transform_points(ring, crs, "EPSG:4326")]
                 for ring in part]
                for part in feature["geometry"]["coordinates"]
            ]  # fmt: skip
    if code:
        content["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
    files.write_json(path, {**content, "features": features})


def _coco(paths: list, output: str, progress: Progress) -> Found:
    """Annotations as polygons: in map units with a ``geo`` block, else in pixels of the image."""
    features, notes, codes = [], [], set()
    crs = ""
    for path in paths:
        content = files.read_json(path)
        try:
            images = {image["id"]: image for image in content["images"]}
            names = {c["id"]: c["name"] for c in content["categories"]}
            for done, annotation in enumerate(content["annotations"]):
                progress.report(done, len(content["annotations"]), "Reading objects", "objects")
                image = images[annotation["image_id"]]
                place = image.get("geo") or {"crs": "", "transform": [1, 0, 0, 0, -1, 0]}
                codes.add(place["crs"])
                crs = place["crs"]
                geometry = _geometry(annotation, image, place["transform"])
                properties = {
                    "class": names[annotation["category_id"]], "source": "coco",
                    "score": float(annotation.get("score", 1.0)), "image": image["file_name"],
                    "annotator": str(annotation.get("attributes", {}).get("annotator", "")),
                }  # fmt: skip
                features.append({"type": "Feature", "geometry": geometry, "properties": properties})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ConcordError(f"{path} is no COCO file ({error}); choose another.") from error
    if len(codes) > 1:
        raise ConcordError("The images lie in several CRSs; open one COCO file at a time.")
    if "" in codes:
        notes.append("The file has no map coordinates; the objects lie in pixels of their image.")
    with files.atomic_folder(output) as folder:
        _write_features(folder / "objects.geojson", features, crs)
    layers = {"objects": str(Path(output) / "objects.geojson")}
    return Found("coco", layers, len(features), tuple(notes))


def _geometry(annotation: dict, image: dict, transform) -> dict:
    shape = annotation["segmentation"]
    if isinstance(shape, dict):
        counts = shape["counts"]
        counts = objects.unpack(counts) if isinstance(counts, str) else counts
        mask = objects.mask_from_runs(counts, (image["height"], image["width"]))
        grid = Grid("", tuple(transform), image["width"], image["height"])
        found = [g["coordinates"] for g, _ in rasters.polygons(mask.astype(np.uint8), grid, mask)]
        return {"type": "MultiPolygon", "coordinates": found}
    a, b, c, d, e, f = transform
    polygons = []
    for flat in shape:
        spots = np.asarray(flat, float).reshape(-1, 2)
        x, y = a * spots[:, 0] + b * spots[:, 1] + c, d * spots[:, 0] + e * spots[:, 1] + f
        ring = np.stack([x, y], 1).tolist()
        polygons.append([[*ring, ring[0]]])
    return {"type": "MultiPolygon", "coordinates": polygons}
