"""Croissant 1.1 with GeoCroissant 1.0: what machine-learning catalogues read of a set.

The index is a record set; images and masks are file sets. Band wavelengths are in nanometres.
"""

from __future__ import annotations

import re

from .. import rasters
from ..grid import Grid
from . import stac

CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/geo/1.0"]
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "geocr": "http://mlcommons.org/croissant/geo/",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"id": "sc:Text", "split": "sc:Text"}
_COLUMNS = ("id", "split", "left", "bottom", "right", "top", "labelled_share", "mean_posterior")


def _box(bounds: tuple, crs: str) -> Grid:
    """Bounds as a grid of one pixel."""
    left, bottom, right, top = bounds
    return Grid(crs, (right - left, 0.0, left, 0.0, bottom - top, top), 1, 1)


def document(context, kept: list, report: dict, index: str, digest: str) -> dict:
    """The croissant.json of a set whose index file has this SHA-256."""
    setup, wish = context.setup, context.wish
    bounds = [p.chip.bounds for p in kept]
    whole = (min(b[0] for b in bounds), min(b[1] for b in bounds),
             max(b[2] for b in bounds), max(b[3] for b in bounds))  # fmt: skip
    _, (west, south, east, north) = stac.footprint(_box(whole, setup.grid.crs))
    bands = [(image, band) for image in setup.images for band in image.bands]
    value = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": re.sub(r"[^0-9A-Za-z_-]+", "-", setup.title).strip("-"),
        "description": f"{report['chips']} training chips exported by Concord.",
        "conformsTo": CONFORMS,
        "license": f"https://spdx.org/licenses/{wish.licence}.html",
        "version": "1.0.0",
        "isLiveDataset": False,
        "spatialCoverage": {
            "@type": "Place",
            "geo": {"@type": "GeoShape", "box": f"{south} {west} {north} {east}"},
        },
        "geocr:coordinateReferenceSystem": setup.grid.crs,
        "geocr:spatialResolution": _quantity(rasters.metres_per_pixel(setup.grid), "m"),
        "geocr:bandConfiguration": {
            "@type": "geocr:BandConfiguration",
            "geocr:totalBands": len(bands),
            "geocr:bandNameList": [_band_name(i, b, setup.images) for i, b in bands],
        },
        "geocr:samplingStrategy": _sampling(report, wish),
        "geocr:spatialBias": "Chips cover the extent of the label raster only; see rejected.csv.",
        "distribution": _distribution(setup, index, digest),
        "recordSet": [_records(index)],
    }
    known = sorted(d for d in setup.dates if d)
    if known:
        value["temporalCoverage"] = f"{known[0]}/{known[-1]}"
    spectral = [_spectral(i, b, setup.images) for i, b in bands if b.wavelength]
    if spectral:
        value["geocr:spectralBandMetadata"] = spectral
    return value


def _quantity(value: float, unit: str) -> dict:
    return {"@type": "QuantitativeValue", "value": round(float(value), 6), "unitText": unit}


def _band_name(image, band, images: list) -> str:
    return band.name if len(images) == 1 else f"{image.name}/{band.name}"


def _spectral(image, band, images: list) -> dict:
    return {
        "@type": "geocr:SpectralBand",
        "name": _band_name(image, band, images),
        "geocr:centerWavelength": _quantity(band.wavelength * 1000, "nm"),
    }


def _sampling(report: dict, wish) -> str:
    how = f"blocks of {report['block']:g} map units" if wish.split_by == "blocks" else (
        f"whole domains by {wish.split_by}")  # fmt: skip
    return (
        f"Chips of {wish.size} x {wish.rows} pixels every {wish.stride or wish.size} pixels; "
        f"split by {how} with a buffer of {report['buffer']:g}, seed {wish.seed}."
    )


def _distribution(setup, index: str, digest: str) -> list:
    kind = "text/csv" if index.endswith(".csv") else "application/vnd.apache.parquet"
    parts = [
        {"@type": "cr:FileObject", "@id": "index", "name": "index", "contentUrl": index,
         "encodingFormat": kind, "sha256": digest}
    ]  # fmt: skip
    for name, title in (*((i.name, i.name) for i in setup.images), ("label", "masks")):
        parts.append(
            {"@type": "cr:FileSet", "@id": f"{name}-files", "name": title,
             "encodingFormat": "image/tiff", "includes": f"chips/*/{name}.tif"}
        )  # fmt: skip
    return parts


def _records(index: str) -> dict:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"chips/{name}",
            "name": name,
            "dataType": _TYPES.get(name, "sc:Float"),
            "source": {"fileObject": {"@id": "index"}, "extract": {"column": name}},
        }
        for name in _COLUMNS
    ]
    return {"@type": "cr:RecordSet", "@id": "chips", "name": "chips", "field": fields}
