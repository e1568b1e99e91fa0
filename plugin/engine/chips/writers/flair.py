"""FLAIR #1's layout: domains, zones, img and msk folders, one metadata file, a list a split.

FLAIR's own loader takes pairs of paths from flair-1-paths-SPLIT.csv, or lists the folders of
train and test; its metadata branch wants height, camera and time too, which nobody knows of a chip:
they get neutral values, named in the entry's "placeholders".
"""

from __future__ import annotations

import json
from pathlib import Path

from ...taxonomy import IGNORE, NO_DATA
from .. import split
from . import base

_SETS = {"train": "train", "validate": "val", "test": "test"}
_UNKNOWN = {"patch_centroid_z": 0.0, "camera": "unknown", "time": "12h00"}


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
        "key": f"IMG_{number}", "domain": domain, "zone": zone, "date": date or "2000-01-01",
        "patch_centroid_x": x, "patch_centroid_y": y, **_UNKNOWN,
        "placeholders": [*_UNKNOWN, *([] if date else ["date"])], "chip": sample.id,
        "paths": [image, mask],
    }  # fmt: skip
    return {image: sample.tiff(sample.first), mask: sample.label_tiff}, record


def finish(entries, setup: base.Setup):
    """flair-1_metadata_aerial.json and the pairs of every split."""
    yield "flair-1_metadata_aerial.json", _metadata(entries)
    for name in split.SPLITS:
        lines = [",".join(r["paths"]) + "\n" for _, r in base.own(entries, "flair", name)]
        if lines:
            yield f"flair-1-paths-{_SETS[name]}.csv", lines


def _metadata(entries):
    comma = "{\n"
    for _, record in base.own(entries, "flair"):
        rest = {k: v for k, v in record.items() if k not in ("key", "paths")}
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
