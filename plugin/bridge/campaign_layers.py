"""Between a campaign and the map: imagery, tasks, one person's label layer, votes side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateTransform,
    QgsDataSourceUri,
    QgsFeature,
    QgsFeatureRequest,
    QgsFillSymbol,
    QgsGeometry,
    QgsJsonUtils,
    QgsProject,
    QgsProviderRegistry,
    QgsRectangle,
    QgsRendererCategory,
    QgsVectorLayer,
)

from ..engine import rasters
from ..engine.campaign import drawings
from ..engine.errors import ConcordError
from . import labels, layers
from .campaign_db import Address
from .campaign_looks import TaskRow, Vote
from .campaign_store import Store
from .capture import qgis_crs
from .text import tr


def bounds_of(store: Store, task: TaskRow) -> QgsRectangle:
    """The task's rectangle in the CRS of the campaign."""
    left, bottom, right, top = store.settings.grid.sub(task.window).bounds
    return QgsRectangle(left, bottom, right, top)


def add_imagery(store: Store, project: QgsProject) -> list:
    """Open the campaign's images that are not open yet; returns sentences about missing ones."""
    known = {layer.source() for layer in project.mapLayers().values()}
    missing = []
    for path in store.settings.imagery:
        if path in known:
            continue
        if not Path(path).exists():
            missing.append(
                tr("The image {path} is missing; ask the lead where it is.").format(path=path)
            )
            continue
        layers.add_raster(path, Path(path).stem, "scene", project)
    return missing


def imagery(store: Store, project: QgsProject) -> list:
    """The campaign's images that are open, the first one on top."""
    opened = {layer.source(): layer for layer in project.mapLayers().values()}
    return [opened[path] for path in store.settings.imagery if path in opened]


def lift(layer, project: QgsProject) -> None:
    """Put a layer on top of the project: places must not vanish below the imagery."""
    root = project.layerTreeRoot()
    node = root.findLayer(layer.id()) if layer is not None else None
    if node is not None and root.children()[0].name() != node.name():
        root.insertChildNode(0, node.clone())
        node.parent().removeChildNode(node)


def show_states(layer: QgsVectorLayer, view: dict) -> None:
    """Bring the tasks on the map up to date: how many in each state, how many hours are left."""
    hours = view["hours_left"]
    text = tr("Tasks, about {h:.1f} h left").format(h=hours) if view["left"] else tr("Tasks, done")
    layer.setName(text)
    layer.setRenderer(_states(view["tasks"]))
    layer.triggerRepaint()
    layer.emitStyleChanged()


def task_layer(store_text: str, where: Address, table: str = "task") -> QgsVectorLayer:
    """The tasks as a layer coloured by state; an annotator sees places, not who is right."""
    title = tr("Tasks")
    if where.kind == "file":
        layer = QgsVectorLayer(f"{where.target}|layername=task", title, "ogr")
    else:
        metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
        known = metadata.connections()
        name = store_text.partition("/")[0]
        uri = QgsDataSourceUri(known[name].uri() if name in known else store_text)
        uri.setDataSource(where.schema, table, "geom", "", "id")
        layer = QgsVectorLayer(uri.uri(False), title, "postgres")
    if not layer.isValid():
        raise ConcordError(tr("The tasks of the campaign cannot be shown as a layer."))
    layer.setReadOnly(True)
    layer.setRenderer(_states())
    return layer


def _states(counts: dict | None = None) -> QgsCategorizedSymbolRenderer:
    categories = []
    for key, (colour, title) in drawings.STATES.items():
        symbol = QgsFillSymbol.createSimple(
            {"color": _faint(colour, key), "outline_color": colour, "outline_width": "0.5"}
        )
        label = tr(title) if counts is None else f"{tr(title)} ({counts.get(key, 0)})"
        categories.append(QgsRendererCategory(key, symbol, label))
    return QgsCategorizedSymbolRenderer("state", categories)


def _faint(colour: str, state: str) -> str:
    """Open tasks are not filled: who labels must see the image as it is."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"{r},{g},{b},{0 if state == 'open' else 50}"


def label_layer(store: Store, project: QgsProject, folder: Path) -> QgsVectorLayer:
    """The one label layer of this person in this campaign, made when it is not there yet."""
    stem = re.sub(r"\W+", "-", f"{store.settings.title} {store.me}").strip("-").lower()
    path = Path(folder) / f"{stem}-{store.ident[:8]}.gpkg"
    for layer in project.mapLayers().values():
        if layer.source().partition("|")[0] == str(path):
            return layer
    title = tr("Labels of {name}").format(name=store.me)
    if path.exists():
        layer = QgsVectorLayer(f"{path}|layername={labels.LAYER}", title, "ogr")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        crs = qgis_crs(store.settings.grid.crs)
        layer = labels.create_label_layer(path, crs, title, project.transformContext())
    if not layer.isValid():
        raise ConcordError(tr("Your labels in {path} cannot be opened.").format(path=path))
    layers.style_labels(layer, store.scheme)
    layers.add_layer(layer, project)
    return layer


def _inside(layer: QgsVectorLayer, box: QgsRectangle) -> list:
    request = QgsFeatureRequest().setFilterRect(box)
    frame = QgsGeometry.fromRect(box)
    return [
        feature
        for feature in layer.getFeatures(request)
        if feature.geometry().intersection(frame).area() > 0
    ]


def work_of(layer: QgsVectorLayer, store: Store, task: TaskRow, project: QgsProject) -> tuple:
    """(mask, GeoJSON text) of the labels inside a task; later features lie on top.

    The mask is (rows, cols) uint8 of class codes, 0 where nothing was drawn.
    """
    crs = qgis_crs(store.settings.grid.crs)
    move = QgsCoordinateTransform(crs, layer.crs(), project.transformContext())
    back = QgsCoordinateTransform(layer.crs(), crs, project.transformContext())
    box = bounds_of(store, task)
    known = set(store.scheme.codes)
    burned, features = [], []
    for feature in _inside(layer, move.transformBoundingBox(box)):
        code = feature["class"]
        if not isinstance(code, int) or code not in known:
            raise ConcordError(
                tr("A label in task {n} has the class {code}, which the campaign does not have; "
                   "give it one of its classes.").format(n=task.id, code=code)
            )  # fmt: skip
        shape = QgsGeometry(feature.geometry())
        shape.transform(back)
        geometry = json.loads(shape.asJson(9))
        burned.append((geometry, code))
        features.append({"type": "Feature", "geometry": geometry, "properties": {"class": code}})
    mask = rasters.burn(burned, store.settings.grid.sub(task.window))
    text = json.dumps({"type": "FeatureCollection", "features": features})
    return mask, text if features else ""


def restore(layer: QgsVectorLayer, store: Store, task: TaskRow, vote: Vote | None) -> int:
    """Put the stored version of a task back into an empty place; returns the labels added."""
    if vote is None or not vote.shapes:
        return 0
    crs = qgis_crs(store.settings.grid.crs)
    context = QgsProject.instance().transformContext()
    box = QgsCoordinateTransform(crs, layer.crs(), context).transformBoundingBox(
        bounds_of(store, task)
    )
    if _inside(layer, box):
        return 0
    fields = layer.fields()
    found = QgsJsonUtils.stringToFeatureList(vote.shapes, fields)
    codes = [f["properties"]["class"] for f in json.loads(vote.shapes)["features"]]
    for feature, code in zip(found, codes):
        values = {"class": code, "class_name": store.scheme.name(code), "source": "hand",
                  "annotator": vote.person}  # fmt: skip
        labels.accept(layer, QgsFeature(feature).geometry(), crs, values, context)
    layer.commitChanges()
    return len(found)


def show_votes(store: Store, task: TaskRow, votes: list, project: QgsProject) -> list:
    """The votes on a task (`campaign_desk.Shown`) as layers of one group, the first one visible.

    Returns:
        the layers, in the order shown.
    """
    group = tr("Votes on task {n}").format(n=task.id)
    hide_votes(project)
    made = [
        layers.add_raster(vote.path, vote.title, "classes", project, store.scheme, group,
                          visible=place == 0)
        for place, vote in enumerate(votes)
    ]  # fmt: skip
    node = project.layerTreeRoot().findGroup(group)
    if node is not None:
        node.setCustomProperty("concord/votes", True)
    return made


def hide_votes(project: QgsProject) -> None:
    """Take the votes of the last task out of the project."""
    root = project.layerTreeRoot()
    for group in list(root.findGroups()):
        if group.customProperty("concord/votes"):
            project.removeMapLayers([node.layerId() for node in group.findLayers()])
            root.removeChildNode(group)


def merged(votes, codes) -> np.ndarray:
    """The majority of some votes; 255 where they tie."""
    from ..engine.consensus import aggregate

    masks = [vote.mask for vote in votes]
    if len(masks) == 1:
        return masks[0]
    return aggregate.of_arrays(masks, codes, "majority")[0]
