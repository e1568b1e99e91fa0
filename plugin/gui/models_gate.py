"""What the Models panel asks of a run beside its outputs: a gate that looks first, and dates."""

from __future__ import annotations

from pathlib import Path

from qgis.gui import QgsCheckableComboBox, QgsDoubleSpinBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox

from ..bridge import settings
from ..bridge.text import tr
from .models_choice import listed_models
from .widgets import PathCombo, row

LEAST = 5.0  # per cent, as in the algorithm


def optional_model(none: str) -> PathCombo:
    """The models of the panel, and before them none."""

    def items():
        yield none, ""
        yield from listed_models()

    return PathCombo(settings.MODELS, items, tr("Add a model (ONNX)"), tr("Models (*.onnx)"))


class GateRows:
    """Rows of the panel's form; what is chosen is remembered."""

    def __init__(self, panel, layout):
        self.panel = panel
        self.drops = QCheckBox(tr("Leave dates out in turn"))
        layout.addRow(self.drops)
        self.drops.setChecked(str(settings.value("gate/drops", "false")).lower() == "true")
        self.model = optional_model(tr("None, run every tile"))
        tip = tr(
            "A cheap model that looks first. Tiles in which it finds nothing are skipped and stay "
            "empty, which saves time where the things you map are rare"
        )
        row(layout, tr("&Gate"), self.model, tip)
        self.classes = QgsCheckableComboBox()
        tip = tr("What opens a tile; a gate with two classes looks for the second by itself")
        self._rows = [(row(layout, tr("Looks for"), self.classes, tip), self.classes)]
        self.least = QgsDoubleSpinBox()
        self.least.setRange(0.1, 100)
        self.least.setDecimals(1)
        self.least.setSuffix(tr(" %"))
        self.least.setClearValue(LEAST)
        self.least.setValue(_number(settings.value("gate/least", LEAST)))
        tip = tr(
            "A tile is run when the gate finds this share of its pixels, or gives the chip this "
            "probability. Lower skips less and misses less"
        )
        self._rows.append((row(layout, tr("At least"), self.least, tip), self.least))
        self.model.reload(str(settings.value("gate/model", "")))
        self._listed()
        self.model.changed.connect(self._listed)
        self.classes.checkedItemsChanged.connect(self._keep)
        self.least.valueChanged.connect(self._keep)
        self.drops.toggled.connect(self._keep)

    def _listed(self) -> None:
        """The classes of the chosen gate, with those ticked that were ticked last time."""
        path = self.model.value()
        kept = settings.value(f"gate/classes/{Path(path).stem}", []) or [] if path else []
        names = settings.model_classes(path) if path else []
        self.classes.blockSignals(True)
        self.classes.clear()
        for name in names:
            on = name in ([kept] if isinstance(kept, str) else kept)
            state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
            self.classes.addItemWithCheckState(name, state, name)
        text = tr("Choose classes")
        if len(names) == 2:
            text = tr("{name}, by itself").format(name=names[1])
        self.classes.setDefaultText(text)
        self.classes.blockSignals(False)
        for label, widget in self._rows:
            label.setVisible(bool(path))
            widget.setVisible(bool(path))
        self._keep()

    def _keep(self, *_) -> None:
        path = self.model.value()
        settings.set_value("gate/model", path)
        settings.set_value("gate/least", self.least.value())
        settings.set_value("gate/drops", self.drops.isChecked())
        if path:
            settings.set_value(f"gate/classes/{Path(path).stem}", self.classes.checkedItems())
        self.panel.refresh()

    def follow(self, model: str, doubt: bool) -> None:
        """Offer to leave dates out where the model reads a series and doubt is asked for."""
        series = bool(model) and settings.reads_series(model)
        self.drops.setVisible(series)
        self.drops.setEnabled(series and doubt)
        tip = tr(
            "How much the answer hangs on single dates joins the doubt; takes one more pass a date"
        )
        self.drops.setToolTip(tip if doubt else tr("Tick Show doubt first: what is found joins it"))

    def need(self) -> str:
        """What is missing before a run; empty when nothing is."""
        if self.model.value() and not self.classes.checkedItems() and self.classes.count() > 2:
            return tr("Tick what the gate looks for.")
        return ""

    def parameters(self) -> dict:
        """Of `concord:runmodel`."""
        found = {"DATE_DROPS": True} if self.drops.isEnabled() and self.drops.isChecked() else {}
        if self.model.value():
            found["GATE"] = self.model.value()
            found["GATE_CLASSES"] = ",".join(self.classes.checkedItems())
            found["GATE_LEAST"] = self.least.value() / 100
        return found


def _number(kept) -> float:
    try:
        return float(kept)
    except (TypeError, ValueError):  # edited by hand
        return LEAST
