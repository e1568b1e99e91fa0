"""What a refinement would change, in words and as a table, and the way to its report."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..bridge.text import tr
from . import reports
from .lists import Table
from .widgets import note


class RefineResult(QWidget):
    """Shows the figures of one run of `concord:refinelabels`."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.numbers = note()
        column.addWidget(self.numbers)
        self.changes = Table([tr("From"), tr("To"), tr("Pixels")])
        column.addWidget(self.changes)
        self.open_report = QPushButton(tr("&Open report"))
        self.open_report.hide()
        self.open_report.clicked.connect(lambda: reports.show(self._path))
        column.addWidget(self.open_report)
        self._path = ""

    def fill(self, report: dict, path) -> None:
        """Show the share of changed pixels and what changed into what; `path` is of the report."""
        text = tr("{share:.1f} % of the pixels would change, in {n:,} regions.").format(
            share=100 * float(report.get("changed_share", 0)), n=report.get("regions", 0)
        )
        reason = [report["noise"]["reason"]] if report.get("noise") else []
        reason += [note for note in report.get("notes", []) if "was not asked" in note]
        self.numbers.setText("\n".join([text, *reason]))
        transitions = sorted(report.get("transitions", []), key=lambda t: -t.get("pixels", 0))
        self.changes.fill(
            [
                (
                    change.get("from_name", change.get("from")),
                    change.get("to_name", change.get("to")),
                    f"{change.get('pixels', 0):,}",
                )
                for change in transitions
            ]
        )
        self._path = str(Path(str(path)).with_suffix(".html"))
        self.open_report.setVisible(Path(self._path).exists())
