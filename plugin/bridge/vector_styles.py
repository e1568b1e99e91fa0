"""How Concord's vector layers look: labels, proposals, chips and prompts."""

from __future__ import annotations

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFillSymbol,
    QgsGraduatedSymbolRenderer,
    QgsMapLayer,
    QgsMarkerSymbol,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsRendererRange,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from .styles import IGNORE, NO_DATA, ClassEntry, class_entries
from .text import tr

# Light to dark orange: the stronger the proposal, the more it stands out.
PROPOSAL_RAMP = ("#fee8c8", "#fdbb84", "#fc8d59", "#d7301f")
# The names of the splits are those of ML-AOI, as the exported set writes them.
SPLITS = (
    ("train", "#0072b2", "solid"),
    ("validate", "#e69f00", "dash"),
    ("test", "#d55e00", "dot"),
)


def _fill(colour: QColor | str, alpha: int, outline: str, width: float, style="solid") -> QgsSymbol:
    fill = QColor(colour)
    return QgsFillSymbol.createSimple(
        {
            "color": f"{fill.red()},{fill.green()},{fill.blue()},{alpha}",
            "outline_color": outline,
            "outline_width": str(width),
            "outline_style": style,
        }
    )


def style_labels(
    layer: QgsVectorLayer,
    taxonomy: object = None,
    field: str = "class",
    like: QgsRasterLayer | None = None,
    only: tuple | None = None,
) -> None:
    """Categories by class code, named and coloured by the taxonomy or `like` a class raster.

    `only` are the codes that get a category of their own, where not all do.
    """
    known = taxonomy is not None or like is not None
    entries = class_entries(like, taxonomy) if known else []
    categories = [
        _category(e)
        for e in entries
        if e.code not in (NO_DATA, IGNORE) and (only is None or e.code in only)
    ]
    # Codes outside the taxonomy must not vanish from the map.
    other = _fill("#7f7f7f", 90, "#7f7f7f", 0.5, "dash")
    categories.append(QgsRendererCategory("", other, tr("other")))
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))
    layer.triggerRepaint()


def _category(entry: ClassEntry) -> QgsRendererCategory:
    symbol = _fill(entry.colour, 110, entry.colour.name(), 0.5)
    return QgsRendererCategory(entry.code, symbol, entry.name)


def show_class(layer: QgsVectorLayer, entry: ClassEntry) -> None:
    """Add a class that a label layer does not show yet, as after another scheme was chosen."""
    if is_label_layer(layer) and entry.code not in [e.code for e in entries_of_labels(layer)]:
        renderer = layer.renderer().clone()
        renderer.addCategory(_category(entry))
        layer.setRenderer(renderer)


def is_label_layer(layer: QgsVectorLayer) -> bool:
    """Whether a layer carries Concord's own style of labels."""
    renderer = layer.renderer()
    return isinstance(renderer, QgsCategorizedSymbolRenderer) and (
        renderer.classAttribute() == "class"
    )


def is_plain(layer: QgsMapLayer) -> bool:
    """Whether a label layer was made before there were classes to show."""
    if not isinstance(layer, QgsVectorLayer) or not is_label_layer(layer):
        return False
    return all(str(c.value()) in ("", "NULL", "None") for c in layer.renderer().categories())


def entries_of_labels(layer: QgsVectorLayer) -> list:
    """ClassEntry list of a label layer, from its categories."""
    if not is_label_layer(layer):
        return []
    found = []
    for category in layer.renderer().categories():
        code = _code(category.value())
        if code is not None:
            colour = QColor(category.symbol().color())
            colour.setAlpha(255)
            found.append(ClassEntry(code, category.label(), colour))
    return found


def _code(value) -> int | None:
    """A category's value as a class code; a project that is opened again gives it as text."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() and number >= 0 else None


def style_vector_proposals(layer: QgsVectorLayer, field: str = "confidence") -> None:
    """Four steps of confidence; outline only at the edge, so that the image stays readable."""
    ranges = []
    for i, colour in enumerate(PROPOSAL_RAMP):
        low, high = i * 0.25, (i + 1) * 0.25
        label = tr("{low} to {high} % sure").format(low=int(low * 100), high=int(high * 100))
        ranges.append(QgsRendererRange(low, high, _fill(colour, 70, colour, 0.4), label))
    layer.setRenderer(QgsGraduatedSymbolRenderer(field, ranges))
    layer.triggerRepaint()


def style_chips(layer: QgsVectorLayer, field: str = "split") -> None:
    """Chip outlines by split; dashes tell the splits apart without colour."""
    categories = [
        QgsRendererCategory(name, _fill(colour, 25, colour, 0.6, line), name)
        for name, colour, line in SPLITS
    ]
    categories.append(QgsRendererCategory("", _fill("#7f7f7f", 0, "#7f7f7f", 0.3), tr("other")))
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))
    layer.triggerRepaint()


def style_prompts(layer: QgsVectorLayer) -> None:
    """Points by label: a green plus adds, a red cross removes."""
    kinds = (
        (1, "cross_fill", "#2e9e5b", tr("adds")),
        (0, "x", "#cc3311", tr("removes")),
    )
    categories = []
    for label, shape, colour, name in kinds:
        symbol = QgsMarkerSymbol.createSimple(
            {"name": shape, "color": colour, "outline_color": colour, "size": "3.5"}
        )
        categories.append(QgsRendererCategory(label, symbol, name))
    layer.setRenderer(QgsCategorizedSymbolRenderer("label", categories))
    layer.triggerRepaint()
