"""What a product says of itself beside its rasters: MTD_MSIL*.xml, MTL, STAC items, metadata.json.

Only the few values that decide units are read, by searching the text, so that no XML entity is
ever expanded.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from math import radians, sin
from pathlib import Path

from .. import dates

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


@dataclass(frozen=True)
class Product:
    """Facts of the product that a file belongs to.

    ``scales`` is {band alias: (scale, offset)}, with '' for every band; ``names`` is {file name:
    common name}; ``corrected`` says that the baseline offset was already undone in the files.
    """

    path: str
    sensor: str = ""
    baseline: str = ""
    date: str = ""
    cloud: float | None = None
    corrected: bool = False
    scales: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)

    @property
    def title(self) -> str:
        return Path(self.path).name


def product_of(path: str | Path) -> Product | None:
    """The product that a raster belongs to, None when nothing beside it says so."""
    path = Path(path)
    if str(path).startswith("/vsi"):
        return None
    for level, folder in enumerate([path.parent, *path.parents[1:5]]):
        for candidate in _metadata_in(folder, level):
            if candidate.name.startswith("MTD_MSIL"):
                found = _mtd(candidate, _stamp(candidate))
            elif "_MTL." in candidate.name:
                own = path.name.startswith(candidate.name.split("_MTL.")[0])
                found = _mtl(candidate, _stamp(candidate)) if own else None
            else:
                found = _json(candidate, _stamp(candidate))
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
        patterns += ["*.json"]
    elif level == 1:
        patterns += ["item.json", "stac.json"]
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [path for path in dict.fromkeys(found) if path.stat().st_size <= _LARGEST][:40]


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _one(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1).strip() if match else ""


@functools.lru_cache(maxsize=64)
def _mtd(path: Path, _stamp: int) -> Product | None:
    """Sentinel-2 product metadata: quantification, offset a band, baseline, date, clouds."""
    text = _text(path)
    level = "l2a" if "MSIL2A" in path.name else "l1c"
    quantification = float(_one(r"<(?:BOA_)?QUANTIFICATION_VALUE[^>]*>([\d.]+)<", text) or "10000")
    scales = {"": (1.0 / quantification, 0.0)}
    offsets = re.findall(r"<(?:BOA|RADIO)_ADD_OFFSET band_id=\"(\d+)\">\s*(-?[\d.]+)\s*<", text)
    for number, value in offsets:
        if int(number) < len(_S2_BANDS):
            alias = f"B{_S2_BANDS[int(number)]}"
            scales[alias] = (1.0 / quantification, float(value) / quantification)
    cloud = _one(r"<Cloud_Coverage_Assessment>([\d.]+)<", text)
    return Product(
        str(path),
        f"sentinel-2-{level}",
        _one(r"<PROCESSING_BASELINE>([\d.]+)<", text),
        dates.in_text(_one(r"<PRODUCT_START_TIME>([^<]+)<", text)[:10]),
        float(cloud) if cloud else None,
        False,
        scales,
    )


@functools.lru_cache(maxsize=64)
def _mtl(path: Path, _stamp: int) -> Product | None:
    """Landsat MTL as text, JSON or XML: level, date, and for Level 1 the factors to reflectance."""
    text = _text(path)

    def value(key: str) -> str:
        return _one(rf"\b{key}\b[\"']?\s*[=:>]\s*[\"']?([^\"'<,\n]+)", text)

    name = path.name
    satellite, level = name[2:4], "l2" if "_L2" in name else "l1"
    family = {"08": "8-9", "09": "8-9", "07": "7", "04": "4-5", "05": "4-5"}.get(satellite)
    if family is None:
        return None
    scales = {}
    elevation = value("SUN_ELEVATION")
    if level == "l1" and elevation:
        height = sin(radians(float(elevation)))
        for band in range(1, 10):
            gain, add = (
                value(f"REFLECTANCE_MULT_BAND_{band}"),
                value(f"REFLECTANCE_ADD_BAND_{band}"),
            )
            if gain and add:
                scales[f"B{band}"] = (float(gain) / height, float(add) / height)
    cloud = value("CLOUD_COVER")
    return Product(
        str(path),
        f"landsat-{family}-c2-{level}",
        "",
        dates.in_text(value("DATE_ACQUIRED")),
        float(cloud) if cloud else None,
        False,
        scales,
    )


@functools.lru_cache(maxsize=256)
def _json(path: Path, _stamp: int) -> Product | None:
    try:
        raw = json.loads(_text(path))
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
    )


def stac_files(path: str | Path, depth: int = 0) -> list:
    """Local rasters named by a STAC item, or by every item below a catalogue; [] for others."""
    path = Path(path)
    try:
        raw = json.loads(_text(path))
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
