"""How a map of single things looks that tells their inside from their edge, such as roofs."""

from __future__ import annotations

from qgis.core import (
    QgsLayerTreeLayer,
    QgsMapLayerLegendUtils,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor


def shares(report: dict) -> list:
    """The classes of a run's report, inside and edge of one thing as one."""
    from ..engine.infer import parcels  # heavy: not while the plugin loads

    return parcels.shares(report)


def show_parcels(layer: QgsRasterLayer, report: dict, project: QgsProject):
    """Show the things of a class map in one colour and leave what is around them clear.

    All codes stay in the style, so that whoever paints or refines the map finds them; the legend
    names the thing. Returns the ``parcels.Parcels``, or None where the map shows none.
    """
    from ..engine.infer import parcels

    known = parcels.of_report(report)
    if known is None:
        return None
    classes = layer.renderer().classes()
    inside = next((c for c in classes if c.value == known.interior), None)
    if inside is None:
        return known
    for entry in classes:
        if entry.value == known.boundary:
            entry.color = inside.color
        elif entry.value == known.background:
            entry.color = QColor(entry.color.red(), entry.color.green(), entry.color.blue(), 0)
    node = project.layerTreeRoot().findLayer(layer.id())
    unfolded = node.isExpanded()
    _name_the_thing(layer, inside.label, node)
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))
    node.setExpanded(False)  # as the tree shows it now that the legend was made anew
    node.setExpanded(unfolded)
    return known


def _name_the_thing(layer: QgsRasterLayer, label: str, node: QgsLayerTreeLayer) -> None:
    """Only the thing in the legend."""
    nodes = layer.legend().createLayerTreeModelLegendNodes(node)
    role = Qt.ItemDataRole.DisplayRole
    shown = [place for place, one in enumerate(nodes) if one.data(role) == label]
    QgsMapLayerLegendUtils.setLegendNodeOrder(node, shown)
