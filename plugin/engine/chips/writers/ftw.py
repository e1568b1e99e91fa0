"""Fields of The World's layout: two windows of the season, field masks of three kinds.

The first and the last date of the first image's sensor are the windows; the object classes are the
fields (0 background, 1 field, 2 boundary, 3 not labelled). The windows hold red, green, blue and
near infrared in this order, as the published set has them; images without these keep their bands.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ... import rasters
from ...taxonomy import IGNORE, NO_DATA
from .. import stac, tables
from . import base

_ORDER = ("red", "green", "blue", "nir")
_UNKNOWN = 3


def chip(sample: base.Sample) -> tuple:
    """Windows a and b, instance, two-class and three-class masks."""
    names = [b.name for b in sample.first.image.bands]
    alike = [c for c in sample.cuts if [b.name for b in c.image.bands] == names]
    alike.sort(key=lambda c: (c.image.dates, c.name))
    place, slug = f"{sample.id}.tif", sample.setup.slug
    two = (sample.numbers > 0).astype(np.uint8)
    three = two + (sample.boundary & (two > 0)).astype(np.uint8)
    unknown = np.isin(sample.label, (NO_DATA, IGNORE))
    two[unknown] = three[unknown] = _UNKNOWN
    geometry, _ = stac.footprint(sample.grid)
    files = {
        f"{slug}/s2_images/window_a/{place}": _window(sample, alike[0]),
        f"{slug}/s2_images/window_b/{place}": _window(sample, alike[-1]),
        f"{slug}/label_masks/instance/{place}": sample.layer(sample.numbers, "instance"),
        f"{slug}/label_masks/semantic_2class/{place}": sample.layer(two, "field"),
        f"{slug}/label_masks/semantic_3class/{place}": sample.layer(three, "field"),
    }
    return files, {"geometry": geometry}


def _window(sample: base.Sample, cut) -> bytes:
    """The image in the order of the published set."""
    names = [b.name for b in cut.image.bands]
    if not set(_ORDER) <= set(names) or names == list(_ORDER):
        return sample.tiff(cut)
    picked = [names.index(name) for name in _ORDER]
    bands = [cut.image.bands[i] for i in picked]
    return rasters.encode(
        cut.array[picked], cut.grid, names=list(_ORDER), units=[b.unit for b in bands],
        nodata=cut.image.nodata, scales=[(b.scale, b.offset) for b in bands],
    )  # fmt: skip


def finish(entries, setup: base.Setup):
    """The chips' table: GeoJSON always, Parquet too where pyarrow is there."""
    slug = setup.slug
    yield f"{slug}/chips_{slug}.geojson", _table(entries)
    if tables.has_parquet():
        rows = [
            {"aoi_id": entry.id, "split": base.SPLIT_SHORT[entry.split],
             "geometry": record["geometry"]}
            for entry, record in base.own(entries, "ftw")
        ]  # fmt: skip
        yield f"{slug}/chips_{slug}.parquet", [tables.geo_parquet(rows)]


def _table(entries):
    yield '{"type": "FeatureCollection", "features": '
    yield from base.json_list(
        {"type": "Feature", "geometry": record["geometry"],
         "properties": {"aoi_id": entry.id, "split": base.SPLIT_SHORT[entry.split]}}
        for entry, record in base.own(entries, "ftw")
    )  # fmt: skip
    yield "}\n"


def check(folder: Path, codes: set):
    """Every listed chip has its five files; masks hold 0 to 3."""
    tables_ = sorted(folder.glob("*/chips_*.geojson"))
    if not tables_:
        yield "files", "ftw", "has no table of chips"
    for table in tables_:
        root = table.parent
        listed = json.loads(table.read_text(encoding="utf-8"))["features"]
        for feature in listed:
            place = f"{feature['properties']['aoi_id']}.tif"
            for part in ("s2_images/window_a", "s2_images/window_b", "label_masks/instance"):
                if not (root / part / place).is_file():
                    yield "files", f"ftw/{root.name}/{part}/{place}", "missing"
            for part, most in (("semantic_2class", 1), ("semantic_3class", 2)):
                path = root / "label_masks" / part / place
                name = f"ftw/{root.name}/label_masks/{part}/{place}"
                yield from base.raster_problems(path, {*range(most + 1), _UNKNOWN}, name)


FORMATS = (base.Format("ftw", "Fields of The World layout", chip, finish, check),)
