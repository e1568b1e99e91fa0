"""The proposals of a refinement as a review queue: what is open, and decisions that persist.

Decisions are written to the layer's own file at once, so that a review goes on where it stopped,
also after a crash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsDistanceArea,
    QgsFeatureRequest,
    QgsFillSymbol,
    QgsMapLayer,
    QgsProperty,
    QgsRendererCategory,
    QgsSymbol,
    QgsUnitTypes,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QColor

from ..engine.errors import ConcordError
from .text import tr

NEEDED = ("old_class", "new_class", "confidence", "status")
OPEN, ACCEPTED, REJECTED = "open", "accepted", "rejected"
_PLACE = "concord/review_place"
_MAPS = "concord/review_maps/"  # and the view: before, after, image
# What is decided stands out less or more than what is open.
_SEEN = (
    """CASE WHEN "status" = 'accepted' THEN 100 WHEN "status" = 'rejected' THEN 12 ELSE 55 END"""
)


@dataclass(frozen=True)
class Item:
    """One proposal of the queue."""

    fid: int
    old_class: int
    new_class: int
    old_name: str
    new_name: str
    confidence: float
    pixels: int
    area: float
    status: str


def is_proposals(layer: QgsMapLayer | None) -> bool:
    """True for a polygon layer that Refine made."""
    if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
        return False
    if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        return False
    names = layer.fields().names()
    return all(name in names for name in NEEDED)


def _number(value, fallback: float = 0.0) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return fallback


def queue(layer: QgsVectorLayer) -> list:
    """Every proposal as Item, by confidence times area, the greatest first."""
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)
    found = []
    for feature in layer.getFeatures(request):
        told = feature.attributeMap()
        found.append(
            Item(
                feature.id(),
                int(_number(told["old_class"])),
                int(_number(told["new_class"])),
                str(told.get("old_name") or told["old_class"]),
                str(told.get("new_name") or told["new_class"]),
                _number(told["confidence"]),
                int(_number(told.get("pixels"))),
                _number(told.get("area")),
                str(told["status"] or OPEN),
            )
        )
    found.sort(key=lambda item: (-item.confidence * item.area, item.fid))
    return found


def decide(layer: QgsVectorLayer, fids, status: str, new_class=None, new_name: str = "") -> list:
    """Write a decision for some proposals as one edit; what they had before, for ``restore``.

    Raises:
        ConcordError: the layer cannot be written.
    """
    wanted = {"status": status}
    if new_class is not None:
        wanted.update(new_class=int(new_class), new_name=new_name)
    columns = {name: layer.fields().indexOf(name) for name in wanted}
    columns = {name: index for name, index in columns.items() if index >= 0}
    request = QgsFeatureRequest().setFilterFids(list(fids))
    request.setFlags(QgsFeatureRequest.Flag.NoGeometry)
    before = [
        (feature.id(), {index: feature[index] for index in columns.values()})
        for feature in layer.getFeatures(request)
    ]
    after = [(fid, {columns[n]: v for n, v in wanted.items() if n in columns}) for fid, _ in before]
    _write(layer, after)
    return before


def restore(layer: QgsVectorLayer, before: list) -> None:
    """Take a decision back, exactly."""
    _write(layer, before)


def _write(layer: QgsVectorLayer, rows: list) -> None:
    provider = layer.dataProvider()
    if layer.isEditable():
        raise ConcordError(
            tr("{name} is being edited; save or stop the editing first.").format(name=layer.name())
        )
    if not provider.changeAttributeValues(dict(rows)):
        raise ConcordError(
            tr("The decision cannot be written to {name}; see that its file is not read-only.")
            .format(name=layer.name())
        )  # fmt: skip
    layer.triggerRepaint()


def remember(layer: QgsVectorLayer, fid: int) -> None:
    """Keep where the review stands, with the project."""
    layer.setCustomProperty(_PLACE, int(fid))


def remembered(layer: QgsVectorLayer) -> int:
    """The proposal at which the review stood, -1 for none."""
    return int(_number(layer.customProperty(_PLACE, -1), -1))


def remember_maps(layer: QgsVectorLayer, maps: dict) -> None:
    """Keep, with the project, the ids of the layers that a review compares: {view: id}."""
    for view, layer_id in maps.items():
        layer.setCustomProperty(_MAPS + view, layer_id)


def remembered_maps(layer: QgsVectorLayer) -> dict:
    """{view: layer id} as kept by ``remember_maps``; the layers may be gone."""
    found = {view: layer.customProperty(_MAPS + view, "") for view in ("before", "after", "image")}
    return {view: layer_id for view, layer_id in found.items() if layer_id}


def ground_area(layer: QgsVectorLayer, geometry, project) -> str:
    """Area of a geometry on the ground, in words; empty when the layer's CRS cannot tell it."""
    if not layer.crs().isValid() or geometry.isEmpty():
        return ""
    measure = QgsDistanceArea()
    measure.setSourceCrs(layer.crs(), project.transformContext())
    measure.setEllipsoid(layer.crs().ellipsoidAcronym())
    area = measure.measureArea(geometry)
    if not math.isfinite(area):  # a CRS of the file's own that QGIS cannot move to degrees
        measure.setEllipsoid("NONE")
        area = measure.measureArea(geometry)
    metres = measure.convertAreaMeasurement(area, QgsUnitTypes.AreaUnit.AreaSquareMeters)
    for size, unit in ((1e8, "km²"), (1e3, "ha")):
        if metres >= size:
            return f"{metres / (1e6 if unit == 'km²' else 1e4):,.3g} {unit}"
    return f"{metres:,.3g} m²"


def change_of(item: Item) -> str:
    """Which class becomes which."""
    return f"{item.old_name} → {item.new_name}"


def told(item: Item, layer: QgsVectorLayer, geometry, project) -> str:
    """A proposal in one line: change, confidence, area on the ground, pixels."""
    area = ground_area(layer, geometry, project)
    text = tr("{change}, {sure:.0f} % sure, {size}{pixels:,} pixels")
    if item.pixels == 1:
        text = tr("{change}, {sure:.0f} % sure, {size}1 pixel")
    size = f"{area}, " if area else ""
    sure = 100 * item.confidence
    return text.format(change=change_of(item), sure=sure, size=size, pixels=item.pixels)


def ended(items: list) -> str:
    """What to say when there is nothing to decide."""
    if not items:
        return tr("No proposals yet.")
    if any(item.status == ACCEPTED for item in items):
        return tr("Every proposal is decided; apply what you accepted.")
    return tr("Every proposal is rejected; the map stays as it is.")


def next_open(items: list, after: int = -1) -> int:
    """Position of the next open proposal after a position, going round; -1 when none is left."""
    count = len(items)
    for step in range(1, count + 1):
        place = (after + step) % count
        if items[place].status == OPEN:
            return place
    return -1


def style(layer: QgsVectorLayer, colours: dict) -> None:
    """One entry for each change of class, in the colour of the new class {code: "#rrggbb"}.

    Only lightly filled, so that the image stays readable; accepted ones stand out, rejected ones
    fade.
    """
    kinds = {}
    for item in queue(layer):
        kinds.setdefault(change_of(item), item.new_class)
    categories = []
    # The enum's members are called otherwise in QGIS 3.22 and 3.40; this name is the same.
    by_name = {known.name(): key for key, known in QgsSymbol.propertyDefinitions().items()}
    for text, code in sorted(kinds.items()):
        colour = QColor(colours.get(code, "#d62728"))
        edge = colour.darker(140)
        simple = {
            "color": f"{colour.red()},{colour.green()},{colour.blue()},110",
            "outline_color": f"{edge.red()},{edge.green()},{edge.blue()},255",
            "outline_width": "0.5",
        }
        symbol = QgsFillSymbol.createSimple(simple)
        opacity = QgsProperty.fromExpression(_SEEN)
        symbol.setDataDefinedProperty(QgsSymbol.Property(by_name["alpha"]), opacity)
        categories.append(QgsRendererCategory(text, symbol, text))
    change = '"old_name" || \' → \' || "new_name"'
    layer.setRenderer(QgsCategorizedSymbolRenderer(change, categories))
    layer.triggerRepaint()
