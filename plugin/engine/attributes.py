"""Class names that travel with a raster: our own tag, and GDAL's .aux.xml beside the file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from .files import atomic_file

TAG = "CONCORD_CLASSES"
_LARGEST_SIDECAR = 4_000_000  # bytes; a bigger .aux.xml holds statistics of something else


def encode(categories: dict) -> str:
    """Class names as one line of JSON for a GeoTIFF tag."""
    return json.dumps({str(k): v for k, v in sorted(categories.items())}, ensure_ascii=False)


def _from_tag(tags: dict) -> dict:
    try:
        return {int(k): str(v) for k, v in json.loads(tags[TAG]).items()}
    except (KeyError, ValueError, AttributeError):
        return {}


def _from_names(band) -> dict:
    names = band.find("CategoryNames")
    if names is None:
        return {}
    found = {i: (node.text or "").strip() for i, node in enumerate(names)}
    return {code: name for code, name in found.items() if name}


def _from_table(band) -> dict:
    """Names of a GDAL raster attribute table: the value and the name column by their usage."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return {}
    usage = {
        d.findtext("Usage"): int(d.get("index", i))
        for i, d in enumerate(table.findall("FieldDefn"))
    }
    value, name = usage.get("5", usage.get("3")), usage.get("2")
    if value is None or name is None:
        return {}
    found = {}
    for row in table.findall("Row"):
        cells = [cell.text or "" for cell in row.findall("F")]
        try:
            found[int(float(cells[value]))] = cells[name]
        except (ValueError, IndexError):
            continue
    return found


def _from_sidecar(path: str) -> dict:
    sidecar = Path(f"{path}.aux.xml")
    try:
        if not sidecar.is_file() or sidecar.stat().st_size > _LARGEST_SIDECAR:
            return {}
        band = ElementTree.parse(sidecar).find("PAMRasterBand")
    except (OSError, ElementTree.ParseError):
        return {}
    return {} if band is None else (_from_table(band) or _from_names(band))


def categories(path: str, tags: dict) -> dict:
    """{code: name} of the first band, from our tag or from the file's .aux.xml."""
    return _from_tag(tags) or _from_sidecar(path)


def write_sidecar(path: Path, names: dict | None) -> None:
    """Write GDAL's .aux.xml with category names, or remove one left by an older raster."""
    sidecar = Path(f"{path}.aux.xml")
    if not names:
        sidecar.unlink(missing_ok=True)
        return
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    node = ElementTree.SubElement(band, "CategoryNames")
    for code in range(max(names) + 1):
        ElementTree.SubElement(node, "Category").text = names.get(code, "")
    with atomic_file(sidecar) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8")
