"""The row of the review queue that accepts many proposals at once, and says how many."""

from __future__ import annotations

from qgis.gui import QgsSpinBox
from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..bridge import proposals
from ..bridge.text import tr
from .widgets import choice, side_by_side


class AcceptMany(QWidget):
    """Which open proposals are meant: of one change of class, and sure enough."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._items: list = []
        self.pairs = choice()
        self.pairs.setToolTip(tr("Accept only this change of class at once"))
        self.pairs.setAccessibleName(tr("Change of class"))
        self.least = QgsSpinBox()
        self.least.setRange(0, 100)
        self.least.setPrefix(tr("from "))
        self.least.setSuffix(tr(" %"))
        self.least.setClearValue(90)
        self.least.setValue(90)
        self.least.setToolTip(tr("Open proposals at least this sure are accepted at once"))
        self.least.setAccessibleName(tr("Least confidence"))
        self.button = QPushButton()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(side_by_side(self.pairs, self.least))
        column.addWidget(self.button)
        self.pairs.currentIndexChanged.connect(self._count)
        self.least.valueChanged.connect(self._count)
        self._count()

    def list_changes(self, items: list) -> None:
        """Offer the changes of class that occur."""
        names = {(i.old_class, i.new_class): proposals.change_of(i) for i in items}
        self.pairs.clear()
        self.pairs.addItem(tr("Every change"), "")
        for pair in sorted(names):
            self.pairs.addItem(names[pair], "{}>{}".format(*pair))

    def follow(self, items: list) -> None:
        """The queue as it is now."""
        self._items = items
        self._count()

    def chosen(self) -> list:
        """The open proposals that are meant; as sure as the panel tells it, in whole percent."""
        least = (self.least.value() - 0.5) / 100
        return [item for item in self._open() if item.confidence >= least]

    def _open(self) -> list:
        """The open proposals of the change of class, however sure."""
        pair = self.pairs.currentData()
        return [
            i
            for i in self._items
            if i.status == proposals.OPEN and (not pair or f"{i.old_class}>{i.new_class}" == pair)
        ]

    def _why_none(self) -> str:
        """No open proposal is meant: how sure the surest of this change is, if there is one."""
        left = [item.confidence for item in self._open()]
        if left:
            return tr("None; the surest is {best:.0f} % sure").format(best=100 * max(left))
        return tr("None left") if self._items else tr("Accept all")

    def _count(self, *_) -> None:
        count = len(self.chosen())
        text = tr("Accept all {n:,}").format(n=count)
        if not count:
            text = self._why_none()
        self.button.setText(text)
        self.button.setEnabled(count > 0)
