"""Values for chips out of layers and texts: split polygons, points, parcels, licences, codes."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from qgis.core import QgsGeometry, QgsProject, QgsVectorFileWriter, QgsVectorLayer
from qgis.PyQt.QtCore import QDate, QDateTime

from ..engine import files
from ..engine.errors import ConcordError
from .capture import crs_text
from .text import tr

# The registry itself needs rasterio; this list is checked against it by a test.
FORMATS = (
    ("native", "GeoTIFF with STAC"),
    ("coco", "COCO, polygons and run lengths"),
    ("yolo", "YOLO, outlines"),
    ("yolo-box", "YOLO, boxes"),
    ("yolo-obb", "YOLO, oriented boxes"),
    ("voc", "Pascal VOC"),
    ("esri", "Esri, Classified Tiles"),
    ("esri-rcnn", "Esri, RCNN Masks"),
    ("torchgeo", "TorchGeo folders"),
    ("rastervision", "Raster Vision"),
    ("zarr", "Zarr"),
    ("netcdf", "NetCDF, one file a chip"),
    ("eurosat", "Class folders (EuroSAT)"),
    ("landcovernet", "LandCoverNet layout"),
    ("flair", "FLAIR layout"),
    ("pastis", "PASTIS layout"),
    ("ftw", "Fields of The World layout"),
)


def formats_help() -> str:
    """Every format in one tooltip."""
    listed = "; ".join(f"{name}: {title}" for name, title in FORMATS)
    return tr("Separated by ';'. {formats}.").format(formats=listed)


def regions(source, field: str) -> list:
    """(value, GeoJSON, CRS text) of every polygon; without a field each is a domain of its own."""
    if field and source.fields().lookupField(field) < 0:
        names = ", ".join(f.name() for f in source.fields())
        raise ConcordError(f"The split layer has no field {field}; use one of {names}.")
    crs = crs_text(source.sourceCrs())
    found = []
    for feature in source.getFeatures():
        if feature.hasGeometry():
            value = str(feature[field]) if field else f"polygon {feature.id()}"
            found.append((value, _json(feature.geometry()), crs))
    if not found:
        raise ConcordError("The split layer holds no polygon; choose another layer.")
    return found


def points(source, field: str, date_field: str = "") -> tuple:
    """([(x, y, code, ISO date or '')], CRS text) of a layer of labelled points."""
    for wanted in (field, date_field):
        if wanted and source.fields().lookupField(wanted) < 0:
            names = ", ".join(f.name() for f in source.fields())
            raise ConcordError(f"The points have no field {wanted}; use one of {names}.")
    found = []
    for feature in source.getFeatures():
        code = _code(feature[field])
        if code is None:
            raise ConcordError(
                f"The point {feature.id()} has no class code in {field} ({feature[field]}); give "
                "a whole number."
            )
        date = _day(feature[date_field], feature.id()) if date_field else ""
        for spot in feature.geometry().vertices():
            found.append((spot.x(), spot.y(), code, date))
    return found, crs_text(source.sourceCrs())


def _code(value) -> int | None:
    """A whole number, None when the value is empty, a fraction or a text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def _day(value, number: int) -> str:
    """A date, a date with time or a text as ISO date."""
    if isinstance(value, QDateTime):
        value = value.date()
    text = value.toString("yyyy-MM-dd") if isinstance(value, QDate) else str(value)[:10]
    try:
        return iso_date(text)
    except ConcordError as error:
        raise ConcordError(f"The point {number} has no date; fill it in as 2024-01-31.") from error


def parcels(source, name: str, field: str) -> tuple:
    """([(id, value, GeoJSON)], CRS text) of a layer of parcels; fields may be ''."""
    for wanted in (name, field):
        if wanted and source.fields().lookupField(wanted) < 0:
            names = ", ".join(f.name() for f in source.fields())
            raise ConcordError(f"The parcels have no field {wanted}; use one of {names}.")
    found = []
    for feature in source.getFeatures():
        if feature.hasGeometry():
            key = str(feature[name]) if name else str(feature.id())
            value = str(feature[field]) if field else ""
            found.append((key, value, _json(feature.geometry())))
    return found, crs_text(source.sourceCrs())


def _json(geometry: QgsGeometry) -> dict:
    if geometry.isNull() or geometry.isEmpty():
        raise ConcordError("A polygon has no geometry; repair the layer.")
    return json.loads(geometry.asJson(12))


def moved(geometry: dict, source: str, target: str) -> dict:
    """A GeoJSON (Multi)Polygon in another CRS."""
    from ..engine import rasters

    if rasters.same_crs(source, target) or not source:
        return geometry

    def ring(spots):
        return [list(s) for s in rasters.transform_points([s[:2] for s in spots], source, target)]

    parts = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        return {"type": "Polygon", "coordinates": [ring(r) for r in parts]}
    return {"type": "MultiPolygon", "coordinates": [[ring(r) for r in p] for p in parts]}


def codes(texts: list) -> tuple:
    """Class codes from texts."""
    try:
        return tuple(int(text) for text in texts)
    except ValueError as error:
        raise ConcordError(
            f"The object classes {'; '.join(texts)} are no codes; give numbers such as 1;2."
        ) from error


def sources(texts: list) -> dict:
    """{file: licence} from 'file=licence' texts."""
    found = {}
    for text in texts:
        name, sign, licence = str(text).partition("=")
        if not sign or not name.strip():
            raise ConcordError(f"'{text}' is no licence of an input; write file=licence.")
        found[name.strip()] = licence.strip()
    return found


def iso_date(text: str) -> str:
    """A date as YYYY-MM-DD, or ''."""
    if text and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", text):
        raise ConcordError(f"The date '{text}' is not known; write it as 2024-01-31.")
    return text


def write_outlines(path: str, features: list, context) -> None:
    """GeoJSON features in longitude/latitude as a vector file in the format of its ending."""
    content = {"type": "FeatureCollection", "features": features}
    if str(path).lower().endswith((".geojson", ".json")):
        files.write_json(path, content)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "chips.geojson"
        files.write_json(source, content)
        layer = QgsVectorLayer(str(source), "chips", "ogr")
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName = QgsVectorFileWriter.driverForExtension(Path(path).suffix)
        options.fileEncoding = "UTF-8"
        transforms = (context.project() or QgsProject.instance()).transformContext()
        error, text, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(
            layer, str(path), transforms, options
        )
        del layer  # Windows cannot remove a file that is open
    if error != QgsVectorFileWriter.WriterError.NoError:
        raise ConcordError(f"{path} cannot be written ({text}); choose another file.")
