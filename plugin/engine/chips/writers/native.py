"""Concord's own format: GeoTIFF images, mask, consensus and a STAC item a chip."""

from __future__ import annotations

import json

from .. import stac
from . import base

_MASKS = {
    "instance": ("Object numbers, 0 outside objects", "uint16"),
    "boundary": ("Boundary of the objects", "uint8"),
}


def chip(sample: base.Sample) -> tuple:
    """Images, masks and the item of a chip."""
    setup, place = sample.setup, f"chips/{sample.id}"
    files, assets = {}, {}
    for cut in sample.cuts:
        files[f"{place}/{cut.name}.tif"] = sample.tiff(cut)
        assets[cut.name] = _image_asset(cut, sample, setup)
    files[f"{place}/label.tif"] = sample.label_tiff
    assets["labels"] = {**stac.label_asset(setup.scheme), "ml-aoi:reference-grid": True}
    if sample.posterior is not None:
        files[f"{place}/consensus.tif"] = sample.layer(sample.posterior, "posterior", "percent")
        assets["consensus"] = _layer("consensus", "posterior", "uint8", "percent")
    if sample.weight is not None:
        files[f"{place}/weight.tif"] = sample.layer(sample.weight, "weight", "percent")
        assets["weight"] = _layer("weight", "weight", "uint8", "percent")
    for kind in setup.wish.masks:
        array = sample.numbers if kind == "instance" else sample.boundary.astype("uint8")
        files[f"{place}/{kind}.tif"] = sample.layer(array, kind)
        assets[kind] = {**_layer(kind, kind, _MASKS[kind][1]), "title": _MASKS[kind][0]}
    item = stac.item(sample.planned, setup.grid, assets, setup.scheme, setup.wish.licence,
                     _date(sample), sensors=[c.image.recognised for c in sample.cuts],
                     names=[c.image.path for c in sample.cuts])  # fmt: skip
    # Without indentation, which only Python's slow encoder knows.
    text = json.dumps(item, ensure_ascii=False, allow_nan=False)
    files[f"{place}/{sample.id}.json"] = text.encode("utf-8") + b"\n"
    return files, {"bbox": item["bbox"]}


def _date(sample: base.Sample) -> list:
    if sample.setup.wish.date:
        return [sample.setup.wish.date]
    return sorted({d for cut in sample.cuts for d in cut.image.dates})


def _image_asset(cut, sample, setup) -> dict:
    asset = {
        "href": f"./{cut.name}.tif",
        "roles": ["data"],
        "bands": setup.bands[cut.name],
    }
    if cut.image.is_resampled:
        asset["ml-aoi:resampling-method"] = cut.image.resampling
    dates = cut.image.dates
    if len(dates) == 1 and not setup.wish.date:
        asset["datetime"] = f"{dates[0]}T00:00:00Z"
    if cut.grid != sample.grid:  # another resolution than the item's
        asset["proj:shape"] = [cut.grid.height, cut.grid.width]
        asset["proj:transform"] = list(cut.grid.transform)
        asset["proj:bbox"] = list(cut.grid.bounds)
    return asset


def _layer(file: str, name: str, dtype: str, unit: str = "") -> dict:
    band = {"name": name, "data_type": dtype, **({"unit": unit} if unit else {})}
    return {"href": f"./{file}.tif", "roles": ["data", name], "bands": [band]}


def finish(entries, setup: base.Setup):
    """The collection that links every chip."""
    boxes = [record["bbox"] for _, record in base.own(entries, "native")]
    links = (entry.id for entry, _ in base.own(entries, "native"))
    yield "collection.json", stac.collection(links, boxes, setup)


def check(folder, codes):
    """The native set is checked item by item in ``check``; nothing more here."""
    return ()


FORMATS = (base.Format("native", "GeoTIFF with STAC", chip, finish, check),)
