"""LandCoverNet's layout: labels with class and consensus score, one source item a sensor and date.

Its class 0 is "no label", so undecided pixels (255) become 0 with score 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ... import files, rasters, sensors
from ...errors import ConcordError
from ...taxonomy import IGNORE, NO_DATA
from .. import stac
from . import base


def _sensor(image) -> str:
    sensor = image.recognised.sensor
    for start, name in (("sentinel-2", "sentinel_2"), ("sentinel-1", "sentinel_1"),
                        ("landsat", "landsat_8")):  # fmt: skip
        if sensor.startswith(start):
            return name
    return base.plain(image.name).lower()


def _file(image, band) -> str:
    """What the product calls a band, B04 for red; the common name for unknown sensors."""
    for preset in sensors.presets():
        if preset.id == image.recognised.sensor:
            found = preset.band_called(band.name)
            if found is not None and found.aliases:
                return base.plain(found.aliases[0])
    return base.plain(band.name)


def chip(sample: base.Sample) -> tuple:
    """labels.tif with two bands, and every band of every image as a file of its own."""
    setup = sample.setup
    stem = f"ref_landcovernet_{setup.slug}_v1"
    where = f"{stem}_labels/{stem}_labels_{sample.id}"
    label = np.where(sample.label == IGNORE, NO_DATA, sample.label)
    score = np.where(label == NO_DATA, 0, sample.posterior)
    both = np.stack([label, score]).astype(np.uint8)
    files_ = {
        f"{where}/labels.tif": rasters.encode(
            both, sample.grid, names=["class", "consensus score"], units=["", "percent"]
        )
    }
    sources = []
    for cut in sample.cuts:
        date = (setup.wish.date or (cut.image.dates or [""])[0]).replace("-", "")
        collection = f"{stem}_source_{_sensor(cut.image)}"
        item = "_".join(part for part in (collection, sample.id, date) if part)
        if any(item in source for source in sources):
            item = f"{item}_{cut.name}"
        sources.append(f"{collection}/{item}")
        for band, values in zip(cut.image.bands, cut.array):
            files_[f"{collection}/{item}/{_file(cut.image, band)}.tif"] = rasters.encode(
                values, cut.grid, names=[band.name], units=[band.unit], nodata=cut.image.nodata,
                scales=[(band.scale, band.offset)],
            )  # fmt: skip
    asset = {**stac.label_asset(setup.scheme), "href": "./labels.tif"}
    asset["bands"] = [
        {"name": "class", "data_type": "uint8"},
        {"name": "consensus score", "data_type": "uint8", "unit": "percent"},
    ]
    item = stac.item(sample.planned, setup.grid, {"labels": asset}, setup.scheme,
                     setup.wish.licence, [setup.date] if setup.date else [])  # fmt: skip
    item["links"] = [{"rel": "collection", "href": "../collection.json"}] + [
        {"rel": "source", "href": f"../../{source}"} for source in sources
    ]
    files_[f"{where}/stac.json"] = base.dumps(item).encode("utf-8")
    return files_, {"item": f"{stem}_labels_{sample.id}", "bbox": item["bbox"]}


def finish(entries, setup: base.Setup):
    """The label collection with a link to every item."""
    stem = f"ref_landcovernet_{setup.slug}_v1_labels"
    boxes = [record["bbox"] for _, record in base.own(entries, "landcovernet")]
    links = (f"./{record['item']}/stac.json" for _, record in base.own(entries, "landcovernet"))
    yield f"{stem}/collection.json", stac.collection(links, boxes, setup, stem)


def check(folder: Path, codes: set):
    """Every label item has two bands, known codes, a score up to 100, and its sources."""
    collections = sorted(folder.glob("*_labels/collection.json"))
    if not collections:
        yield "files", "landcovernet", "has no label collection"
    for path in sorted(folder.glob("*_labels/*/stac.json")):
        name = f"landcovernet/{path.relative_to(folder).as_posix()}"
        try:
            item = files.read_json(path)
            links = [link["href"] for link in item["links"] if link["rel"] == "source"]
            bands = rasters.read(path.parent / "labels.tif")
        except (ConcordError, KeyError, TypeError) as error:
            yield "format", name, f"cannot be read ({error})"
            continue
        unknown = set(np.unique(bands[0]).tolist()) - codes - {NO_DATA}
        if unknown:
            yield "codes", name, f"code {min(unknown)} is not in the taxonomy"
        if len(bands) != 2 or bands[1].max() > 100:
            yield "format", name, "needs a class and a score from 0 to 100"
        for link in links:
            if not any((path.parent / link).glob("*.tif")):
                yield "files", name, f"lacks its source {link}"


FORMATS = (base.Format("landcovernet", "LandCoverNet layout", chip, finish, check),)
