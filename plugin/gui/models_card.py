"""The form of the Models panel that fills in what a model's card lacks."""

from __future__ import annotations

import html
import json

from qgis.gui import QgsDoubleSpinBox, QgsSpinBox
from qgis.PyQt.QtWidgets import QLineEdit, QWidget

from ..bridge import layers
from ..bridge.text import tr
from .widgets import choice, form, note, row, side_by_side

TASKS = (
    ("semantic-segmentation", "A class for every pixel"),
    ("multi-label-segmentation", "Several classes for a pixel"),
    ("regression", "A number for every pixel"),
    ("super-resolution", "Finer pixels"),
    ("change-detection", "Change between two dates"),
    ("object-detection", "Boxes around objects"),
    ("instance-segmentation", "Outlines of objects"),
    ("scene-classification", "A class for every chip"),
    ("similarity-search", "An embedding for every chip"),
)
NO_CLASSES = ("regression", "super-resolution", "similarity-search")
# (title, MLM value scaling, unit)
SCALINGS = (
    ("Numbers 0 to 255, divided by 255", [{"type": "scale", "value": 255}], "DN"),
    ("Numbers as they are", None, "DN"),
    ("Reflectance 0 to 1", None, "reflectance"),
    ("Reflectance times 10,000", [{"type": "scale", "value": 0.0001}], "reflectance"),
    ("Backscatter in dB", None, "dB"),
)
ACTIVATIONS = (
    ("softmax", "Probabilities that sum to 1"),
    ("logits", "Raw scores (logits)"),
    ("sigmoid", "A probability for one class"),
    ("none", "Other numbers"),
)


class CardForm:
    """Shown while a card is incomplete; saves it through `concord:modelcard`."""

    def __init__(self, panel, column):
        self.panel = panel
        self.holder = QWidget()
        inner = form()
        self.holder.setLayout(inner)
        self.lead = note()
        inner.addRow(self.lead)
        self._rows: dict = {}
        self.task = _filled(TASKS)
        self._add(inner, "task", tr("What it makes"), self.task, tr("The model's task"))
        self.bands = QLineEdit()
        tip = tr("The bands in the order of the model, by name, with commas between them")
        self._add(inner, "band names", tr("Bands"), self.bands, tip)
        self.scaling = choice()
        for number, (title, _rule, _unit) in enumerate(SCALINGS):
            self.scaling.addItem(tr(title), number)
        tip = tr("What the model was trained on; a wrong choice is the most common error")
        self._add(inner, "scaling or unit", tr("Values"), self.scaling, tip)
        self.low, self.high = QgsDoubleSpinBox(), QgsDoubleSpinBox()
        for box, start in ((self.low, 8.0), (self.high, 12.0)):
            box.setRange(0.001, 10000)
            box.setDecimals(3)
            box.setValue(start)
            box.setSuffix(" m")
        pair = side_by_side(self.low, self.high)
        tip = tr("From the smallest to the largest pixel that the model was made for")
        self._add(inner, "resolution", tr("Pixel size"), pair, tip, self.low)
        self.tile = _number(8, 8192, 512)
        tip = tr("Side of the image that the model gets, in pixels")
        self._add(inner, "tile size", tr("Tile"), self.tile, tip)
        self.halo = _number(0, 2048, 32)
        tip = tr(
            "How far the model looks around a pixel; tiles overlap by it. Too small shows seams"
        )
        self._add(inner, "halo", tr("Halo"), self.halo, tip)
        self.activation = _filled(ACTIVATIONS)
        tip = tr("What the numbers that the model gives mean")
        self._add(inner, "activation", tr("Answer"), self.activation, tip)
        self.classes = QLineEdit()
        self.classes.setPlaceholderText(tr("background, building"))
        tip = tr("Names of the classes in the order of the model, with commas between them")
        self._add(inner, "classes", tr("Classes"), self.classes, tip)
        column.addWidget(self.holder)
        self.button = panel.step(
            column,
            tr("&Save card"),
            "concord:modelcard",
            self._need,
            self.save,
            tr("Writes the completed card beside the model and checks again"),
        )
        self.bands.textChanged.connect(panel.refresh)
        self.classes.textChanged.connect(panel.refresh)
        self.task.currentIndexChanged.connect(panel.refresh)
        self.hide()

    def _add(self, layout, key: str, title: str, widget, tip: str, focus=None) -> None:
        self._rows[key] = (row(layout, title, widget, tip, focus), widget)

    def hide(self) -> None:
        """Nothing is missing, or nothing is known yet."""
        self._missing: list = []
        self.holder.hide()
        self.button.hide()

    def offer(self, report: dict) -> None:
        """Ask for what a report of `concord:modelcard` calls missing."""
        self._missing = list(report.get("missing", []))
        if not self._missing:
            self.hide()
            return
        card = report.get("card", {})
        if card.get("task") not in dict(TASKS) and "task" not in self._missing:
            self._missing.insert(0, "task")
        self.lead.setText(tr("The model does not say all it should. Fill in the rest:"))
        for key, (label, widget) in self._rows.items():
            label.setVisible(key in self._missing)
            widget.setVisible(key in self._missing)
        image = self.panel.input.currentLayer()
        if image is not None:
            self.bands.setPlaceholderText(", ".join(layers.band_names(image)))
        self.holder.show()
        self.button.show()
        self.panel.refresh()

    def _need(self) -> str:
        if not self._missing:
            return ""
        if "band names" in self._missing and not _list(self.bands.text()):
            return tr("Name the bands of the model.")
        if "classes" in self._missing and self._wants_classes() and not _list(self.classes.text()):
            return tr("Name the classes of the model.")
        return ""

    def fields(self) -> dict:
        """What was filled in, as `concord:modelcard` takes it."""
        _title, rule, unit = SCALINGS[self.scaling.currentData()]
        scaled = {"unit": unit} if rule is None else {"unit": unit, "scaling": rule}
        low, high = sorted((self.low.value(), self.high.value()))
        known = {
            "task": {"task": self.task.currentData()},
            "band names": {"bands": _list(self.bands.text())},
            "scaling or unit": scaled,
            "resolution": {"pixel_size_range_m": [low, high]},
            "tile size": {"tile": self.tile.value()},
            "halo": {"halo": self.halo.value()},
            "activation": {"activation": self.activation.currentData()},
            "classes": {"classes": _list(self.classes.text())},
        }
        if not self._wants_classes():
            known["classes"] = {}
        return {k: v for key in self._missing for k, v in known.get(key, {}).items()}

    def _wants_classes(self) -> bool:
        return "task" not in self._missing or self.task.currentData() not in NO_CLASSES

    def save(self) -> None:
        """Run `concord:modelcard` with what was filled in."""
        self.panel.check(json.dumps(self.fields()))


def _filled(items):
    combo = choice()
    for key, title in items:
        combo.addItem(tr(title), key)
    return combo


def _number(low: int, high: int, start: int) -> QgsSpinBox:
    box = QgsSpinBox()
    box.setRange(low, high)
    box.setValue(start)
    box.setSuffix(" px")
    return box


def _list(text: str) -> list:
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


def card_html(card: dict) -> str:
    """A card as a small table: plain values first, lists in one line."""
    rows = []
    for key, content in card.items():
        text = _plain(content)
        if text:
            title = html.escape(str(key).replace("_", " ").capitalize())
            rows.append(f"<tr><td><b>{title}</b>&nbsp;</td><td>{html.escape(text)}</td></tr>")
    return "<table cellspacing='2'>" + "".join(rows) + "</table>"


def _plain(content) -> str:
    if content is None:
        return ""
    if isinstance(content, dict):
        return ", ".join(f"{key}: {_plain(value)}" for key, value in content.items())
    if isinstance(content, (list, tuple)):
        parts = [
            str(item["name"]) if isinstance(item, dict) and "name" in item else _plain(item)
            for item in content
        ]
        return ", ".join(part for part in parts if part)
    return str(content)
