"""Dates of one place: how clear each one is, a composite, and a group that follows QGIS's time."""

from __future__ import annotations

from pathlib import Path

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QRectF, Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QStyledItemDelegate, QVBoxLayout

from ..bridge import layers, scenes
from ..bridge.text import tr
from . import reports
from .lists import Table
from .panel import Panel
from .runner import Outcome
from .widgets import choice, form, note, row

GOOD, LOW = "#2e9e5b", "#9a9a9a"
METHODS = (
    ("Median of the clear dates", "median"),
    ("Medoid, one whole date a pixel", "medoid"),
    ("Greenest date", "maxndvi"),
)


class Bar(QStyledItemDelegate):
    """Draws a percentage as a bar behind its figure; grey where the verdict is low."""

    def paint(self, painter, option, index) -> None:
        share = float(index.data() or 0) / 100.0
        low = index.sibling(index.row(), 2).data() == tr("low")
        box = QRectF(option.rect).adjusted(1, 2, -1, -2)
        box.setWidth(box.width() * share)
        colour = QColor(LOW if low else GOOD)
        colour.setAlpha(140)
        painter.fillRect(box, colour)
        painter.drawText(option.rect, Qt.AlignmentFlag.AlignCenter, str(index.data()))


class Dates:
    """The section of the Scene panel that works on a folder of dated scenes."""

    def __init__(self, panel: Panel):
        self.panel = panel
        column = panel.section(tr("Dates"), collapsed=True)
        layout = form()
        self.folder = QgsFileWidget()
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.setDialogTitle(tr("Folder of dated scenes or masks"))
        self.folder.fileChanged.connect(panel.refresh)
        tip = tr("File or folder names carry the date, such as 20200604")
        row(layout, tr("F&older"), self.folder, tip, self.folder.lineEdit())
        self.method = choice()
        for title, ident in METHODS:
            self.method.addItem(tr(title), ident)
        row(layout, tr("&Join by"), self.method, tr("How the composite picks from clear dates"))
        column.addLayout(layout)
        self._steps(column)
        self.table = Table([tr("Date"), tr("Clear %"), tr("Verdict"), tr("Told by")], most=10)
        self.table.setItemDelegateForColumn(1, Bar(self.table))
        self.notes = note()
        self.notes.hide()
        column.addWidget(self.table)
        column.addWidget(self.notes)

    def _steps(self, column: QVBoxLayout) -> None:
        self.panel.step(
            column,
            tr("Clear covera&ge"),
            "concord:coverage",
            self._need,
            self.cover,
            tr("Count clear pixels of every date and add a map of how often each pixel is clear"),
        )
        self.panel.step(
            column,
            tr("Composite of dates"),
            "concord:timecomposite",
            self._need,
            self.compose,
            tr("Make one image from the clear pixels of all dates, with a count"),
        )
        self.panel.step(
            column,
            tr("Add dates as a group"),
            "concord:coverage",
            self._need,
            self.add_dates,
            tr("One layer a date, which QGIS's temporal controller plays"),
        )

    def _need(self) -> str:
        folder = self.folder.filePath()
        if not folder:
            return tr("Choose a folder of dated scenes.")
        if not Path(folder).is_dir():
            return tr("{path} is no folder; choose another.").format(path=folder)
        return ""

    def cover(self) -> None:
        """Run `concord:coverage` and show its bars."""
        stem = self.panel.target("coverage")
        parameters = {
            "INPUT": [self.folder.filePath()],
            "CLEAR": stem + ".tif",
            "REPORT": stem + ".html",
        }

        def done(outcome: Outcome) -> None:
            report = reports.of(outcome)
            self.show_dates(report)
            layer = layers.add_raster(
                outcome.results["CLEAR"], tr("Clear share"), "coverage",
                self.panel.project,
            )  # fmt: skip
            self.panel.show_place(layer)
            self.panel.say(
                tr("{good} of {n} dates show at least {t:g} % of the place.").format(
                    good=report["good_dates"], n=len(report["dates"]), t=report["threshold"]
                )
            )

        self.panel.launch("concord:coverage", parameters, done)

    def show_dates(self, report: dict) -> None:
        """A row with a bar for each date of a coverage report."""
        words = {"high": tr("high"), "low": tr("low")}
        rows = [
            (e["date"], f"{e['clear']:.1f}", words[e["verdict"]], e["method"])
            for e in report["dates"]
        ]
        self.table.fill(rows)
        self.notes.setText("\n".join(report.get("notes", [])))
        self.notes.setVisible(bool(report.get("notes")))

    def compose(self) -> None:
        """Run `concord:timecomposite` and show the image."""
        stem = self.panel.target("composite")
        parameters = {
            "INPUT": [self.folder.filePath()],
            "METHOD": self.method.currentData(),
            "OUTPUT": stem + ".tif",
            "REPORT": stem + ".json",
        }

        def done(outcome: Outcome) -> None:
            name = tr("Composite ({method})").format(method=self.method.currentData())
            layers.add_raster(outcome.results["OUTPUT"], name, "scene", self.panel.project)
            dates = reports.of(outcome).get("dates", [])
            self.panel.say(tr("Joined {n} dates.").format(n=len(dates)))

        self.panel.launch("concord:timecomposite", parameters, done)

    def add_dates(self) -> None:
        """Load date after date as virtual stacks into one group, each with its day."""
        title = tr("Dates of {name}").format(name=Path(self.folder.filePath()).name)
        parameters = {
            "INPUT": [self.folder.filePath()],
            "REPORT": self.panel.target("coverage") + ".html",
        }

        def done(outcome: Outcome) -> None:
            report = reports.of(outcome)
            self.show_dates(report)
            waiting = [entry for entry in report["dates"] if entry["images"]]
            self._next(waiting, title, len(waiting))

        self.panel.launch("concord:coverage", parameters, done)

    def _next(self, waiting: list, title: str, total: int) -> None:
        if not waiting:
            self.panel.say(
                tr("Added {n} dates; the temporal controller plays them.").format(n=total)
            )
            return
        entry, *rest = waiting
        sensor = max(entry["images"], key=lambda name: len(entry["images"][name]))
        stem = self.panel.target("date")
        parameters = {
            "INPUT": entry["images"][sensor],
            "CHECK_SHIFT": False,
            "OUTPUT": stem + ".vrt",
            "REPORT": stem + ".json",
        }

        def done(outcome: Outcome) -> None:
            layer = layers.add_raster(
                outcome.results["OUTPUT"], entry["date"], "scene", self.panel.project, group=title
            )
            scenes.remember(layer, reports.of(outcome))
            scenes.set_date(layer, entry["date"], active=True)
            self._next(rest, title, total)

        self.panel.launch("concord:loadscene", parameters, done)
