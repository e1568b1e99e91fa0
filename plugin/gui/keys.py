"""Keys of the prompt tool: listed in the panel, changed in QGIS's own shortcut dialog.

The actions are registered with QGIS's shortcut manager but belong to no window, so that Enter or
a digit means something to Concord only while the prompt tool has the map.
"""

from __future__ import annotations

from qgis.gui import QgsGui
from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeySequence
from qgis.PyQt.QtWidgets import QAction, QGridLayout, QLabel

from ..bridge.text import tr
from .widgets import note

# name, what it does, default key
ACTIONS = (
    ("accept", "accept the proposal", "Return"),
    ("drop", "drop it", "Esc"),
    ("undo", "undo the last prompt", "Backspace"),
    ("next", "show the next candidate", "Tab"),
    ("previous", "show the previous candidate", "Shift+Tab"),
    ("grow", "grow the proposal", "+"),
    ("shrink", "shrink the proposal", "-"),
    ("refine", "refine the label under the mouse", "R"),
    ("similar", "find similar objects in the view", "F"),
    ("prompts", "back to prompts", "P"),
    ("brush", "brush: paint labels", "B"),
    ("eraser", "eraser: take away from labels", "E"),
    ("fill", "fill a region of the class raster", "G"),
    ("split", "split labels", "S"),
    ("reshape", "reshape a label", "H"),
    ("merge", "merge the selected labels", "M"),
    ("larger", "larger brush", "]"),
    ("smaller", "smaller brush", "["),
    ("unpaint", "undo the last prompt, without one the last label", "Ctrl+Z"),
    ("repaint", "redo a label", "Ctrl+Shift+Z"),
    *((f"class{n}", f"choose class {n}", str(n)) for n in range(1, 10)),
)
MOUSE = (
    ("Left click", "add to the object"),
    ("Right click, Ctrl+click", "take away from it"),
    ("Left drag", "draw a box around it"),
    ("Shift+drag", "paint a stroke inside it"),
    ("Alt+click", "refine the label that lies there"),
    ("Shift+wheel", "grow or shrink the proposal"),
)


class PromptKeys(QObject):
    """The tool's actions in QGIS's shortcut dialog, and which of them a key event means."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.actions: dict[str, QAction] = {}
        manager = QgsGui.shortcutsManager()
        for name, text, key in ACTIONS:
            action = QAction(tr("Concord prompts: {text}").format(text=tr(text)), self)
            action.setObjectName(f"ConcordPrompt_{name}")
            manager.registerAction(action, key)
            action.changed.connect(self.changed)
            self.actions[name] = action

    def name_of(self, event) -> str:
        """The action that a key event stands for, or an empty string."""
        pressed = sequence_of(event)
        if pressed.isEmpty():
            return ""
        for name, action in self.actions.items():
            if action.shortcut() == pressed:
                return name
        return ""

    def text(self, name: str) -> str:
        """The key as the user reads it."""
        native = QKeySequence.SequenceFormat.NativeText
        return self.actions[name].shortcut().toString(native)

    def release(self) -> None:
        """Take the actions out of the shortcut dialog."""
        for action in self.actions.values():
            action.changed.disconnect(self.changed)
            QgsGui.shortcutsManager().unregisterAction(action)
        self.actions = {}


def sequence_of(event) -> QKeySequence:
    """The key sequence of an event; the keypad counts as the main keys, Backtab as Shift+Tab."""
    key, modifiers = event.key(), event.modifiers()
    keypad = Qt.KeyboardModifier.KeypadModifier
    names = (
        ("Ctrl", Qt.KeyboardModifier.ControlModifier),
        ("Alt", Qt.KeyboardModifier.AltModifier),
        ("Shift", Qt.KeyboardModifier.ShiftModifier),
        ("Meta", Qt.KeyboardModifier.MetaModifier),
    )
    held = [name for name, modifier in names if modifiers & modifier]
    if key == Qt.Key.Key_Backtab:
        key, held = Qt.Key.Key_Tab, [*(h for h in held if h != "Shift"), "Shift"]
    if key == Qt.Key.Key_Enter:
        key = Qt.Key.Key_Return
    text = QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    # '+' needs Shift on many keyboards and none on the keypad; it is the same wish.
    if text in ("+", "-", "_", "=") or (modifiers & keypad and not held):
        held = [h for h in held if h != "Shift"]
    if not text:
        return QKeySequence()
    return QKeySequence("+".join([*held, text]), QKeySequence.SequenceFormat.PortableText)


def legend(keys: PromptKeys) -> QGridLayout:
    """Mouse and keys at the left, what they do at the right; follows the shortcut dialog."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    labels: dict[str, QLabel] = {}
    lines = [(tr(key), tr(meaning), "") for key, meaning in MOUSE]
    lines += [("", tr(text), name) for name, text, _ in ACTIONS if not name.startswith("class")]
    lines.append(("", tr("choose the class"), "class"))
    for number, (key, meaning, name) in enumerate(lines):
        label = QLabel(f"<b>{key}</b>")
        label.setWordWrap(True)
        grid.addWidget(label, number, 0)
        grid.addWidget(note(meaning), number, 1)
        if name:
            labels[name] = label

    def spell() -> None:
        for name, label in labels.items():
            if not keys.actions:
                return
            text = keys.text(name) if name != "class" else _classes(keys)
            label.setText(f"<b>{text or tr('no key')}</b>")

    keys.changed.connect(spell)
    spell()
    return grid


def _classes(keys: PromptKeys) -> str:
    return tr("{first} to {last}").format(first=keys.text("class1"), last=keys.text("class9"))
