"""Several looks at one scene: natural colour, infrared, radar, heights and indices, as a group."""

from __future__ import annotations

from dataclasses import dataclass

from qgis.core import (
    QgsColorRampShader,
    QgsLayerTreeGroup,
    QgsProject,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from . import layers
from .styles import RAMP, SAMPLE, band_names, style_composite
from .text import tr

HEIGHTS = ("elevation", "surface", "height", "ndsm")
# Brown to green, the usual reading of a vegetation index; blue for water comes first.
VEGETATION = ("#8c510a", "#dfc27d", "#f5f5f5", "#80cdc1", "#01665e")
_INDEX_UNIT = "index"


@dataclass(frozen=True)
class View:
    """A title and the bands shown; ``kind`` is composite, height or index."""

    title: str
    bands: tuple[str, ...]
    kind: str = "composite"


def views(layer: QgsRasterLayer) -> list[View]:
    """Every look that the bands of a scene allow, the most natural first."""
    names = band_names(layer)
    units = str(layer.customProperty("concord/units") or "").split(";")
    found = [View(item.title, item.bands) for item in layers.composites(layer)]
    known = (
        View(tr("Vegetation (near infrared, short-wave, red)"), ("nir", "swir16", "red")),
        View(tr("SAR (VV, VH, ratio)"), ("vv", "vh", "vv_vh")),
    )
    found += [view for view in known if set(view.bands) <= set(names)]
    found = [view for view in found if len(view.bands) == 3]
    found += [View(name, (name,), "height") for name in names if name in HEIGHTS]
    if len(units) == len(names):
        found += [
            View(name, (name,), "index") for name, unit in zip(names, units) if unit == _INDEX_UNIT
        ]
    return list({view.bands: view for view in reversed(found)}.values())[::-1]


def show(layer: QgsRasterLayer, view: View) -> None:
    """Style a layer as a view; the stretch comes from a sample of its pixels."""
    if view.kind == "composite":
        style_composite(layer, view.bands)
        return
    band = band_names(layer).index(view.bands[0]) + 1
    low, high = _limits(layer, band)
    if view.kind == "index":  # the same colours mean the same on every date
        low, high = (-1.0, 1.0) if -1.5 < low and high < 1.5 else (low, high)
    _ramp(layer, band, low, high, VEGETATION if view.kind == "index" else RAMP)


def _limits(layer: QgsRasterLayer, band: int) -> tuple[float, float]:
    cut = layer.dataProvider().cumulativeCut(band, 0.02, 0.98, QgsRectangle(), SAMPLE)
    if cut[1] > cut[0]:
        return cut[0], cut[1]
    stats = layer.dataProvider().bandStatistics(
        band, QgsRasterBandStats.Stats.All, QgsRectangle(), SAMPLE
    )
    return stats.minimumValue, max(stats.maximumValue, stats.minimumValue + 1e-6)


def _ramp(layer: QgsRasterLayer, band: int, low: float, high: float, colours) -> None:
    step = (high - low) / (len(colours) - 1)
    shader = QgsColorRampShader(low, high, None, QgsColorRampShader.Type.Interpolated)
    shader.setColorRampItemList(
        [
            QgsColorRampShader.ColorRampItem(low + i * step, QColor(c), f"{low + i * step:.3g}")
            for i, c in enumerate(colours)
        ]
    )
    raster_shader = QgsRasterShader(low, high)
    raster_shader.setRasterShaderFunction(shader)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), band, raster_shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    layer.setRenderer(renderer)


def add_views(layer: QgsRasterLayer, project: QgsProject) -> QgsLayerTreeGroup:
    """A group with one layer a view beside the scene; only the first is switched on."""
    root = project.layerTreeRoot()
    group = root.insertGroup(0, tr("Views of {name}").format(name=layer.name()))
    for number, view in enumerate(views(layer)):
        copy = layer.clone()
        copy.setName(f"{view.title} · {layer.name()}")
        copy.setCustomProperty("concord/view", ";".join(view.bands))
        project.addMapLayer(copy, False)
        show(copy, view)
        node = group.addLayer(copy)
        node.setItemVisibilityChecked(number == 0)
        node.setExpanded(False)
    group.setExpanded(True)
    return group
