"""COCO instances: polygons, and run lengths where a region has holes.

Pictures are 8-bit PNG; each image entry has a ``geo`` block with CRS and transform, which COCO
itself does not know, so that annotations find back to the map.
"""

from __future__ import annotations

from pathlib import Path

from ... import files
from ...errors import ConcordError
from .. import objects, split
from . import base


def chip(sample: base.Sample) -> tuple:
    """The picture, and the annotations without ids."""
    rows, cols = sample.label.shape
    name = f"{sample.split}/{sample.id}.png"
    annotations = []
    for thing in sample.things:
        if len(thing.rings) == 1:
            segmentation = [thing.rings[0][:-1].ravel().tolist()]
        else:
            counts = objects.pack(objects.run_lengths(objects.mask_of(thing, (rows, cols))))
            segmentation = {"size": [rows, cols], "counts": counts}
        annotations.append(
            {"category_id": thing.code, "area": thing.area, "bbox": list(thing.box),
             "iscrowd": 0, "segmentation": segmentation}
        )  # fmt: skip
    geo = {"crs": sample.grid.crs, "transform": list(sample.grid.transform)}
    image = {"file_name": name, "width": cols, "height": rows, "geo": geo}
    return {name: sample.picture_png}, {"image": image, "annotations": annotations}


def finish(entries, setup: base.Setup):
    """One annotation file a split."""
    for name in split.SPLITS:
        yield f"annotations/instances_{name}.json", _pieces(entries, setup, name)


def _pieces(entries, setup: base.Setup, name: str):
    info = {"description": setup.title, "licence": setup.wish.licence, "made_with": "Concord"}
    licences = [{"id": 1, "name": setup.wish.licence, "url": ""}]
    categories = [
        {"id": c.code, "name": c.name, "supercategory": "", "color": list(c.rgb)}
        for c in setup.scheme.classes if c.code in setup.object_codes
    ]  # fmt: skip
    yield f'{{"info": {base.dumps(info).strip()},\n"licenses": {base.dumps(licences).strip()},\n'
    yield f'"categories": {base.dumps(categories).strip()},\n"images": '
    yield from base.json_list(
        {"id": number, "license": 1, **record["image"]}
        for number, (_, record) in enumerate(base.own(entries, "coco", name), 1)
    )
    yield ',\n"annotations": '
    yield from base.json_list(_numbered(entries, name))
    yield "}\n"


def _numbered(entries, name: str):
    count = 0
    for image, (_, record) in enumerate(base.own(entries, "coco", name), 1):
        for annotation in record["annotations"]:
            count += 1
            yield {"id": count, "image_id": image, **annotation}


def check(folder: Path, codes: set):
    """Ids, references, boxes inside their image, segmentations that can be drawn, pictures."""
    for path in sorted((folder / "annotations").glob("*.json")) or [folder / "annotations"]:
        name = f"coco/annotations/{path.name}"
        try:
            content = files.read_json(path)
            images = {image["id"]: image for image in content["images"]}
            categories = {c["id"] for c in content["categories"]}
            annotations = content["annotations"]
            ids = [a["id"] for a in annotations]
        except (ConcordError, KeyError, TypeError) as error:
            yield "format", name, f"is no COCO file ({error})"
            continue
        if len(set(ids)) != len(ids) or len(images) != len(content["images"]):
            yield "format", name, "has an id twice"
        for image in images.values():
            if not (folder / image["file_name"]).is_file():
                yield "files", f"coco/{image['file_name']}", "missing"
        if categories - codes:
            yield "codes", name, f"category {min(categories - codes)} is not in the taxonomy"
        for annotation in annotations:
            problem = _problem(annotation, images, categories)
            if problem:
                yield "format", name, f"annotation {annotation['id']} {problem}"


def _problem(annotation: dict, images: dict, categories: set) -> str:
    image = images.get(annotation.get("image_id"))
    if image is None or annotation.get("category_id") not in categories:
        return "points to an image or category that is not there"
    x, y, width, height = annotation["bbox"]
    if x < 0 or y < 0 or x + width > image["width"] or y + height > image["height"]:
        return "has a box outside its image"
    shape = annotation["segmentation"]
    if isinstance(shape, dict):
        try:
            counts = shape["counts"]
            counts = objects.unpack(counts) if isinstance(counts, str) else counts
            objects.mask_from_runs(counts, (image["height"], image["width"]))
        except (ValueError, KeyError, IndexError):
            return "has run lengths that do not fill its image"
    elif not shape or any(len(ring) < 6 or len(ring) % 2 for ring in shape):
        return "has a polygon of less than three corners"
    return ""


FORMATS = (base.Format("coco", "COCO, polygons and run lengths", chip, finish, check),)
