"""STAC 1.1 items and the collection of a chip set, written by hand so that nothing is fetched.

Extensions: label 1.0.1 (raster labels), ml-aoi 0.2.0 (split), projection 2.0, eo 2.0, raster 2.0,
classification 2.0. ``label:properties`` and the class group's name are null for raster labels,
whose overview has no property key at all.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from pathlib import Path

from .. import rasters
from .. import sensors as presets
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
SAR = f"{_BASE}/sar/v1.3.0/schema.json"
_TIFF = "image/tiff; application=geotiff"
RESERVED = ("label", "labels", "consensus", "instance", "boundary", "weight")  # as file or key
UNKNOWN_START, UNKNOWN_END = "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def date_in(name: str) -> str:
    """A date written in a file name as YYYYMMDD or YYYY-MM-DD, as ISO, or ''."""
    match = re.search(r"(?<!\d)((?:19|20)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)", name)
    try:
        return datetime.date(*map(int, match.groups())).isoformat() if match else ""
    except ValueError:  # such as 31 February
        return ""


def _when(dates: list) -> dict:
    """One date as a moment, several as an interval, none as an interval that says nothing."""
    known = sorted(d for d in dates if d)
    if known and known[0] == known[-1]:
        return {"datetime": f"{known[0]}T00:00:00Z"}
    start = f"{known[0]}T00:00:00Z" if known else UNKNOWN_START
    end = f"{known[-1]}T00:00:00Z" if known else UNKNOWN_END
    return {"datetime": None, "start_datetime": start, "end_datetime": end}


def _radar(sensors_: list, names: list) -> dict:
    """SAR fields of an item whose images include Sentinel-1."""
    for recognised, name in zip(sensors_, names):
        if recognised.sensor.startswith("sentinel-1"):
            mode = re.search(r"_(IW|EW|SM|WV)_", str(name))
            bands = [b.name.upper() for b in recognised.bands]
            return {
                "sar:instrument_mode": mode.group(1) if mode else "unknown",
                "sar:frequency_band": "C",
                "sar:center_frequency": 5.405,
                "sar:polarizations": [b for b in bands if b in ("VV", "VH", "HH", "HV")],
                "sar:product_type": "GRD",
            }
    return {}


def band_entries(image) -> list:
    """STAC ``bands`` of an image asset (``sources.Image``), scale and unit inside."""
    common = {b.name for p in presets.presets() for b in p.bands if b.wavelength}
    entries = []
    for band in image.bands:
        entry = {"name": band.name, "data_type": str(image.dtype)}
        if band.name in common:
            entry["eo:common_name"] = band.name
        if band.wavelength:  # of this sensor, not of another that names a band alike
            entry["eo:center_wavelength"] = band.wavelength
        if band.unit and not band.formula:  # else the unit is that of the computed values
            entry["unit"] = band.unit
        if (band.scale, band.offset) != (1.0, 0.0):
            entry["raster:scale"], entry["raster:offset"] = band.scale, band.offset
        entries.append(entry)
    return entries


def footprints(grids: list) -> list:
    """(GeoJSON polygon, bbox) of chips' grids of one CRS, in longitude and latitude."""
    rings = []
    for grid in grids:
        corners = ((0, grid.height), (grid.width, grid.height), (grid.width, 0), (0, 0))
        rings += [grid.xy(col, row) for col, row in (*corners, corners[0])]
    moved = rasters.transform_points(rings, grids[0].crs, "EPSG:4326")
    return [_outline(moved[start : start + 5]) for start in range(0, len(moved), 5)]


def footprint(grid) -> tuple:
    """(GeoJSON polygon, bbox) of one chip's grid in longitude and latitude."""
    return footprints([grid])[0]


def _outline(moved: list) -> tuple:
    spots = [[round(x, 9), round(y, 9)] for x, y in moved]
    xs, ys = zip(*spots)
    return {"type": "Polygon", "coordinates": [spots]}, [min(xs), min(ys), max(xs), max(ys)]


def item(
    planned, grid, assets: dict, taxonomy: Taxonomy, licence: str, date, sensors=(), names=()
) -> dict:
    """The STAC item of a chip.

    Args:
        assets: {key: {"href", "roles", "bands"?}} with hrefs relative to the item.
        date: ISO date or dates of the images.
        sensors, names: what the images were recognised as, and their files.
    """
    dates = [date] if isinstance(date, str) else list(date)
    radar = _radar(sensors, names)
    sub = grid.sub(planned.chip.window)
    geometry, bbox = footprint(sub)
    code = rasters.epsg(grid.crs)
    counts = planned.content.counts
    properties = {
        **_when(dates),
        "license": licence,
        "label:properties": None,
        "label:classes": [{"name": None, "classes": [c.name for c in taxonomy.classes]}],
        "label:description": f"Land cover after {taxonomy.title}, one code a pixel",
        "label:type": "raster",
        "label:tasks": ["segmentation"],
        "label:overviews": [
            {
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
        "concord:date_known": any(dates),
        **radar,
    }
    if planned.domain:
        properties["concord:domain"] = planned.domain
    if code is None:
        properties["proj:wkt2"] = rasters.wkt(grid.crs)
    if planned.content.score is not None:
        properties["concord:mean_posterior"] = round(planned.content.score, 6)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [*_extensions(assets), *([SAR] if radar else [])],
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
            *_roles(assets),
        ],
    }


def _extensions(assets: dict) -> list:
    """The extensions that an item uses: eo's schema refuses an item without a field of eo."""
    used = {
        field.split(":")[0]
        for asset in assets.values() for band in asset.get("bands", ()) for field in band
    }  # fmt: skip
    unused = {f"{_BASE}/{name}/" for name in ("eo", "raster") if name not in used}
    return [url for url in EXTENSIONS if not any(url.startswith(part) for part in unused)]


def _roles(assets: dict) -> list:
    """ML-AOI: one link to the label, one to every feature."""
    links = []
    for key, asset in assets.items():
        role = "label" if key == "labels" else "feature"
        if role == "label" or asset["roles"] == ["data"]:
            links.append(
                {"rel": "derived_from", "href": asset["href"], "type": _TIFF, "ml-aoi:role": role}
            )
    return links


@functools.lru_cache(maxsize=4)
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


def collection(links, boxes: list, setup, name: str = "chips"):
    """The text of the collection, in pieces: ``links`` are item ids, or hrefs that end in .json."""
    left, bottom = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, top = max(b[2] for b in boxes), max(b[3] for b in boxes)
    known = sorted(d for d in setup.dates if d)
    interval = [f"{known[0]}T00:00:00Z", f"{known[-1]}T00:00:00Z"] if known else [None, None]
    if not known:
        interval = [UNKNOWN_START, UNKNOWN_END]
    head = {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "title": setup.title,
        "description": f"{len(boxes)} training chips exported by Concord; see DATASHEET.md",
        "license": setup.wish.licence,
        "extent": {
            "spatial": {"bbox": [[left, bottom, right, top]]},
            "temporal": {"interval": [interval]},
        },
    }
    text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False)
    root = {"rel": "root", "href": "./collection.json", "type": "application/json"}
    yield text[:-2] + ',\n "links": [\n' + json.dumps(root)
    for link in links:
        href = link if link.endswith(".json") else f"./chips/{link}/{link}.json"
        entry = {"rel": "item", "href": href, "type": "application/geo+json"}
        yield ",\n" + json.dumps(entry)
    yield "\n]\n}\n"


def asset_name(path: str, taken) -> str:
    """A file name for an image inside a chip: letters, digits, '-' and '_' only, unique."""
    stem = re.sub(r"[^0-9A-Za-z_-]+", "_", Path(path).stem).strip("_") or "image"
    if stem in RESERVED:
        stem = f"{stem}_image"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
