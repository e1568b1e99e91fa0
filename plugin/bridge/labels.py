"""Label layers: making one, and writing an accepted proposal as one undoable step."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ..engine.errors import ConcordError
from .planar import Rule, Settled, settle
from .shaping import Finish, finished
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
    ("points", "string(2000)"),
)
NAMES = tuple(name for name, _ in FIELDS)
MAPPING = "concord/fields"  # custom property of a layer whose fields have other names


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
    if field_of(layer, "class") < 0:
        return tr(
            "{name} has no field class; choose the field that holds it under Fields, or make a "
            "new label layer."
        ).format(name=layer.name())
    if layer.readOnly() or not (
        layer.dataProvider().capabilities() & layer.dataProvider().Capability.AddFeatures
    ):
        return tr("{name} is read only; choose a layer that can be edited.").format(
            name=layer.name()
        )
    return ""


def mapping(layer: QgsVectorLayer) -> dict:
    """{label field: the layer's own field} as the user chose; names not in it stand as they are."""
    try:
        found = json.loads(str(layer.customProperty(MAPPING, "") or "{}"))
    except ValueError:  # edited by hand
        return {}
    return found if isinstance(found, dict) else {}


def set_mapping(layer: QgsVectorLayer, chosen: dict) -> None:
    """Remember field names in the project, with the layer."""
    layer.setCustomProperty(MAPPING, json.dumps({k: v for k, v in chosen.items() if v}))


def field_of(layer: QgsVectorLayer, name: str) -> int:
    """Index of the layer's field for a label field, -1 when it has none."""
    return layer.fields().indexOf(mapping(layer).get(name, name))


def accept(
    layer: QgsVectorLayer,
    geometry: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    values: dict,
    context: QgsCoordinateTransformContext,
    finish: Finish | None = None,
    rule: Rule | None = None,
    replaces: int | None = None,
    title: str = "",
) -> None:
    """Write one proposal as one feature in one edit command: one undo step takes it back.

    The layer stays in edit mode: saving is the user's. Neighbours that give way change in the
    same step.

    Args:
        geometry: in ``crs``.
        values: by label field; fields that the layer lacks are skipped.
        finish: how the outline is tidied, in the layer's units.
        rule: how it gets on with the labels that are there.
        replaces: id of the label that gets the new outline, instead of a new feature.
        title: what the undo step is called.

    Raises:
        ConcordError: the proposal cannot be written; the layer is as it was.
    """
    reason = problem(layer)
    if reason:
        raise ConcordError(reason)
    shape = _moved(layer, geometry, crs, context)
    shape = finished(shape, finish) if finish is not None else shape
    settled = settle(layer, shape, rule, replaces) if rule is not None else Settled(shape)
    outline = fitting(layer, settled.geometry)
    changed = {number: fitting(layer, other) for number, other in settled.changed.items()}
    attributes = _attributes(layer, values)
    in_one_step(
        layer,
        title or tr("Accept proposal"),
        lambda: _write(layer, outline, attributes, changed, settled.deleted, replaces),
    )


def in_one_step(layer: QgsVectorLayer, title: str, write, refused: str = "") -> None:
    """Call `write()` inside one edit command; where it answers False nothing of it stays.

    Args:
        refused: the sentence for an edit that the layer did not take.

    Raises:
        ConcordError: the layer cannot be edited or did not take an edit.
    """
    if not layer.isEditable() and not layer.startEditing():
        raise ConcordError(tr("{name} cannot be edited.").format(name=layer.name()))
    layer.beginEditCommand(title)
    done = False
    try:
        done = write()
    finally:
        if done:
            layer.endEditCommand()
        else:
            layer.destroyEditCommand()
    if not done:
        plain = tr("{name} did not take the change; check its constraints.")
        raise ConcordError(refused or plain.format(name=layer.name()))
    layer.triggerRepaint()


def _write(layer, outline, attributes: dict, changed: dict, deleted: list, replaces) -> bool:
    """Make the changes inside an open edit command; False when one was refused."""
    for number, other in changed.items():
        if not layer.changeGeometry(number, other):
            return False
    for number in deleted:
        if not layer.deleteFeature(number):
            return False
    if replaces is None:
        return layer.addFeature(QgsVectorLayerUtils.createFeature(layer, outline, attributes))
    return layer.changeGeometry(replaces, outline) and layer.changeAttributeValues(
        replaces, attributes
    )


def _attributes(layer: QgsVectorLayer, values: dict) -> dict:
    found = {}
    for name, content in values.items():
        index = field_of(layer, name)
        if content is None or index < 0:
            continue
        field = layer.fields().at(index)
        # A class field of text gets the name where the code is no text.
        if name == "class" and field.typeName().lower() in ("string", "text", "varchar"):
            content = str(values.get("class_name") or content)
        if isinstance(content, str) and 0 < field.length() < len(content):
            content = content[: field.length()]
        found[index] = content
    return found


def _moved(layer, geometry, crs, context) -> QgsGeometry:
    if geometry.isNull() or geometry.isEmpty():
        raise ConcordError(tr("The proposal is empty; add a point inside the object."))
    return moved(layer, geometry, crs, context, tr("The proposal"))


def moved(layer: QgsVectorLayer, geometry: QgsGeometry, crs, context, what: str) -> QgsGeometry:
    """A geometry of `crs` in the layer's CRS. Raises ConcordError where it has no place there."""
    shape = QgsGeometry(geometry)
    try:
        shape.transform(QgsCoordinateTransform(crs, layer.crs(), context))
        known = shape.boundingBox().isFinite()  # some projections answer with infinity
    except QgsCsException:
        known = False
    if not known:
        raise ConcordError(
            tr("{what} cannot be brought into the CRS of {name}.").format(
                what=what, name=layer.name()
            )
        )
    return shape


def fitting(layer: QgsVectorLayer, shape: QgsGeometry) -> QgsGeometry:
    """A geometry as the layer's type. Raises ConcordError for parts that it cannot hold."""
    shapes = shape.coerceToType(layer.wkbType())
    if len(shapes) != 1:
        raise ConcordError(
            tr(
                "{name} takes single polygons only and the proposal has {n} parts; leave one part, "
                "or choose a layer of multipolygons."
            ).format(name=layer.name(), n=len(shapes))
        )
    return shapes[0]


def label_at(layer: QgsVectorLayer, point: QgsPointXY, crs, project, fits=None) -> tuple | None:
    """(outline in `crs`, id) of the smallest label at a point given in `crs`; None without one.

    Only labels for which `fits(feature)` is true count.
    """
    move = QgsCoordinateTransform(crs, layer.crs(), project)
    try:
        spot = move.transform(point)
        around = QgsRectangle(spot.x(), spot.y(), spot.x(), spot.y())
        around.grow(1e-9 * max(1.0, abs(spot.x()), abs(spot.y())))  # an empty one finds all
        here = QgsGeometry.fromPointXY(spot)
        request = QgsFeatureRequest().setFilterRect(around)
        hits = [f for f in layer.getFeatures(request) if f.geometry().intersects(here)]
        hits = [hit for hit in hits if fits is None or fits(hit)]
        if not hits:
            return None
        feature = min(hits, key=lambda hit: hit.geometry().area())
        outline = feature.geometry()
        outline.transform(QgsCoordinateTransform(layer.crs(), crs, project))
    except QgsCsException:
        return None
    return outline, feature.id()


def save(layer: QgsVectorLayer) -> None:
    """Commit a label layer and stay in edit mode. Raises ConcordError with the provider's words."""
    if not layer.commitChanges(False):
        errors = "; ".join(layer.commitErrors())
        raise ConcordError(
            tr("{name} could not be saved ({why}).").format(name=layer.name(), why=errors)
        )


def next_object(layer: QgsVectorLayer) -> int:
    """The first object number that the layer does not use yet."""
    index = field_of(layer, "object")
    highest = layer.maximumValue(index) if index >= 0 else 0
    try:
        return int(highest or 0) + 1
    except (TypeError, ValueError):  # an empty layer answers with a null value
        return 1
