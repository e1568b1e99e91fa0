"""Pascal VOC: PNG pictures, palette masks of classes and objects, XML boxes counted from 1."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from ...taxonomy import IGNORE, NO_DATA
from .. import png, split
from . import base


def chip(sample: base.Sample) -> tuple:
    """Picture, class mask, object mask and annotation of a chip."""
    scheme = sample.setup.scheme
    palette = {**scheme.colours, IGNORE: (224, 224, 192)}
    numbers = {i: _colour(i) for i in range(1, 255)}
    files = {
        f"JPEGImages/{sample.id}.png": sample.picture_png,
        f"SegmentationClass/{sample.id}.png": png.encode(sample.label, palette),
        # Eight bits hold 254 objects; VOC itself has no more room.
        f"SegmentationObject/{sample.id}.png": png.encode(
            sample.numbers.clip(0, 254).astype("uint8"), numbers
        ),
        f"Annotations/{sample.id}.xml": _annotation(sample),
    }
    return files, {}


def _colour(number: int) -> tuple:
    """VOC's colour map: the bits of the number spread over the three channels."""
    red = green = blue = 0
    for shift in range(7, -1, -1):
        red |= (number & 1) << shift
        green |= (number >> 1 & 1) << shift
        blue |= (number >> 2 & 1) << shift
        number >>= 3
    return red, green, blue


def _annotation(sample: base.Sample) -> bytes:
    rows, cols = sample.label.shape
    root = ElementTree.Element("annotation")
    for tag, text in (("folder", "JPEGImages"), ("filename", f"{sample.id}.png")):
        ElementTree.SubElement(root, tag).text = text
    source = ElementTree.SubElement(root, "source")
    ElementTree.SubElement(source, "database").text = sample.setup.title
    size = ElementTree.SubElement(root, "size")
    for tag, value in (("width", cols), ("height", rows), ("depth", 3)):
        ElementTree.SubElement(size, tag).text = str(value)
    ElementTree.SubElement(root, "segmented").text = "1"
    for thing in sample.things:
        x, y, width, height = (round(v) for v in thing.box)
        node = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(node, "name").text = sample.setup.scheme.name(thing.code)
        ElementTree.SubElement(node, "pose").text = "Unspecified"
        cut = x == 0 or y == 0 or x + width == cols or y + height == rows
        ElementTree.SubElement(node, "truncated").text = str(int(cut))
        ElementTree.SubElement(node, "difficult").text = "0"
        box = ElementTree.SubElement(node, "bndbox")
        spots = (("xmin", x + 1), ("ymin", y + 1), ("xmax", x + width), ("ymax", y + height))
        for tag, value in spots:
            ElementTree.SubElement(box, tag).text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def finish(entries, setup: base.Setup):
    """The lists of every split, and the class names in the order of their codes."""
    for name in split.SPLITS:
        ids = [entry.id + "\n" for entry in entries() if entry.split == name]
        for kind in ("Main", "Segmentation"):
            yield f"ImageSets/{kind}/{base.SPLIT_SHORT[name]}.txt", "".join(ids)
    lines = [f"{c.code} {c.name}\n" for c in setup.scheme.classes]
    yield "classes.txt", "".join(lines)


def check(folder: Path, codes: set):
    """Every listed chip has its four files; boxes lie inside; mask codes are known."""
    listed = sorted(
        {line for path in (folder / "ImageSets" / "Main").glob("*.txt")
         for line in path.read_text(encoding="utf-8").split()}
    )  # fmt: skip
    if not listed:
        yield "files", "voc/ImageSets/Main", "lists no chip"
    for name in listed:
        for part in ("JPEGImages", "SegmentationObject"):
            if not (folder / part / f"{name}.png").is_file():
                yield "files", f"voc/{part}/{name}.png", "missing"
        mask = folder / "SegmentationClass" / f"{name}.png"
        yield from base.raster_problems(
            mask, codes | {NO_DATA, IGNORE}, f"voc/SegmentationClass/{name}.png"
        )
        yield from _box_problems(folder / "Annotations" / f"{name}.xml", f"voc/{name}.xml")


def _box_problems(path: Path, name: str):
    try:
        root = ElementTree.parse(path).getroot()
        cols, rows = int(root.findtext("size/width")), int(root.findtext("size/height"))
        for box in root.iter("bndbox"):
            left, top, right, low = (
                int(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax")
            )
            if not (1 <= left <= right <= cols and 1 <= top <= low <= rows):
                yield "format", name, "has a box outside its picture"
    except (OSError, ElementTree.ParseError, TypeError, ValueError) as error:
        yield "format", name, f"is no VOC annotation ({error})"


FORMATS = (base.Format("voc", "Pascal VOC", chip, finish, check),)
