"""How Concord's raster layers look. No widgets, so that headless runs style a project too."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from qgis.core import (
    Qgis,
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRasterShader,
    QgsRectangle,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from ..engine.errors import ConcordError
from .text import tr

NO_DATA, IGNORE = 0, 255
SAMPLE = 60_000  # pixels sampled for statistics; more would hold the user interface too long
INTEGER_TYPES = (Qgis.DataType.Byte, Qgis.DataType.UInt16, Qgis.DataType.Int16)
HEIGHTS = ("elevation", "surface", "dem", "height", "ndsm")  # what terrain composites end with
# Never clear to always clear.
HEAT = ("#a50026", "#f46d43", "#fee08b", "#a6d96a", "#1a9850")
# Dark to light with even steps, readable by colour-blind people (viridis).
RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")


@dataclass(frozen=True)
class ClassEntry:
    """One class as it is shown: code, name and colour."""

    code: int
    name: str
    colour: QColor


@dataclass(frozen=True)
class Composite:
    """Three band names shown as red, green and blue."""

    title: str
    bands: tuple[str, ...]


def band_names(layer: QgsRasterLayer) -> list[str]:
    """Names in file order, the ones that a scene of this file has; else what QGIS calls them.

    QGIS shows `Band 01: red`, of which `red` is the description. A file that was never loaded
    through the Scene panel says `Band 1` or `B04`, where a scene says `red`.
    """
    names = [layer.bandName(index) for index in range(1, layer.bandCount() + 1)]
    names = [name.split(": ", 1)[1] if ": " in name else name for name in names]
    if layer.providerType() == "gdal" and os.path.isfile(layer.source()):
        known = _names_of_scene(layer.source(), os.path.getmtime(layer.source()))
        names = [known.get(index, name) for index, name in enumerate(names, 1)]
    return names


@functools.lru_cache(maxsize=64)
def _names_of_scene(path: str, _changed: float) -> dict:
    """{band number: common name} of a file, from its header; empty when it is no scene."""
    try:
        from ..engine import rasters, sensors  # heavy: not while the plugin loads

        return {band.index: band.name for band in sensors.recognise(rasters.info(path)).bands}
    except (ConcordError, ImportError):  # rasterio may be missing
        return {}


def composites(layer: QgsRasterLayer) -> list[Composite]:
    """Composites the layer's bands allow, the most natural first; never empty."""
    names = band_names(layer)
    known = (
        Composite(tr("True colour"), ("red", "green", "blue")),
        Composite(tr("Near infrared"), ("nir", "red", "green")),
        Composite(tr("Short-wave infrared"), ("swir16", "nir", "red")),
        Composite(tr("SAR (VV, VH, ratio)"), ("vv", "vh", "vv_vh")),
        Composite(tr("SAR (VV, VH)"), ("vv", "vh", "vv")),
        Composite(tr("Principal components"), ("pca_1", "pca_2", "pca_3")),
        *(
            Composite(tr("Terrain (hillshade, slope, height)"), ("hillshade", "slope", height))
            for height in HEIGHTS
        ),
    )
    found = [item for item in known if set(item.bands) <= set(names)]
    if not found and len(names) >= 3:
        found.append(Composite(tr("First three bands"), tuple(names[:3])))
    single = [Composite(name, (name,)) for name in names if name in ("elevation", "height", "ndvi")]
    return found + single or [Composite(names[0], (names[0],))]


def is_class_raster(layer: object) -> bool:
    """Whether a layer can hold classes, told from its header: one or two bands of bytes.

    Wider whole numbers are mostly elevation or radar; they count once they are shown as classes.
    """
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid() or layer.bandCount() > 2:
        return False
    provider = layer.dataProvider()
    if provider.name() != "gdal" or isinstance(layer.renderer(), QgsSingleBandPseudoColorRenderer):
        return False
    kind = provider.dataType(1)
    return kind == Qgis.DataType.Byte or (kind in INTEGER_TYPES and _shows_classes(layer))


def is_vote(layer: object) -> bool:
    """Whether a layer can be one annotator's map: classes in a single band."""
    return is_class_raster(layer) and layer.bandCount() == 1


def is_imagery(layer: object) -> bool:
    """Whether a layer is a raster file that is not shown as classes or shares."""
    return (
        isinstance(layer, QgsRasterLayer)
        and layer.isValid()
        and layer.providerType() == "gdal"
        and not _shows_classes(layer)
        and not isinstance(layer.renderer(), QgsSingleBandPseudoColorRenderer)
    )


def likely_image(images: list) -> QgsRasterLayer | None:
    """Which of several images is most likely meant: one that is seen, in colour, and on top.

    A layer that the tree does not know yet is new, and will lie on top.
    """
    root = QgsProject.instance().layerTreeRoot()
    places = {layer.id(): place for place, layer in enumerate(root.layerOrder())}

    def rank(layer: QgsRasterLayer) -> tuple:
        node, colours = root.findLayer(layer.id()), min(layer.bandCount(), 3)
        seen = node is None or node.isVisible()
        return (not is_class_raster(layer), seen, colours, -places.get(layer.id(), -1))

    return max(images, key=rank, default=None)


def _shows_classes(layer: QgsRasterLayer) -> bool:
    return isinstance(layer.renderer(), QgsPalettedRasterRenderer)


def class_entries(layer: QgsRasterLayer, taxonomy: object = None, band: int = 1) -> list:
    """ClassEntry list of a class raster: taxonomy, renderer, colour table, else sampled codes."""
    if taxonomy is not None:
        return [ClassEntry(c.code, c.name, QColor(c.colour)) for c in taxonomy.classes]
    renderer = layer.renderer()
    if isinstance(renderer, QgsPalettedRasterRenderer):
        items = [ClassEntry(int(c.value), c.label, c.color) for c in renderer.classes()]
    else:
        items = [
            ClassEntry(int(c.value), c.label, c.color)
            for c in layer.dataProvider().colorTable(band)
        ]
    # GDAL fills a colour table up to 256 entries; those without a name and colour mean nothing.
    items = [
        ClassEntry(e.code, e.name if e.name != str(e.code) else _unnamed(e.code), e.colour)
        for e in items
        if e.code not in (NO_DATA, IGNORE) and _means_something(e)
    ]
    return items or [
        ClassEntry(code, _unnamed(code), _steady_colour(code)) for code in _codes(layer, band)
    ]


def _means_something(entry: ClassEntry) -> bool:
    named = bool(entry.name) and entry.name != str(entry.code)
    return named or (entry.colour.alpha() > 0 and entry.colour != QColor(0, 0, 0))


def _unnamed(code: int) -> str:
    return tr("class {code}").format(code=code)


def _steady_colour(code: int) -> QColor:
    return QColor.fromHsvF((code * 0.381966) % 1.0, 0.62, 0.85)  # golden-angle hues, as the engine


def _codes(layer: QgsRasterLayer, band: int) -> list[int]:
    histogram = layer.dataProvider().histogram(band, 256, -0.5, 255.5, QgsRectangle(), SAMPLE)
    return [code for code, n in enumerate(histogram.histogramVector) if n][:256]


def style_classes(layer: QgsRasterLayer, taxonomy: object = None, band: int = 1) -> None:
    """Show each class in its colour; 0 and 255 stay transparent."""
    classes = [
        QgsPalettedRasterRenderer.Class(e.code, e.colour, e.name)
        for e in class_entries(layer, taxonomy, band)
        if e.code not in (NO_DATA, IGNORE)
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), band, classes))


def style_plain_classes(layer: QgsRasterLayer, taxonomy: object = None) -> None:
    """Show classes in their colours where QGIS shows them as plain grey; other styles stay."""
    if isinstance(layer.renderer(), QgsSingleBandGrayRenderer):
        style_classes(layer, taxonomy)
        layer.triggerRepaint()


def style_composite(layer: QgsRasterLayer, bands: tuple[str, ...]) -> None:
    """Show one or three named bands with a 2-98 % stretch; unknown names fall back to band 1."""
    names = band_names(layer)
    numbers = [names.index(name) + 1 if name in names else 1 for name in bands]
    provider = layer.dataProvider()
    if len(numbers) >= 3:
        renderer = QgsMultiBandColorRenderer(provider, *numbers[:3])
    else:
        renderer = QgsSingleBandGrayRenderer(provider, numbers[0])
    origin = QgsRasterMinMaxOrigin()
    origin.setLimits(QgsRasterMinMaxOrigin.Limits.CumulativeCut)
    renderer.setMinMaxOrigin(origin)
    layer.setRenderer(renderer)
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
        QgsRectangle(),
        SAMPLE,
    )


def style_share(layer: QgsRasterLayer, band: int = 1, colours: tuple = RAMP) -> None:
    """Show a share or probability: 0 to 1 for decimals, 0 to 100 for whole numbers."""
    top = 100.0 if layer.dataProvider().dataType(band) in INTEGER_TYPES else 1.0
    step = top / (len(colours) - 1)
    shader = QgsColorRampShader(0.0, top, None, QgsColorRampShader.Type.Interpolated)
    shader.setColorRampItemList(
        [
            QgsColorRampShader.ColorRampItem(i * step, QColor(colour), f"{i * step:g}")
            for i, colour in enumerate(colours)
        ]
    )
    raster_shader = QgsRasterShader(0.0, top)
    raster_shader.setRasterShaderFunction(shader)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), band, raster_shader)
    renderer.setClassificationMin(0.0)
    renderer.setClassificationMax(top)
    layer.setRenderer(renderer)
