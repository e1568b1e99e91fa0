"""The legend of clicks and keys that the prompt tool understands."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QGridLayout, QLabel

from ..bridge.text import tr
from .widgets import note

KEYS = (
    ("Left click", "add to the object"),
    ("Right click", "take away from it"),
    ("Left drag", "draw a box around it"),
    ("Enter", "accept the proposal"),
    ("Esc", "drop it"),
    ("Backspace", "undo the last prompt"),
    ("Tab", "show the next candidate"),
    ("1 to 9", "choose the class"),
    ("Ctrl+Z", "undo the last label"),
)


def legend() -> QGridLayout:
    """Keys at the left, what they do at the right."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    for line, (key, meaning) in enumerate(KEYS):
        grid.addWidget(QLabel(f"<b>{tr(key)}</b>"), line, 0)
        grid.addWidget(note(tr(meaning)), line, 1)
    return grid
