"""What a product says of itself beside its rasters: MTD_MSIL*.xml, MTL, DIM, IMD, STAC items, JSON.

Only the few values that decide units are read, by searching the text, so that no XML entity is
ever expanded.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from .. import dates
from ..files import is_dataset_name
from . import landsat, vendors
from .product import Product, one, stamp, text_of

_LARGEST = 8_000_000  # bytes; product metadata are far smaller
_S2_BANDS = ("1", "2", "3", "4", "5", "6", "7", "8", "8A", "9", "10", "11", "12")
_COLLECTIONS = (
    ("sentinel-2-l1c", "sentinel-2-l1c"),
    ("sentinel-2", "sentinel-2-l2a"),
    ("sentinel-1-rtc", "sentinel-1-rtc"),
    ("sentinel-1", "sentinel-1-grd"),
    ("hls2-l30", "hls-l30"),
    ("hlsl30", "hls-l30"),
    ("hls2-s30", "hls-s30"),
    ("hlss30", "hls-s30"),
    ("naip", "naip"),
    ("mod13q1", "modis-mod13q1"),
    ("alos-palsar", "palsar-mosaic"),
    ("cop-dem", "dem"),
)


def product_of(path: str | Path) -> Product | None:
    """The product that a raster belongs to, None when nothing beside it says so."""
    if is_dataset_name(str(path)):
        return None
    path = Path(path)
    for level, folder in enumerate([path.parent, *path.parents[1:5]]):
        for candidate in _metadata_in(folder, level):
            if candidate.name.startswith("MTD_MSIL"):
                found = _mtd(candidate, stamp(candidate))
            elif "_MTL." in candidate.name:
                own = path.name.startswith(candidate.name.split("_MTL.")[0])
                found = landsat.mtl(candidate, stamp(candidate)) if own else None
            elif candidate.name.upper().startswith("DIM_"):
                own = vendors.is_of(path, candidate)
                found = vendors.dimap(candidate, stamp(candidate)) if own else None
            elif candidate.suffix.upper() == ".IMD":
                own = vendors.is_of(path, candidate)
                found = vendors.imd(candidate, stamp(candidate)) if own else None
            else:
                found = _json(candidate, stamp(candidate))
                if found is not None and found.names and path.name not in found.names:
                    found = None
            if found is not None:
                return found
    return None


def _metadata_in(folder: Path, level: int) -> list:
    """Metadata files of a folder; far up only those whose name leaves no doubt."""
    if not folder.is_dir() or (level > 0 and folder == folder.parent):
        return []
    patterns = ["MTD_MSIL*.xml"]
    if level <= 1:
        patterns += ["*_MTL.txt", "*_MTL.json", "*_MTL.xml"]
    if level == 0:
        patterns += ["DIM_*.XML", "DIM_*.xml", "*.IMD", "*.imd", "*.json"]
    elif level == 1:
        patterns += ["item.json", "stac.json"]
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [path for path in dict.fromkeys(found) if path.stat().st_size <= _LARGEST][:40]


@functools.lru_cache(maxsize=64)
def _mtd(path: Path, _stamp: int) -> Product | None:
    """Sentinel-2 product metadata: quantification, offset a band, baseline, date, clouds."""
    text = text_of(path)
    level = "l2a" if "MSIL2A" in path.name else "l1c"
    quantification = float(one(r"<(?:BOA_)?QUANTIFICATION_VALUE[^>]*>([\d.]+)<", text) or "10000")
    scales = {"": (1.0 / quantification, 0.0)}
    offsets = re.findall(r"<(?:BOA|RADIO)_ADD_OFFSET band_id=\"(\d+)\">\s*(-?[\d.]+)\s*<", text)
    for number, value in offsets:
        if int(number) < len(_S2_BANDS):
            alias = f"B{_S2_BANDS[int(number)]}"
            scales[alias] = (1.0 / quantification, float(value) / quantification)
    cloud = one(r"<Cloud_Coverage_Assessment>([\d.]+)<", text)
    return Product(
        str(path),
        f"sentinel-2-{level}",
        one(r"<PROCESSING_BASELINE>([\d.]+)<", text),
        dates.in_text(one(r"<PRODUCT_START_TIME>([^<]+)<", text)[:10]),
        float(cloud) if cloud else None,
        False,
        scales,
    )


@functools.lru_cache(maxsize=256)
def _json(path: Path, _stamp: int) -> Product | None:
    try:
        raw = json.loads(text_of(path))
    except ValueError:
        return None
    if not isinstance(raw, dict):
        return None
    if raw.get("type") == "Feature" and isinstance(raw.get("assets"), dict):
        return _stac(path, raw)
    if "system:id" in raw or "PROCESSING_BASELINE" in raw:
        return _earth_engine(path, raw)
    return None


def _earth_engine(path: Path, raw: dict) -> Product | None:
    """The metadata that Earth Engine exports keep of an image."""
    image, product = str(raw.get("system:id", "")), str(raw.get("PRODUCT_ID", ""))
    sensor = ""
    if "MSIL2A" in product or "/S2_SR" in image:
        sensor = "sentinel-2-l2a"
    elif "MSIL1C" in product or "COPERNICUS/S2" in image:
        sensor = "sentinel-2-l1c"
    elif "S1_GRD" in image:
        sensor = "sentinel-1-grd"
    cloud = raw.get("CLOUDY_PIXEL_PERCENTAGE")
    name = image.rsplit("/", 1)[-1]
    return Product(
        str(path),
        sensor,
        str(raw.get("PROCESSING_BASELINE", "")),
        dates.in_text(name),
        float(cloud) if cloud is not None else None,
        "HARMONIZED" in image,
    )


def _landsat_of(item: dict) -> str:
    platform = str(item.get("properties", {}).get("platform", "")).lower()
    family = {"8": "8-9", "9": "8-9", "7": "7", "5": "4-5", "4": "4-5"}.get(platform[-1:])
    return f"landsat-{family}-c2-l2" if family else ""


def _stac(path: Path, item: dict) -> Product:
    """A STAC item: collection, baseline, whether the offset was undone, scales and names."""
    facts = item.get("properties", {})
    collection = str(item.get("collection", "")).lower()
    sensor = next((own for word, own in _COLLECTIONS if word in collection), "")
    if "landsat" in collection:
        sensor = _landsat_of(item)
    scales, names = {}, {}
    for asset in item["assets"].values():
        name = Path(str(asset.get("href", "")).split("?")[0]).name
        bands = asset.get("bands") or asset.get("eo:bands") or [{}]
        common = bands[0].get("eo:common_name") or bands[0].get("common_name") or ""
        if name and len(bands) == 1:
            names[name] = common
        raster = (asset.get("raster:bands") or [bands[0]])[0]
        scale = raster.get("scale", raster.get("raster:scale"))
        if scale is not None and common:
            offset = raster.get("offset", raster.get("raster:offset", 0.0))
            scales[common] = (float(scale), float(offset))
    cloud = facts.get("eo:cloud_cover")
    return Product(
        str(path),
        sensor,
        str(facts.get("s2:processing_baseline", facts.get("processing:version", ""))),
        str(facts.get("datetime") or facts.get("start_datetime") or "")[:10],
        float(cloud) if cloud is not None else None,
        bool(facts.get("earthsearch:boa_offset_applied", False)),
        scales,
        names,
        sure="sentinel-2" not in collection or "l2a" in collection or "l1c" in collection,
    )


def stac_files(path: str | Path, depth: int = 0) -> list:
    """Local rasters named by a STAC item, or by every item below a catalogue; [] for others."""
    path = Path(path)
    try:
        raw = json.loads(text_of(path))
    except (OSError, ValueError):
        return []
    if not isinstance(raw, dict) or depth > 6:
        return []
    if raw.get("type") == "Feature" and isinstance(raw.get("assets"), dict):
        places = [str(asset.get("href", "")) for asset in raw["assets"].values()]
        found = [place if Path(place).is_absolute() else path.parent / place for place in places]
        return [str(Path(place).resolve()) for place in found if Path(place).is_file()]
    if raw.get("type") in ("Catalog", "Collection"):
        links = [x for x in raw.get("links", []) if x.get("rel") in ("item", "child")]
        return [f for x in links for f in stac_files(path.parent / str(x.get("href")), depth + 1)]
    return []
