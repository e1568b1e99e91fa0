"""The layer that shows a class raster with what is painted on it."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsDataProvider,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
)

from ..engine import files
from ..engine.errors import ConcordError
from ..engine.paint import steps
from . import capture, layers, settings
from .text import tr

ENDING = ".concord-painting.vrt"
OPACITY = 0.6  # nobody can paint what they do not see


def problem(layer: QgsRasterLayer | None) -> str:
    """Why a raster cannot be painted on, or an empty string."""
    if layer is None or not layer.isValid():
        return tr("Choose a class raster to write into.")
    if not layer.crs().isValid():
        return tr("{name} has no CRS; set it in the layer's properties.").format(name=layer.name())
    return ""


def is_painting(layer) -> bool:
    """True for the layer that shows a painting; it is no map of its own."""
    return layer.source().endswith(ENDING)


def can_be_painted(layer) -> bool:
    """Class rasters of one band, but not the pictures of paintings."""
    return layers.is_vote(layer) and not is_painting(layer)


def folder_for(path: str, project: QgsProject) -> Path:
    """Where the painting on a map is kept: beside it, in the output folder where that is locked."""
    beside = Path(path).absolute().parent
    try:
        files.require_writable(beside / "painting")
    except ConcordError:
        return Path(settings.output_folder(project))
    return beside


def is_kept(path: str, project: QgsProject) -> bool:
    """True when an earlier session left painting on a map."""
    return steps.journal_path(path, folder_for(path, project)).exists()


def show(vrt: str, below: QgsRasterLayer, entries: list, project: QgsProject) -> QgsRasterLayer:
    """The painting's layer right above the map's, in the map's colours and those of `entries`.

    A layer that a saved project already has is used again. A new one lets the image shine through
    and takes the place of the map's layer, which is hidden until the painting goes.

    Raises:
        ConcordError: the VRT cannot be opened.
    """
    opacity = OPACITY
    shown = next((x for x in project.mapLayers().values() if x.source() == vrt), None)
    if shown is not None:
        opacity = shown.opacity()
    else:
        shown = QgsRasterLayer(vrt, tr("{name} (painted)").format(name=below.name()), "gdal")
        if not shown.isValid():
            raise ConcordError(tr("Cannot open {path} as a raster.").format(path=vrt))
        project.addMapLayer(shown, False)
        node = project.layerTreeRoot().findLayer(below.id())
        parent = node.parent() if node is not None else project.layerTreeRoot()
        parent.insertLayer(parent.children().index(node) if node is not None else 0, shown)
        set_visible(below.id(), False, project)
    colour(shown, below, entries)
    shown.setOpacity(opacity)  # it belongs to the renderer, which is a new one
    refresh(shown)
    return shown


def set_visible(layer_id: str, on: bool, project: QgsProject) -> None:
    """Check or uncheck a layer in the layer tree, where it is there."""
    node = project.layerTreeRoot().findLayer(layer_id)
    if node is not None:
        node.setItemVisibilityChecked(on)


def colour(shown: QgsRasterLayer, below: QgsRasterLayer, entries: list) -> None:
    """Show the map's classes as the map does, and further ones in their own colours."""
    known = {entry.code: entry for entry in layers.class_entries(below)}
    for entry in entries:
        known.setdefault(entry.code, entry)
    classes = [
        QgsPalettedRasterRenderer.Class(entry.code, entry.colour, entry.name)
        for _code, entry in sorted(known.items())
    ]
    shown.setRenderer(QgsPalettedRasterRenderer(shown.dataProvider(), 1, classes))


def refresh(shown: QgsRasterLayer) -> None:
    """Draw the layer from the files as they are now.

    Reloading the data is not enough: QGIS keeps open files for the threads that draw, as long as
    the layer's provider lives, and they show the step before. So the provider is a new one.
    """
    renderer = shown.renderer().clone()
    options = QgsDataProvider.ProviderOptions()
    shown.setDataSource(shown.source(), shown.name(), "gdal", options, False)
    shown.setRenderer(renderer)
    shown.triggerRepaint()


def plain(
    geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, layer: QgsRasterLayer, project
) -> list:
    """GeoJSON polygons, lines or points of a geometry of `crs` in the raster's CRS.

    Raises:
        ConcordError: it has no place there.
    """
    shape = moved(geometry, crs, layer, project)
    return [json.loads(part.asJson(12)) for part in shape.asGeometryCollection()]


def moved(geometry: QgsGeometry, crs, layer: QgsRasterLayer, project) -> QgsGeometry:
    """A geometry of `crs` in the raster's CRS. Raises ConcordError where it has no place there."""
    shape = QgsGeometry(geometry)
    try:
        shape.transform(QgsCoordinateTransform(crs, layer.crs(), project))
        known = shape.boundingBox().isFinite()
    except QgsCsException:
        known = False
    if not known:
        raise ConcordError(
            tr("This place cannot be brought into the CRS of {name}.").format(name=layer.name())
        )
    return shape


def path_of(layer: QgsRasterLayer) -> str:
    """The map's file."""
    return capture.file_of_layer(layer)
