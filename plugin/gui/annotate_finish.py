"""How an accepted outline is tidied and how it gets on with its neighbours."""

from __future__ import annotations

from qgis.gui import QgsDoubleSpinBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ..bridge import settings
from ..bridge.planar import ALLOW, CUT_NEW, CUT_OLD, Rule
from ..bridge.shaping import Finish
from ..bridge.text import tr
from .widgets import choice, form, row


class FinishBox(QWidget):
    """Options that are remembered: the overlap rule for each class scheme, the rest for all."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._scheme = ""
        layout = form()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(layout)
        self.overlap = choice()
        for title, rule in (
            (tr("Allow overlaps"), ALLOW),
            (tr("Cut the new label"), CUT_NEW),
            (tr("Cut the old labels"), CUT_OLD),
        ):
            self.overlap.addItem(title, rule)
        tip = tr("Who gives way where a new label lies on old ones; kept with the class scheme")
        row(layout, tr("Overlaps"), self.overlap, tip)
        self.planar = self._check(
            layout, tr("Shared edges"), tr("Neighbours share their vertices; no slivers, no gaps")
        )
        self.gap = self._number(
            layout, tr("Close gaps"), tr("Gaps to neighbours narrower than this are filled")
        )
        self.simplify = self._number(
            layout, tr("Simplify"), tr("Corners closer to the outline than this are left out")
        )
        self.smooth = self._check(layout, tr("Smooth"), tr("Round the corners of pixels"))
        self.holes = self._number(
            layout, tr("Fill holes"), tr("Holes of a smaller area are filled"), area=True
        )
        self.specks = self._number(
            layout,
            tr("Drop specks"),
            tr("Separate parts of a smaller area are dropped"),
            area=True,
        )
        self.right_angles = self._check(
            layout, tr("Right angles"), tr("Square corners, for buildings")
        )
        self._restore()
        self.overlap.currentIndexChanged.connect(self._keep)
        for spin in (self.gap, self.simplify, self.holes, self.specks):
            spin.valueChanged.connect(self._keep)
        for box in (self.planar, self.smooth, self.right_angles):
            box.toggled.connect(self._keep)

    def _check(self, layout, title: str, tip: str) -> QCheckBox:
        box = QCheckBox()
        row(layout, title, box, tip)
        return box

    def _number(self, layout, title: str, tip: str, area: bool = False) -> QgsDoubleSpinBox:
        spin = QgsDoubleSpinBox()
        spin.setDecimals(3)
        spin.setRange(0, 1e9)
        spin.setClearValue(0, tr("off"))
        spin.setSpecialValueText(tr("off"))
        spin.setSuffix(tr(" map units²") if area else tr(" map units"))
        row(layout, title, spin, tip)
        return spin

    def _named(self) -> dict:
        return {
            "planar": self.planar,
            "gap": self.gap,
            "simplify": self.simplify,
            "smooth": self.smooth,
            "holes": self.holes,
            "specks": self.specks,
            "right_angles": self.right_angles,
        }

    def _restore(self) -> None:
        for name, widget in self._named().items():
            kept = settings.value(f"finish/{name}", 0)
            if isinstance(widget, QCheckBox):
                widget.setChecked(str(kept).lower() in ("true", "1"))
                continue
            try:
                widget.setValue(float(kept or 0))
            except (TypeError, ValueError):  # edited by hand
                widget.setValue(0)

    def _keep(self, *_) -> None:
        for name, widget in self._named().items():
            value = widget.isChecked() if isinstance(widget, QCheckBox) else widget.value()
            settings.set_value(f"finish/{name}", value)
        settings.set_value(f"overlap/{self._scheme or 'layer'}", self.overlap.currentData())
        self.changed.emit()

    def set_scheme(self, scheme: str) -> None:
        """Show the overlap rule that was chosen for this class scheme."""
        self._scheme = scheme.replace("/", "_").replace("\\", "_")
        kept = settings.value(f"overlap/{self._scheme or 'layer'}", ALLOW)
        self.overlap.blockSignals(True)
        self.overlap.setCurrentIndex(max(0, self.overlap.findData(kept)))
        self.overlap.blockSignals(False)

    def finish(self) -> Finish:
        """How outlines are tidied."""
        return Finish(
            self.simplify.value(),
            self.smooth.isChecked(),
            self.holes.value(),
            self.specks.value(),
            self.right_angles.isChecked(),
        )

    def rule(self) -> Rule:
        """How labels get on with each other."""
        return Rule(self.overlap.currentData(), self.planar.isChecked(), self.gap.value())
