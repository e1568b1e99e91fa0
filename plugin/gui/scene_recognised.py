"""The section of the Scene panel that says what files were taken for, and lets it be corrected."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import QObject

from ..bridge import scenes
from ..bridge.text import tr
from . import reports
from .runner import Outcome
from .scene_files import FileTable, as_text
from .widgets import note

_TOLD = 8  # files left out that are told in words


class Recognised(QObject):
    """A button that looks at the chosen files, and the table of what it found.

    Args:
        panel: the Scene panel.
        inputs: its ``Inputs``.
    """

    def __init__(self, panel, inputs):
        super().__init__(panel)
        self.panel, self.inputs = panel, inputs
        column = panel.section(tr("What the files are"), collapsed=True)
        panel.step(
            column,
            tr("Look at the files"),
            "concord:recognisefiles",
            inputs.problem,
            self.look,
            tr("Say of each file which sensor, date and bands it brings, before a scene is built"),
        )
        self.table = FileTable()
        self.notes = note()
        column.addWidget(self.table)
        column.addWidget(self.notes)
        self.clear()
        inputs.changed.connect(self.clear)

    def clear(self) -> None:
        """Forget the files that were looked at."""
        self.table.show_files({})
        self.notes.hide()

    def corrections(self) -> dict:
        """What the user said of the chosen files, now or in a scene of this project."""
        if self.table.rowCount():
            return self.table.corrections()
        return scenes.remembered_corrections(self.panel.project, self.inputs.files())

    def look(self) -> None:
        """Run `concord:recognisefiles` and list the files."""
        before = self.corrections()
        parameters = {
            "INPUT": self.inputs.files(),
            "SENSOR": self.panel.sensor.currentData(),
            "CORRECTIONS": as_text(before) or "",
            "REPORT": self.panel.target("files") + ".json",
        }

        def done(outcome: Outcome) -> None:
            report = reports.of(outcome)
            self.table.show_files(report, before)
            self._tell(report)

        self.panel.launch("concord:recognisefiles", parameters, done)

    def _place(self, path: str) -> str:
        """A file by its place below the chosen folder, or with the folder it lies in."""
        for given in map(Path, self.inputs.files()):
            if given in Path(path).parents:
                return Path(path).relative_to(given).as_posix()
        return "/".join(Path(path).parts[-2:])

    def _tell(self, report: dict) -> None:
        out = report["skipped"]
        lines = list(report["warnings"])
        for entry in out[:_TOLD]:
            lines.append(f"{self._place(entry['file'])}: {entry['reason']}")
        if len(out) > _TOLD:
            lines.append(tr("{n} more are left out.").format(n=len(out) - _TOLD))
        self.notes.setText("\n".join(f"• {text}" for text in lines))
        self.notes.setVisible(bool(lines))
        self.panel.say(
            tr("{n} files are used, {m} left out; double-click a cell to correct it.").format(
                n=len(report["files"]), m=len(out)
            )
        )
