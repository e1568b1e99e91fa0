"""Label layers: making one, and writing an accepted proposal as one undoable step."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsGeometry,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ..engine.errors import ConcordError
from .text import tr

LAYER = "labels"
FIELDS = (
    ("class", "integer"),
    ("class_name", "string(120)"),
    ("source", "string(20)"),
    ("annotator", "string(120)"),
    ("score", "double"),
    ("created", "string(32)"),
    ("object", "integer"),
    ("composite", "string(120)"),
    ("model", "string(250)"),
)


def create_label_layer(
    path: str | Path,
    crs: QgsCoordinateReferenceSystem,
    name: str,
    context: QgsCoordinateTransformContext | None = None,
) -> QgsVectorLayer:
    """Make an empty GeoPackage label layer (multipolygons) and open it.

    Raises ConcordError when the file exists or cannot be written.
    """
    path = Path(path)
    if path.exists():
        raise ConcordError(tr("{path} exists already; choose another name.").format(path=path))
    # A memory layer spells the field types the same way in every QGIS version.
    spec = "&".join(f"field={field}:{kind}" for field, kind in FIELDS)
    fields = QgsVectorLayer(f"MultiPolygon?{spec}", "", "memory").fields()
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = LAYER
    writer = QgsVectorFileWriter.create(
        str(path),
        fields,
        QgsWkbTypes.Type.MultiPolygon,
        crs,
        context or QgsCoordinateTransformContext(),
        options,
    )
    problem = writer.errorMessage()
    del writer  # closes the file
    layer = QgsVectorLayer(f"{path}|layername={LAYER}", name, "ogr")
    if problem or not layer.isValid():
        raise ConcordError(
            tr("Cannot write {path}: {why}; choose another folder.").format(
                path=path, why=problem or tr("the file cannot be opened again")
            )
        )
    return layer


def problem(layer: QgsVectorLayer | None) -> str:
    """Why a layer cannot take labels, or an empty string."""
    if layer is None or not layer.isValid():
        return tr("Choose a label layer, or make one.")
    if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        return tr("{name} holds no polygons; choose a polygon layer.").format(name=layer.name())
    if layer.fields().indexOf("class") < 0:
        return tr("{name} has no field class; add one or make a new label layer.").format(
            name=layer.name()
        )
    if layer.readOnly() or not (
        layer.dataProvider().capabilities() & layer.dataProvider().Capability.AddFeatures
    ):
        return tr("{name} is read only; choose a layer that can be edited.").format(
            name=layer.name()
        )
    return ""


def accept(
    layer: QgsVectorLayer,
    geometry: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    values: dict,
    context: QgsCoordinateTransformContext,
) -> None:
    """Write one proposal as one feature in one edit command: one undo step takes it back.

    `geometry` is in `crs`; `values` are by field name, and fields the layer lacks are skipped.
    The layer stays in edit mode: saving is the user's. Raises ConcordError, with the layer as it
    was, when the proposal cannot be written.
    """
    reason = problem(layer)
    if reason:
        raise ConcordError(reason)
    shape = _in_layer_crs(layer, geometry, crs, context)
    if not layer.isEditable() and not layer.startEditing():
        raise ConcordError(tr("{name} cannot be edited.").format(name=layer.name()))
    fields = layer.fields()
    attributes = {
        fields.indexOf(name): content
        for name, content in values.items()
        if content is not None and fields.indexOf(name) >= 0
    }
    layer.beginEditCommand(tr("Accept proposal"))
    done = False
    try:
        feature = QgsVectorLayerUtils.createFeature(layer, shape, attributes)
        done = layer.addFeature(feature)
    finally:
        if done:
            layer.endEditCommand()
        else:
            layer.destroyEditCommand()
    if not done:
        raise ConcordError(
            tr("{name} did not take the proposal; check its constraints.").format(name=layer.name())
        )
    layer.triggerRepaint()


def _in_layer_crs(layer, geometry, crs, context) -> QgsGeometry:
    shape = QgsGeometry(geometry)
    if shape.isNull() or shape.isEmpty():
        raise ConcordError(tr("The proposal is empty; add a point inside the object."))
    try:
        shape.transform(QgsCoordinateTransform(crs, layer.crs(), context))
    except QgsCsException as error:
        raise ConcordError(
            tr("The proposal cannot be brought into the CRS of {name}.").format(name=layer.name())
        ) from error
    fitting = shape.coerceToType(layer.wkbType())
    if len(fitting) != 1:
        raise ConcordError(
            tr("{name} takes single polygons only and the proposal has {n} parts.").format(
                name=layer.name(), n=len(fitting)
            )
        )
    return fitting[0]


def next_object(layer: QgsVectorLayer) -> int:
    """The first object number that the layer does not use yet."""
    index = layer.fields().indexOf("object")
    highest = layer.maximumValue(index) if index >= 0 else 0
    try:
        return int(highest or 0) + 1
    except (TypeError, ValueError):  # an empty layer answers with a null value
        return 1
