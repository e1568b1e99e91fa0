"""Layers turned into plain values on the main thread, before any work starts elsewhere.

Worker threads never touch a QGIS layer: they get paths, bounds, CRS texts and GeoJSON.
"""

from __future__ import annotations

import json
import os

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapLayer,
    QgsPointXY,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsWkbTypes,
)

from ..engine.errors import ConcordError
from ..engine.files import is_dataset_name
from .text import tr


def split_list(value) -> list:
    """A Processing value as a list: lists stay, text is cut at ';' unless it is a path itself."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        if os.path.exists(value):
            return [value]
        return [part.strip() for part in value.split(";") if part.strip()]
    if isinstance(value, (list, tuple)):
        return [item for part in value for item in split_list(part)]
    return [value]


def file_of_layer(layer: QgsMapLayer) -> str:
    """The file behind a raster layer.

    Raises:
        ConcordError: the layer comes from a service, not from a file.
    """
    source = layer.source()
    if isinstance(layer, QgsRasterLayer) and layer.providerType() != "gdal":
        raise ConcordError(
            f"The layer {layer.name()} is no file (it comes from {layer.providerType()}); "
            "export it to GeoTIFF first."
        )
    return source


def crs_problem(layer: QgsMapLayer) -> str:
    """Why the CRS of a raster's file cannot be used, in one sentence, or ''.

    The engine reads the file, so that a CRS that only the layer was given does not help.
    """
    provider = layer.dataProvider()
    if layer.providerType() != "gdal" or provider is None or provider.crs().isValid():
        return ""
    if raster_crs(layer.source()):  # written since the layer was opened
        return ""
    text = tr(
        "The file of {name} has no CRS; write one into it with the tool Assign projection "
        "(Raster > Projections), as the layer's own CRS is not enough."
    )
    return text.format(name=layer.name())


def raster_path(value, context) -> str:
    """The file behind a raster parameter: a layer, a layer id or name, or a path."""
    if isinstance(value, QgsMapLayer):
        return file_of_layer(value)
    text = str(value)
    project = context.project() if context is not None else None
    layer = None  # asked for before the path, as QGIS does: a layer may be named like a folder
    if project is not None:
        named = project.mapLayersByName(text)
        layer = project.mapLayer(text) or (named[0] if named else None)
    if layer is None and context is not None:
        layer = context.temporaryLayerStore().mapLayer(text)
    return file_of_layer(layer) if layer is not None else text


def _probe(path: str):
    """A provider to ask questions; a layer would read pixels and write an .aux.xml beside them."""
    return QgsProviderRegistry.instance().createProvider("gdal", path)


def raster_problem(path: str) -> str:
    """Why a path cannot be used as a raster, in one sentence, or ''."""
    if path.startswith("/vsi"):
        return ""
    named = is_dataset_name(path)
    if not named and not os.path.exists(path):
        return f"The raster {path} does not exist; check the path."
    if not named and os.path.isdir(path):
        return f"{path} is a folder; choose a raster file in it."
    provider = _probe(path)
    if provider is None or not provider.isValid():
        return f"{path} cannot be opened as a raster; choose a file that GDAL can read."
    return ""


def crs_text(crs: QgsCoordinateReferenceSystem) -> str:
    """An authority code where there is one, else WKT; '' when the CRS is not known."""
    if not crs.isValid():
        return ""
    authid = crs.authid()
    return authid if authid.startswith(("EPSG:", "ESRI:", "OGC:")) else crs.toWkt()


def qgis_crs(text: str) -> QgsCoordinateReferenceSystem:
    """The other way round."""
    crs = QgsCoordinateReferenceSystem()
    if text and not crs.createFromUserInput(text):
        crs = QgsCoordinateReferenceSystem.fromWkt(text)
    return crs


def features_of(source, attributes=()) -> list:
    """[(QgsGeometry in the source's CRS, {attribute: value})], without empty geometries."""
    names = [field.name() for field in source.fields()]
    wanted = [name for name in attributes if name in names]
    return [
        (feature.geometry(), {name: feature[name] for name in wanted})
        for feature in source.getFeatures()
        if not feature.geometry().isEmpty()
    ]


def as_json(features, source_crs, crs: str, transform_context, name: str) -> list:
    """What `features_of` gave, as GeoJSON geometries in ``crs``; safe outside the main thread."""
    target = qgis_crs(crs)
    transform = QgsCoordinateTransform(source_crs, target, transform_context)
    moved = source_crs.isValid() and source_crs != target
    found = []
    for geometry, attributes in features:
        if moved:
            _move(geometry, transform, name)
        found.append((json.loads(geometry.asJson(9)), attributes))
    return found


def shapes_in(layer, extent, extent_crs, crs, project) -> list:
    """GeoJSON in ``crs`` of the features that an extent may touch. Raises QgsCsException."""
    box = QgsCoordinateTransform(extent_crs, layer.crs(), project).transformBoundingBox(extent)
    move, shapes = QgsCoordinateTransform(layer.crs(), crs, project), []
    request = QgsFeatureRequest().setFilterRect(box).setNoAttributes()
    for feature in layer.getFeatures(request):
        shape = feature.geometry()
        shape.transform(move)
        shapes.append(json.loads(shape.asJson(12)))
    return shapes


def features_as_json(source, crs: str, context, attributes=()) -> list:
    """[(GeoJSON geometry in ``crs``, {attribute: value})] of a Processing feature source."""
    features = features_of(source, attributes)
    transforms = context.transformContext()
    return as_json(features, source.sourceCrs(), crs, transforms, source.sourceName())


def _move(geometry: QgsGeometry, transform: QgsCoordinateTransform, name: str) -> None:
    try:
        geometry.transform(transform)
    except QgsCsException as error:
        raise ConcordError(
            f"The layer {name} has coordinates that do not exist in its CRS; check "
            "which CRS it was given."
        ) from error


def is_polygon(source) -> bool:
    return QgsWkbTypes.geometryType(source.wkbType()) == QgsWkbTypes.GeometryType.PolygonGeometry


def is_point(source) -> bool:
    return QgsWkbTypes.geometryType(source.wkbType()) == QgsWkbTypes.GeometryType.PointGeometry


def raster_crs(path: str) -> str:
    """The CRS text of a raster file, as QGIS reads it."""
    provider = _probe(path)
    return crs_text(provider.crs()) if provider is not None else ""


def geometry_of(shapes: list) -> QgsGeometry:
    """A QGIS multipolygon from several GeoJSON polygons."""
    parts = [
        [[QgsPointXY(x, y) for x, y in ring] for ring in shape["coordinates"]] for shape in shapes
    ]
    return QgsGeometry.fromMultiPolygonXY(parts)
