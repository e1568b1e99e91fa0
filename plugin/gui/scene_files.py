"""What each file was taken for, open to correction before the scene is built."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QStyledItemDelegate,
    QTableWidgetItem,
)

from ..bridge.text import tr
from .lists import Table

FILE, SENSOR, DATE, BANDS = range(4)
_SAID = Qt.ItemDataRole.UserRole  # what recognition said, to see what was changed


class SensorChoice(QStyledItemDelegate):
    """A list of sensors in place of free text."""

    def createEditor(self, parent, _option, _index):
        from ..engine import sensors

        combo = QComboBox(parent)
        combo.addItem(tr("Unknown sensor"), "")
        for preset in sensors.presets():
            combo.addItem(preset.title, preset.id)
        return combo

    def setEditorData(self, editor, index) -> None:
        editor.setCurrentIndex(max(0, editor.findData(index.data(_SAID + 1))))

    def setModelData(self, editor, model, index) -> None:
        model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)
        model.setData(index, editor.currentData(), _SAID + 1)


class FileTable(Table):
    """A row a file: ticked when it is used; sensor, date and bands can be written over.

    ``corrections()`` holds only what differs from what recognition said.
    """

    edited = pyqtSignal()

    def __init__(self):
        super().__init__([tr("File"), tr("Sensor"), tr("Date"), tr("Bands")])
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.setItemDelegateForColumn(SENSOR, SensorChoice(self))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(FILE, QHeaderView.ResizeMode.Stretch)
        self.setAccessibleName(tr("Files and what they were taken for"))
        self._before: dict = {}
        self.itemChanged.connect(lambda _item: self.edited.emit())

    def show_files(self, report: dict, before: dict | None = None) -> None:
        """Rows of a recognisefiles report; ``before`` are the corrections it was made with."""
        self._before = {path: dict(entry) for path, entry in (before or {}).items()}
        used = [{**entry, "use": True} for entry in report.get("files", [])]
        out = [
            {"file": e["file"], "reason": e["reason"], "use": False}
            for e in report.get("skipped", [])
        ]
        self.blockSignals(True)
        self.fill([[""] * 4 for _ in (*used, *out)])
        for line, entry in enumerate((*used, *out)):
            self._row(line, entry)
        self.blockSignals(False)
        for column in (SENSOR, DATE, BANDS):
            self.resizeColumnToContents(column)
            self.setColumnWidth(column, min(self.columnWidth(column), 130))

    def _row(self, line: int, entry: dict) -> None:
        path = entry["file"]
        item = QTableWidgetItem(Path(path).name)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        state = Qt.CheckState.Checked if entry["use"] else Qt.CheckState.Unchecked
        item.setCheckState(state)
        item.setData(_SAID, path)
        item.setData(_SAID + 1, entry["use"])
        item.setToolTip(f"{path}\n{entry['reason']}")
        self.setItem(line, FILE, item)
        title = entry.get("title", "") if entry["use"] else entry["reason"]
        texts = (title, entry.get("date", ""), ";".join(entry.get("bands", [])))
        for column, text in zip((SENSOR, DATE, BANDS), texts):
            cell = QTableWidgetItem(text)
            cell.setData(_SAID, text)
            cell.setToolTip(self._tip(column, entry))
            if column == SENSOR:
                cell.setData(_SAID + 1, entry.get("sensor", ""))
            self.setItem(line, column, cell)

    @staticmethod
    def _tip(column: int, entry: dict) -> str:
        if column == SENSOR:
            return f"{entry['reason']}\n" + tr("Double-click to choose another sensor")
        if column == DATE:
            return tr("Double-click to write the day, such as 2021-06-30")
        bands = ";".join(entry.get("bands", []))
        return f"{bands}\n" + tr("Double-click to name the bands, such as red;nir")

    def paths(self) -> list[str]:
        """Every file of the table."""
        return [self.item(line, FILE).data(_SAID) for line in range(self.rowCount())]

    def corrections(self) -> dict:
        """{path: {"sensor", "date", "bands", "use"}}, only what the user changed, now or before."""
        found = {path: dict(entry) for path, entry in self._before.items()}
        for line in range(self.rowCount()):
            name, *cells = (self.item(line, column) for column in range(4))
            entry = found.setdefault(name.data(_SAID), {})
            use = name.checkState() == Qt.CheckState.Checked
            if use != name.data(_SAID + 1):
                entry["use"] = use
            for key, cell in zip(("sensor", "date", "bands"), cells):
                if cell.text() != cell.data(_SAID):
                    value = cell.data(_SAID + 1) if key == "sensor" else cell.text().strip()
                    entry[key] = value
        return {path: entry for path, entry in found.items() if entry}


def as_text(corrections: dict) -> str | None:
    """What the CORRECTIONS parameter takes; None without any."""
    return json.dumps(corrections, ensure_ascii=False) if corrections else None
