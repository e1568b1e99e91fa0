"""FLAIR #1's layout: domains, zones, img and msk folders, one metadata file."""

from __future__ import annotations

import json
from pathlib import Path

from ...taxonomy import IGNORE, NO_DATA
from . import base

_SETS = {"train": "train", "validate": "val", "test": "test"}


def chip(sample: base.Sample) -> tuple:
    """IMG_ and MSK_ with one number; domain and zone in the path."""
    planned = sample.planned
    date = sample.setup.date
    domain = base.plain(planned.domain) if planned.domain else "D000"
    domain = f"{domain}_{date[:4]}" if date else domain
    zone = "Z" + "_".join(str(part) for part in planned.block).replace("-", "m")
    zone = base.plain(zone)
    number, group = f"{planned.number + 1:06d}", _SETS[sample.split]
    image = f"flair_aerial_{group}/{domain}/{zone}/img/IMG_{number}.tif"
    mask = f"flair_labels_{group}/{domain}/{zone}/msk/MSK_{number}.tif"
    x, y = planned.chip.centre
    record = {
        "key": f"IMG_{number}", "domain": domain, "zone": zone, "date": date or "unknown",
        "patch_centroid_x": x, "patch_centroid_y": y, "chip": sample.id,
    }  # fmt: skip
    return {image: sample.tiff(sample.first), mask: sample.label_tiff}, record


def finish(entries, setup: base.Setup):
    """flair-1_metadata_aerial.json."""
    yield "flair-1_metadata_aerial.json", _metadata(entries)


def _metadata(entries):
    comma = "{\n"
    for _, record in base.own(entries, "flair"):
        rest = {k: v for k, v in record.items() if k != "key"}
        yield f"{comma}{json.dumps(record['key'])}: {json.dumps(rest, ensure_ascii=False)}"
        comma = ",\n"
    yield "\n}\n" if comma != "{\n" else "{}\n"


def check(folder: Path, codes: set):
    """Every image has its mask, masks hold known codes."""
    images = sorted(folder.glob("flair_aerial_*/*/*/img/IMG_*.tif"))
    if not images:
        yield "files", "flair", "holds no image"
    for path in images:
        parts = path.relative_to(folder).parts
        mask = folder.joinpath(
            parts[0].replace("flair_aerial_", "flair_labels_"), *parts[1:3], "msk",
            parts[4].replace("IMG_", "MSK_"),
        )  # fmt: skip
        name = f"flair/{mask.relative_to(folder).as_posix()}"
        yield from base.raster_problems(mask, codes | {NO_DATA, IGNORE}, name)


FORMATS = (base.Format("flair", "FLAIR layout", chip, finish, check),)
