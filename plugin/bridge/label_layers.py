"""Which polygon layers of a project are label layers: told by their fields, or remembered."""

from __future__ import annotations

from qgis.core import QgsProject, QgsVectorLayer

from . import labels
from .settings import GROUP

ENTRY = "/label_layer"


def made_here(layer) -> bool:
    """Whether a layer has every field that Annotate gives a label; results of models have not."""
    if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
        return False
    return set(labels.NAMES) <= set(layer.fields().names())


def remember(layer: QgsVectorLayer, project: QgsProject) -> None:
    """Keep with the project that labels go into this layer."""
    if layer.id() != project.readEntry(GROUP, ENTRY, "")[0]:
        project.writeEntry(GROUP, ENTRY, layer.id())


def choice_among(layers, project: QgsProject) -> QgsVectorLayer | None:
    """The layer that may be chosen unasked: the remembered one, else one that was made here."""
    fit = [layer for layer in layers if isinstance(layer, QgsVectorLayer)]
    fit = [layer for layer in fit if not labels.problem(layer)]
    kept = project.readEntry(GROUP, ENTRY, "")[0]
    known = [layer for layer in fit if layer.id() == kept]
    return next(iter(known or filter(made_here, fit)), None)
