"""Plots in a panel: one is chosen from a list and painted in the colours of the panel."""

from __future__ import annotations

from typing import Callable

from qgis.PyQt.QtCore import QByteArray, QEvent, QRect, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QPainter
from qgis.PyQt.QtSvg import QSvgRenderer
from qgis.PyQt.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ..bridge.text import tr
from ..engine.plots import Theme
from .widgets import choice

_LARGEST = 1.15  # times its own size: letters must not outgrow those of the panel


class Drawing(QWidget):
    """An SVG as wide as the panel, as high as that makes it."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._svg = QSvgRenderer(self)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_svg(self, text: str, title: str) -> None:
        """Paint this text from now on."""
        self._svg.load(QByteArray(text.encode("utf-8")))
        self.setAccessibleName(title)
        self.setToolTip(title)
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name)
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 (Qt's name)
        size = self._svg.defaultSize()
        if size.isEmpty():
            return 0
        return round(size.height() * min(width / size.width(), _LARGEST))

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        return QSize(240, self.heightForWidth(max(self.width(), 240)))

    def paintEvent(self, _event) -> None:  # noqa: N802 (Qt's name)
        size = self._svg.defaultSize()
        if size.isEmpty():
            return
        scale = min(self.width() / size.width(), self.height() / size.height(), _LARGEST)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide = QRectF(0, 0, size.width() * scale, size.height() * scale)
        self._svg.render(painter, wide)
        painter.end()


class Plots(QWidget):
    """A list of plots and the one that is chosen; hidden while there is none."""

    def __init__(self, draw: Callable, parent=None):
        """`draw(Theme)` gives [(title, SVG text)]."""
        super().__init__(parent)
        self._draw = draw
        self._drawn: list = []
        self.combo = choice()
        self.combo.setAccessibleName(tr("Plot"))
        self.combo.currentIndexChanged.connect(self._show)
        self.picture = Drawing()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.combo)
        column.addWidget(self.picture)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    def _theme(self) -> Theme:
        """Colours that go with what the panel really looks like.

        A theme of QGIS is a style sheet, of which palettes know nothing; so a pixel is asked.
        """
        holder = self.parentWidget() or self
        paper = holder.grab(QRect(4, holder.height() // 2, 1, 1)).toImage().pixelColor(0, 0)
        dark = paper.lightness() < 128
        ink = (230, 230, 230) if dark else (34, 34, 34)
        mixed = [(3 * p + i) // 4 for i, p in zip(ink, paper.getRgb()[:3])]
        return Theme("#{:02x}{:02x}{:02x}".format(*ink), paper.name(),
                     "#{:02x}{:02x}{:02x}".format(*mixed))  # fmt: skip

    def reload(self) -> None:
        """Draw again; the choice stays where it can."""
        chosen = self.combo.currentText()
        self._drawn = self._draw(self._theme())
        self.combo.blockSignals(True)
        self.combo.clear()
        for title, _svg in self._drawn:
            self.combo.addItem(title)
        self.combo.setCurrentIndex(max(0, self.combo.findText(chosen)) if self._drawn else -1)
        self.combo.blockSignals(False)
        self._show()
        self.setVisible(bool(self._drawn))

    def _show(self, *_) -> None:
        place = self.combo.currentIndex()
        if 0 <= place < len(self._drawn):
            title, svg = self._drawn[place]
            self.picture.show_svg(svg, title)

    def changeEvent(self, event) -> None:  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        changed = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange)
        if event.type() in changed and self._drawn:
            self.reload()
