"""STAC 1.1 items and the collection of a chip set, written by hand so that nothing is fetched.

Extensions: label 1.0.1 (raster labels), ml-aoi 0.2.0 (split), projection 2.0, eo 2.0, raster 2.0,
classification 2.0. ``label:properties`` and the class group's name are null for raster labels.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from .. import rasters, sensors
from ..taxonomy import IGNORE, NO_DATA, Taxonomy

_BASE = "https://stac-extensions.github.io"
EXTENSIONS = [
    f"{_BASE}/label/v1.0.1/schema.json",
    f"{_BASE}/ml-aoi/v0.2.0/schema.json",
    f"{_BASE}/projection/v2.0.0/schema.json",
    f"{_BASE}/eo/v2.0.0/schema.json",
    f"{_BASE}/raster/v2.0.0/schema.json",
    f"{_BASE}/classification/v2.0.0/schema.json",
]
_TIFF = "image/tiff; application=geotiff"
UNKNOWN_START, UNKNOWN_END = "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def date_in(name: str) -> str:
    """A date written in a file name as YYYYMMDD or YYYY-MM-DD, as ISO, or ''."""
    match = re.search(r"(?<!\d)((?:19|20)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)", name)
    try:
        return datetime.date(*map(int, match.groups())).isoformat() if match else ""
    except ValueError:  # such as 31 February
        return ""


def _when(date: str) -> dict:
    if date:
        return {"datetime": f"{date}T00:00:00Z"}
    return {"datetime": None, "start_datetime": UNKNOWN_START, "end_datetime": UNKNOWN_END}


def band_entries(recognised, info) -> list:
    """STAC ``bands`` of an image asset, scale and unit inside."""
    wavelengths = {b.name: b for p in sensors.presets() for b in p.bands}
    entries = []
    for band in recognised.bands:
        entry = {"name": band.name, "data_type": info.bands[band.index - 1].dtype}
        known = wavelengths.get(band.name)
        if known is not None and known.wavelength:
            entry["eo:common_name"] = band.name
            entry["eo:center_wavelength"] = known.wavelength
        if band.unit:
            entry["unit"] = band.unit
        if (band.scale, band.offset) != (1.0, 0.0):
            entry["raster:scale"], entry["raster:offset"] = band.scale, band.offset
        entries.append(entry)
    return entries


def footprint(bounds: tuple, crs: str) -> tuple:
    """(GeoJSON polygon, bbox) of bounds in longitude and latitude."""
    left, bottom, right, top = bounds
    ring = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    moved = rasters.transform_points(ring, crs, "EPSG:4326")
    spots = [[round(x, 9), round(y, 9)] for x, y in moved]
    xs, ys = zip(*spots)
    return {"type": "Polygon", "coordinates": [spots]}, [min(xs), min(ys), max(xs), max(ys)]


def item(planned, grid, assets: dict, taxonomy: Taxonomy, licence: str, date: str) -> dict:
    """The STAC item of a chip.

    Args:
        assets: {key: {"href", "roles", "bands"?}} with hrefs relative to the item.
    """
    geometry, bbox = footprint(planned.chip.bounds, grid.crs)
    sub = grid.sub(planned.chip.window)
    code = rasters.epsg(grid.crs)
    counts = planned.content.counts
    properties = {
        **_when(date),
        "license": licence,
        "label:properties": None,
        "label:classes": [{"name": None, "classes": [c.name for c in taxonomy.classes]}],
        "label:description": f"Land cover after {taxonomy.title}, one code a pixel",
        "label:type": "raster",
        "label:tasks": ["segmentation"],
        "label:overviews": [
            {
                "property_key": None,
                "counts": [
                    {"name": c.name, "count": int(counts[c.code])}
                    for c in taxonomy.classes
                    if counts[c.code]
                ],
            }
        ],
        "ml-aoi:split": planned.split,
        "proj:code": f"EPSG:{code}" if code else None,
        "proj:shape": [sub.height, sub.width],
        "proj:transform": list(sub.transform),
        "proj:bbox": list(sub.bounds),
        "concord:block": list(planned.block),
        "concord:labelled_share": round(planned.content.labelled, 6),
        "concord:date_known": bool(date),
    }
    if code is None:
        properties["proj:wkt2"] = rasters.wkt(grid.crs)
    if planned.content.score is not None:
        properties["concord:mean_posterior"] = round(planned.content.score, 6)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": planned.chip.id,
        "collection": "chips",
        "geometry": geometry,
        "bbox": bbox,
        "properties": properties,
        "assets": {key: {"type": _TIFF, **asset} for key, asset in assets.items()},
        "links": [
            {"rel": "root", "href": "../../collection.json", "type": "application/json"},
            {"rel": "parent", "href": "../../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../../collection.json", "type": "application/json"},
        ],
    }


def label_asset(taxonomy: Taxonomy) -> dict:
    """The asset of a chip's mask."""
    return {
        "href": "./label.tif",
        "roles": ["labels", "labels-raster", "data"],
        "bands": [{"name": "label", "data_type": "uint8", "nodata": NO_DATA}],
        "classification:classes": [
            {"value": c.code, "name": re.sub(r"[^0-9A-Za-z_-]+", "_", c.name), "title": c.name,
             "color_hint": c.colour.lstrip("#").upper()}
            for c in taxonomy.classes
        ] + [{"value": IGNORE, "name": "ignore", "title": "ignore in training"}],
    }  # fmt: skip


def collection(planned: list, boxes: list, title: str, licence: str, dates: list) -> dict:
    """The collection that links every chip."""
    left, bottom = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, top = max(b[2] for b in boxes), max(b[3] for b in boxes)
    known = sorted(d for d in dates if d)
    interval = [f"{known[0]}T00:00:00Z", f"{known[-1]}T00:00:00Z"] if known else [None, None]
    if not known:
        interval = [UNKNOWN_START, UNKNOWN_END]
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": "chips",
        "title": title,
        "description": f"{len(planned)} training chips exported by Concord; see DATASHEET.md",
        "license": licence,
        "extent": {
            "spatial": {"bbox": [[left, bottom, right, top]]},
            "temporal": {"interval": [interval]},
        },
        "links": [{"rel": "root", "href": "./collection.json", "type": "application/json"}]
        + [
            {
                "rel": "item",
                "href": f"./chips/{p.chip.id}/{p.chip.id}.json",
                "type": "application/geo+json",
            }
            for p in planned
        ],
    }


def asset_name(path: str, taken) -> str:
    """A file name for an image inside a chip: letters, digits, '-' and '_' only, unique."""
    stem = re.sub(r"[^0-9A-Za-z_-]+", "_", Path(path).stem).strip("_") or "image"
    if stem in ("label", "labels", "consensus"):  # ours, as file or as key
        stem = f"{stem}_image"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
