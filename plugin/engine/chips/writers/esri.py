"""Esri's "Export training data" folders: Classified Tiles and RCNN Masks.

Layout after the ArcGIS Pro help page "Deep learning training data contents"; arcgis.learn finds the
masks of RCNN Masks in folders named like the classes, and splits map.txt at any space.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ... import files
from ...errors import ConcordError
from ...taxonomy import IGNORE, NO_DATA
from .. import objects
from . import base

_VERSION = 2


def _statistics(sample: base.Sample) -> list:
    """[count, mean, sum of squares about it, least, most] of every band of the first image."""
    cut = sample.first
    rows = []
    for band in cut.array:
        values = band[cut.valid].astype(float)
        mean = float(values.mean())
        spread = float(((values - mean) ** 2).sum())
        rows.append([values.size, mean, spread, float(values.min()), float(values.max())])
    return rows


def _record(sample: base.Sample, maps: list) -> dict:
    rows, cols = sample.first.array.shape[1:]
    return {
        "maps": maps,
        "statistics": _statistics(sample),
        "size": [cols, rows],
        "objects": [[t.code, t.area] for t in sample.things],
        "pixels": [int(sample.planned.content.counts[c]) for c in sample.setup.scheme.codes],
    }


def _tiles(sample: base.Sample) -> tuple:
    image, label = f"images/{sample.id}.tif", f"labels/{sample.id}.tif"
    files_ = {image: sample.tiff(sample.first), label: sample.label_tiff}
    return files_, _record(sample, [[image, label]])


def _masks(sample: base.Sample) -> tuple:
    """A mask of object numbers a class, in a folder named like the class."""
    image = f"images/{sample.id}.tif"
    names = _folders(sample.setup.scheme)
    files_, maps = {image: sample.tiff(sample.first)}, []
    for code in sorted({thing.code for thing in sample.things}):
        label = f"labels/{names[code]}/{sample.id}.tif"
        own = [thing for thing in sample.things if thing.code == code]
        numbers = objects.numbered(own, sample.label.shape)
        files_[label] = sample.layer(numbers, "objects")
        maps.append([image, label])
    return files_, _record(sample, maps)


def _folders(scheme) -> dict:
    """{code: class name as a folder}, no two alike."""
    names, taken = {}, set()
    for found in scheme.classes:
        plain = base.plain(found.name)
        names[found.code] = f"{plain}_{found.code}" if plain in taken else plain
        taken.add(names[found.code])
    return names


def _finisher(name: str, mode: str, kind: str):
    def finish(entries, setup: base.Setup):
        yield "map.txt", (
            f"{image}\t{label}\n"
            for _, record in base.own(entries, name) for image, label in record["maps"]
        )  # fmt: skip
        total = _total(entries, name, setup)
        scheme, codes = setup.scheme, setup.scheme.codes
        stats = {
            "Version": _VERSION,
            "NumBands": len(total["bands"]),
            "TileSizeX": total["size"][0],
            "TileSizeY": total["size"][1],
            "NumClasses": len(codes),
            "NumTiles": total["tiles"],
            "MetaDataMode": mode,
            "OutputFeatures": True,
            "ClassPixelStats": {"NumPixelsPerClass": total["pixels"]},
            "AllTilesStats": total["bands"],
            "FeatureStats": {
                "NumFeaturesTotal": total["objects"],
                "NumImagesTotal": total["tiles"],
                "NumFeaturesPerClass": [total["per_class"].get(c, 0) for c in codes],
            },
        }
        yield "esri_accumulated_stats.json", base.dumps(stats)
        model = {
            "Framework": "", "ModelConfiguration": "", "ModelFile": "", "ModelType": kind,
            "ImageWidth": total["size"][0], "ImageHeight": total["size"][1],
            "ExtractBands": list(range(len(total["bands"]))),
            "MetaDataMode": mode, "ImageSpaceUsed": "MAP_SPACE",
            "Classes": [
                {"Value": c.code, "Name": c.name, "Color": list(c.rgb)} for c in scheme.classes
            ],
            "NormalizationStats": total["bands"],
        }  # fmt: skip
        if mode == "RCNN_Masks":
            folders = _folders(scheme)
            for entry in model["Classes"]:
                entry["Name"] = folders[entry["Value"]]
        yield "esri_model_definition.emd", base.dumps(model)
        lines = [f"images = {total['tiles']}  features = {total['objects']}"]
        lines += [
            f"class {c.code} {c.name}: features = {total['per_class'].get(c.code, 0)}"
            for c in scheme.classes
        ]
        yield "stats.txt", "\n".join(lines) + "\n"

    return finish


def _total(entries, name: str, setup: base.Setup) -> dict:
    total = {"tiles": 0, "objects": 0, "per_class": {}, "size": [0, 0], "bands": []}
    pixels = np.zeros(len(setup.scheme.codes), int)
    merged: list = []
    for _, record in base.own(entries, name):
        total["tiles"] += 1
        total["size"] = record["size"]
        pixels += np.array(record["pixels"], int)
        for code, _ in record["objects"]:
            total["objects"] += 1
            total["per_class"][code] = total["per_class"].get(code, 0) + 1
        if len(merged) != len(record["statistics"]):
            merged = record["statistics"]
        else:
            merged = [_merge(a, b) for a, b in zip(merged, record["statistics"])]
    total["pixels"] = pixels.tolist()
    total["bands"] = [
        {"Min": low, "Max": high, "Mean": mean, "StdDev": (spread / max(count, 1)) ** 0.5}
        for count, mean, spread, low, high in merged
    ]
    return total


def _merge(a: list, b: list) -> list:
    """Two sets of (count, mean, squares) as one (Chan et al. 1983)."""
    count, step = a[0] + b[0], b[1] - a[1]
    mean = a[1] + step * b[0] / count
    squares = a[2] + b[2] + step * step * a[0] * b[0] / count
    return [count, mean, squares, min(a[3], b[3]), max(a[4], b[4])]


def _checker(name: str, mode: str):
    def check(folder: Path, codes: set):
        """The four describing files, the mode, and every pair of map.txt."""
        for part in ("esri_model_definition.emd", "stats.txt"):
            if not (folder / part).is_file():
                yield "files", f"{name}/{part}", "missing"
        try:
            stats = files.read_json(folder / "esri_accumulated_stats.json")
            if stats["MetaDataMode"] != mode:
                yield "format", f"{name}/esri_accumulated_stats.json", f"is not {mode}"
        except (ConcordError, KeyError, TypeError):
            yield "format", f"{name}/esri_accumulated_stats.json", "missing or damaged"
        if not (folder / "map.txt").is_file():
            yield "files", f"{name}/map.txt", "missing"
            return
        allowed = codes | {NO_DATA, IGNORE} if mode == "Classified_Tiles" else None
        for line in (folder / "map.txt").read_text(encoding="utf-8").splitlines():
            image, _, label = line.partition("\t")
            if not (folder / image).is_file():
                yield "files", f"{name}/{image}", "missing"
            yield from base.raster_problems(folder / label, allowed, f"{name}/{label}")

    return check


FORMATS = (
    base.Format(
        "esri", "Esri, Classified Tiles", _tiles,
        _finisher("esri", "Classified_Tiles", "ImageClassification"),
        _checker("esri", "Classified_Tiles"),
    ),
    base.Format(
        "esri-rcnn", "Esri, RCNN Masks", _masks,
        _finisher("esri-rcnn", "RCNN_Masks", "ObjectDetection"),
        _checker("esri-rcnn", "RCNN_Masks"),
    ),
)  # fmt: skip
