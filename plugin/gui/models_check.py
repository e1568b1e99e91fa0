"""Models panel: what a check of model and image says."""

from __future__ import annotations

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QPixmap
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout

from ..bridge.text import tr
from .lists import Table, VerdictList
from .models_card import CardForm, card_html
from .widgets import note

PICTURE = 160  # height of the thumbnail in pixels
_BANDS = 30  # rows that the table of bands shows at once


class CheckPage:
    """Shows a report of `concord:modelcard`; it speaks of one model and one image."""

    def __init__(self, panel, column):
        self.verdicts = VerdictList(whole=True)
        self.verdicts.setAccessibleName(tr("Checks"))
        column.addWidget(self.verdicts)
        self.received = QLabel()
        self.received.setAccessibleName(tr("What the model receives"))
        column.addWidget(self.received)
        self.numbers = Table([tr("Band"), tr("Least"), tr("Middle"), tr("Most")], _BANDS)
        self.numbers.setToolTip(tr("What the model receives, after the card's scaling"))
        column.addWidget(self.numbers)
        self.holder = QgsCollapsibleGroupBox(tr("Model card"))
        self.holder.setSaveCollapsedState(False)
        self.holder.setCollapsed(True)
        self.card = note()
        self.card.setOpenExternalLinks(True)
        self.card.setAccessibleName(tr("Model card"))
        QVBoxLayout(self.holder).addWidget(self.card)
        column.addWidget(self.holder)
        self.form = CardForm(panel, column)
        self._stop = False
        self.clear()

    def clear(self) -> None:
        """Nothing is known of what is chosen now."""
        self._stop = False
        self.holder.hide()
        self.verdicts.show_verdicts([])
        self.received.hide()
        self.numbers.fill([])
        self.form.hide()

    def stop(self) -> str:
        """Why a run would be refused, or nothing."""
        return tr("The check says Stop; its lines say what to do.") if self._stop else ""

    def show(self, report: dict) -> str:
        """Show what was found; returns it in one sentence."""
        self.card.setText(card_html(report.get("card", {})))
        self.holder.show()
        verdicts = report.get("verdicts", [])
        self.verdicts.show_verdicts(verdicts)
        self._show_received(report.get("received", {}))
        self.form.offer(report)
        levels = {verdict.get("level") for verdict in verdicts}
        self._stop = "red" in levels
        if report.get("missing"):
            return tr("The card is incomplete; fill in what is missing and save it.")
        if self._stop:
            return tr("This model does not fit this layer; the lines with Stop say why.")
        if "amber" in levels:
            return tr("The model can run; look at the remarks first.")
        return tr("The model fits this layer.")

    def _show_received(self, received: dict) -> None:
        """The thumbnail and the numbers of what the network would get."""
        picture = QPixmap(str(received.get("picture", "")))
        self.received.setVisible(not picture.isNull())
        if not picture.isNull():
            smooth = Qt.TransformationMode.FastTransformation
            self.received.setPixmap(picture.scaledToHeight(PICTURE, smooth))
            self.received.setToolTip(tr("What the model receives, stretched to be seen"))
        self.numbers.fill(
            [
                (r["band"], *(_figure(r[key]) for key in ("minimum", "median", "maximum")))
                for r in received.get("bands", [])
            ]
        )


def _figure(value) -> str:
    return "–" if value is None else f"{value:.3g}"
