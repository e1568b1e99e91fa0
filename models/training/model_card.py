"""Model cards of the project's own models: STAC MLM items, embedded in the ONNX file and beside it.

MLM is the STAC extension Machine Learning Model, https://github.com/stac-extensions/mlm, 1.5.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from pathlib import Path

KEY = "stac:mlm"
EXTENSIONS = [
    "https://stac-extensions.github.io/mlm/v1.5.1/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
]
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
# MLM asks for a framework version; for ONNX that is the release whose opset the graph needs.
ONNX_RELEASE = {17: "1.12.0", 18: "1.13.0"}


def band(name: str, wavelength: float, unit: str = "reflectance") -> dict:
    """A STAC 1.1 band with its eo common name and centre wavelength in micrometres."""
    return {
        "name": name,
        "eo:common_name": name,
        "eo:center_wavelength": wavelength,
        "unit": unit,
    }


def classes(taxonomy: dict) -> list:
    """classification:classes of a taxonomy file's content.

    The extension wants machine-readable names, so spaces become underscores there; the name as
    people read it is the title.
    """
    return [
        {
            "value": entry["code"],
            "name": re.sub(r"[^0-9A-Za-z_-]+", "_", entry["name"]),
            "title": entry["name"],
            "color_hint": entry["color"].lstrip("#").upper(),
        }
        for entry in taxonomy["classes"]
    ]


def item(name: str, properties: dict, asset: dict, links: list | None = None) -> dict:
    """An MLM item that applies everywhere and at any time; ``asset`` is its model file.

    MLM wants the bands among the properties, and STAC 1.1 allows them there only when an asset
    lists them too.
    """
    asset = {**asset, "bands": [{"name": entry["name"]} for entry in properties["bands"]]}
    west, south, east, north = box = [-180.0, -90.0, 180.0, 90.0]
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": box,
        "properties": {
            "datetime": None,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            **properties,
        },
        "links": links or [],
        "assets": {"model": asset},
    }


def onnx_asset(name: str, title: str) -> dict:
    return {
        "href": f"./{name}.onnx",
        "title": title,
        "type": "application/octet-stream; application=onnx",
        "roles": ["mlm:model", "data"],
        "mlm:artifact_type": "onnx",
    }


def embed(model, card: dict) -> bytes:
    """The ONNX file's bytes with the card in ``metadata_props``; the same bytes every time."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(card, ensure_ascii=False, separators=(",", ":"))
    return model.SerializeToString(deterministic=True)


def sidecar(card: dict, content: bytes) -> dict:
    """The card as it stands beside the file, with size and checksum of the file's bytes.

    ``file:checksum`` is a multihash: 12 (SHA-256), 20 (32 bytes), then the digest in hexadecimal.
    It cannot stand inside the file that it is the checksum of.
    """
    card = copy.deepcopy(card)
    card["stac_extensions"].append(FILE_EXTENSION)
    card["assets"]["model"]["file:size"] = len(content)
    card["assets"]["model"]["file:checksum"] = "1220" + hashlib.sha256(content).hexdigest()
    return card


def save(model, card: dict, target: str | Path) -> None:
    """Write ``target`` (.onnx) with the embedded card and ``<stem>.mlm.json`` beside it."""
    target = Path(target)
    content = embed(model, card)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(sidecar(card, content), indent=1, ensure_ascii=False) + "\n"
    _replace(target, content)
    _replace(target.with_name(target.stem + ".mlm.json"), text.encode("utf-8"))


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
