"""Raster Vision: GeoTIFFs with a dataset configuration; classes are numbered from 0.

Class 0 is the null class and stands for no data and ignore alike. The type hints are those of
Raster Vision's own registry, so that DatasetConfig.from_file takes dataset.json as it is; its
paths count from the folder that it lies in, where Raster Vision is to be started.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ... import files, rasters
from ...errors import ConcordError
from .. import split
from . import base

_SCENES = {"train": "train_scenes", "validate": "validation_scenes", "test": "test_scenes"}


def chip(sample: base.Sample) -> tuple:
    """The first image and the label with consecutive class numbers."""
    scheme = sample.setup.scheme
    numbers = np.zeros(256, np.uint8)
    numbers[scheme.codes] = np.arange(1, len(scheme.codes) + 1)
    colours = {i: c.rgb for i, c in enumerate(scheme.classes, 1)}
    label = rasters.encode(numbers[sample.label], sample.grid, names=["class"], colours=colours)
    place = f"{sample.id}.tif"
    return {f"images/{place}": sample.tiff(sample.first), f"labels/{place}": label}, {}


def finish(entries, setup: base.Setup):
    """class_config.json and dataset.json with the scenes of every split."""
    scheme = setup.scheme
    classes = {
        "type_hint": "class_config",
        "names": ["null", *(c.name for c in scheme.classes)],
        "colors": ["black", *(c.colour for c in scheme.classes)],
        "null_class": "null",
    }
    yield "class_config.json", base.dumps(classes)
    yield "dataset.json", _dataset(entries, classes)


def _dataset(entries, classes: dict):
    yield f'{{"type_hint": "dataset",\n"class_config": {base.dumps(classes).strip()}'
    for name in split.SPLITS:
        yield f',\n"{_SCENES[name]}": '
        yield from base.json_list(
            _scene(entry.id) for entry, _ in base.own(entries, "rastervision", name)
        )
    yield "}\n"


def _scene(name: str) -> dict:
    return {
        "type_hint": "scene",
        "id": name,
        "raster_source": {"type_hint": "rasterio_source", "uris": [f"images/{name}.tif"]},
        "label_source": {
            "type_hint": "semantic_segmentation_label_source",
            "raster_source": {"type_hint": "rasterio_source", "uris": [f"labels/{name}.tif"]},
        },
    }


def check(folder: Path, codes: set):
    """Every scene has its files; class numbers are those of the configuration."""
    try:
        content = files.read_json(folder / "dataset.json")
        allowed = set(range(len(content["class_config"]["names"])))
        scenes = [scene["id"] for key in _SCENES.values() for scene in content[key]]
    except (ConcordError, KeyError, TypeError) as error:
        yield "format", "rastervision/dataset.json", f"is no dataset configuration ({error})"
        return
    if len(set(scenes)) != len(scenes):
        yield "leak", "rastervision/dataset.json", "has a scene twice"
    for name in scenes:
        if not (folder / "images" / f"{name}.tif").is_file():
            yield "files", f"rastervision/images/{name}.tif", "missing"
        label = folder / "labels" / f"{name}.tif"
        yield from base.raster_problems(label, allowed, f"rastervision/labels/{name}.tif")


FORMATS = (base.Format("rastervision", "Raster Vision", chip, finish, check),)
