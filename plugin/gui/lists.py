"""Tables and check lists that show what a run found."""

from __future__ import annotations

from qgis.PyQt.QtCore import QPointF, QRectF, Qt
from qgis.PyQt.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from ..bridge.text import tr

LEVELS = {"green": "#2e9e5b", "amber": "#d98e04", "red": "#cc3311"}  # from sound to grave


def light(level: str) -> QIcon:
    """A tick, an exclamation mark or a cross in a disc: told apart by shape, not by colour only."""
    side = 64
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LEVELS.get(level, LEVELS["red"])))
    painter.drawEllipse(QRectF(2, 2, side - 4, side - 4))
    pen = QPen(QColor("white"), 8)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    if level == "green":
        painter.drawPolyline(QPolygonF([QPointF(18, 33), QPointF(29, 44), QPointF(46, 21)]))
    elif level == "amber":
        painter.drawLine(QPointF(32, 16), QPointF(32, 36))
        painter.drawPoint(QPointF(32, 48))
    else:
        painter.drawLine(QPointF(21, 21), QPointF(43, 43))
        painter.drawLine(QPointF(43, 21), QPointF(21, 43))
    painter.end()
    return QIcon(pixmap)


def lines_high(widget: QWidget, lines: int) -> None:
    """Give a list the height of so many lines of text."""
    widget.setFixedHeight(int(widget.fontMetrics().height() * (lines * 1.3 + 0.7)))


class Table(QTableWidget):
    """Read-only rows under a header, as high as its rows up to a limit; hidden while empty."""

    def __init__(self, headers: list, most: int = 8, parent=None):
        super().__init__(0, len(headers), parent)
        self._most = most
        self.setHorizontalHeaderLabels(headers)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)  # Tab leads on to the next field of the panel
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(int(self.fontMetrics().height() * 1.5))
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.hide()

    def fill(self, rows: list, tips: dict | None = None) -> None:
        """Show rows of texts, those with figures at the right; `tips` go by (row, column)."""
        self.setRowCount(len(rows))
        for line, row_ in enumerate(rows):
            for place, text in enumerate(row_):
                item = QTableWidgetItem(str(text))
                item.setToolTip((tips or {}).get((line, place), item.text()))
                if item.text()[:1].isdigit():
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.setItem(line, place, item)
        lines = min(len(rows), self._most)
        height = self.verticalHeader().defaultSectionSize() * lines
        self.setFixedHeight(height + self.horizontalHeader().sizeHint().height() + 4)
        self.setVisible(bool(rows))


class VerdictList(QListWidget):
    """Checks with their verdict in a sign and in words; `whole` is as high as what it says."""

    def __init__(self, parent=None, whole: bool = False):
        super().__init__(parent)
        self.setWordWrap(True)
        self.setAlternatingRowColors(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        lines_high(self, 8)
        self._whole = whole
        if whole:
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hide()

    def show_verdicts(self, verdicts: list) -> None:
        """Show {level, what, detail} rows, the gravest first."""
        self.clear()
        order = list(LEVELS)[::-1]
        for verdict in sorted(verdicts, key=lambda v: order.index(v.get("level", "red"))):
            level = verdict.get("level", "red")
            words = {"green": tr("OK"), "amber": tr("Look"), "red": tr("Stop")}[level]
            detail = verdict.get("detail", "")
            text = f"{words} · {verdict.get('what', '')}" + (f": {detail}" if detail else "")
            item = QListWidgetItem(light(level), text)
            item.setToolTip(text)
            self.addItem(item)
        self.setVisible(bool(verdicts))
        self._grow()

    def resizeEvent(self, event) -> None:  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        self._grow()

    def _grow(self) -> None:
        """A list that scrolls inside a panel that scrolls is hard to hold."""
        if self._whole and self.count():
            self.doItemsLayout()  # lines wrap at the width that it has now
            last = self.visualItemRect(self.item(self.count() - 1))
            self.setFixedHeight(last.bottom() + 1 + 2 * self.frameWidth())
