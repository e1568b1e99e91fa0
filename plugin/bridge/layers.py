"""Adding what Concord made to a project. No widgets: panels and headless runs share it.

Raster kinds: `scene` (best composite its bands allow), `optical`, `sar`, `dem`, `classes`,
`consensus` (classes in band 1), `posterior` (band 2 of a consensus raster), `agreement` and
`probability` (shares from 0 to 1 or 0 to 100).
"""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsLayerTreeGroup, QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer

from ..engine.errors import ConcordError
from .parcel_styles import shares, show_parcels
from .styles import (
    HEAT,
    ClassEntry,
    Composite,
    band_names,
    class_entries,
    composites,
    is_class_raster,
    is_imagery,
    is_vote,
    likely_image,
    style_classes,
    style_composite,
    style_plain_classes,
    style_share,
)
from .text import tr
from .vector_styles import (
    entries_of_labels,
    is_label_layer,
    is_plain,
    show_class,
    style_chips,
    style_labels,
    style_prompts,
    style_vector_proposals,
)

__all__ = [
    "ClassEntry",
    "Composite",
    "add_layer",
    "add_raster",
    "add_vector",
    "band_names",
    "class_entries",
    "composites",
    "entries_of_labels",
    "free_name",
    "is_class_raster",
    "is_imagery",
    "is_label_layer",
    "is_plain",
    "is_vote",
    "likely_image",
    "shares",
    "show_class",
    "show_parcels",
    "style_chips",
    "style_classes",
    "style_composite",
    "style_labels",
    "style_plain_classes",
    "style_prompts",
    "style_raster",
    "style_share",
    "style_vector_proposals",
]


def add_raster(
    path: str | Path,
    name: str,
    kind: str,
    project: QgsProject,
    taxonomy: object = None,
    group: str = "",
    visible: bool = True,
) -> QgsRasterLayer:
    """Open a raster, style it by its kind and put it on top of the project (or of a group).

    Raises ConcordError when the file cannot be opened.
    """
    options = QgsRasterLayer.LayerOptions()
    options.loadDefaultStyle = False  # it would read the raster for a stretch that is replaced
    layer = QgsRasterLayer(str(path), name, "gdal", options)
    if not layer.isValid():
        raise ConcordError(tr("Cannot open {path} as a raster.").format(path=path))
    style_raster(layer, kind, taxonomy)
    return add_layer(layer, project, group, visible)


def style_raster(layer: QgsRasterLayer, kind: str, taxonomy: object = None) -> None:
    """Style a raster by its kind; an unknown kind is a programming error (KeyError)."""
    names = band_names(layer)

    def composite(prefix: tuple[str, ...]) -> None:
        fits = [item for item in composites(layer) if set(prefix) <= set(item.bands)]
        style_composite(layer, (fits or composites(layer))[0].bands)

    styles = {
        "scene": lambda: composite(()),
        "optical": lambda: composite(("red",)),
        "sar": lambda: composite(("vv", "vh")),
        "dem": lambda: style_composite(layer, ("dem" if "dem" in names else names[0],)),
        "classes": lambda: style_classes(layer, taxonomy),
        "consensus": lambda: style_classes(layer, taxonomy),
        "posterior": lambda: style_share(layer, min(2, layer.bandCount())),
        "agreement": lambda: style_share(layer),
        "probability": lambda: style_share(layer),
        "coverage": lambda: style_share(layer, 1, HEAT),
    }
    styles[kind]()


def add_vector(
    path: str | Path, name: str, project: QgsProject, group: str = "", visible: bool = True
) -> QgsVectorLayer:
    """Open a vector file and put it on top of the project (or of a group).

    Raises ConcordError when the file cannot be opened.
    """
    layer = QgsVectorLayer(str(path), name, "ogr")
    if not layer.isValid():
        raise ConcordError(tr("Cannot open {path} as a vector layer.").format(path=path))
    return add_layer(layer, project, group, visible)


def add_layer(
    layer: QgsMapLayer, project: QgsProject, group: str = "", visible: bool = True
) -> QgsMapLayer:
    """Put a layer on top of the project, or on top of a named group that is made when missing."""
    root = project.layerTreeRoot()
    parent: QgsLayerTreeGroup = root
    if group:
        parent = root.findGroup(group) or root.insertGroup(0, group)
    project.addMapLayer(layer, False)
    node = parent.insertLayer(0, layer)
    node.setItemVisibilityChecked(visible)
    node.setExpanded(visible)
    return layer


def free_name(project: QgsProject, name: str) -> str:
    """The name itself, or with the first number that no layer of the project has yet."""
    taken = {layer.name() for layer in project.mapLayers().values()}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
