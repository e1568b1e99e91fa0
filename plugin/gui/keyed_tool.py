"""What the prompt tool and the brush have in common: keys that work while they have the map."""

from __future__ import annotations

from qgis.core import QgsPointXY
from qgis.gui import QgsMapCanvas, QgsMapTool
from qgis.PyQt.QtCore import QEvent, Qt, QTimer, pyqtSignal

from .keys import PromptKeys

WISHES = (
    "prompts", "brush", "eraser", "fill", "split", "reshape", "merge", "unpaint", "repaint",
)  # fmt: skip


class KeyedTool(QgsMapTool):
    """Keys of PromptKeys do what `_does` says; digits pick the class."""

    left = pyqtSignal()
    class_picked = pyqtSignal(int)
    wished = pyqtSignal(str)  # another tool of the panel, by the name of its key

    _noted = False  # QGIS has seen that it is on

    def __init__(self, canvas: QgsMapCanvas, keys: PromptKeys | None = None):
        super().__init__(canvas)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.keys = keys or PromptKeys(self)
        self._here: QgsPointXY | None = None
        self._does = {name: (lambda name=name: self.wished.emit(name)) for name in WISHES}

    def flags(self):
        """An editing tool only while QGIS takes note of it: it would keep a pointer to any other,
        and takes an editing one away when another layer becomes the current one.
        """
        return super().flags() if self._noted else QgsMapTool.Flag.EditTool

    def activate(self) -> None:
        super().activate()
        QTimer.singleShot(0, self._take_note)
        # Tab would move the focus, and shortcuts of the window would take Esc and the digits.
        self.canvas().installEventFilter(self)
        self.canvas().viewport().installEventFilter(self)
        self.canvas().setFocus()

    def _take_note(self) -> None:
        self._noted = self.isActive()

    def deactivate(self) -> None:
        self._noted = False
        self.canvas().removeEventFilter(self)
        self.canvas().viewport().removeEventFilter(self)
        self._forget_drag()
        self.left.emit()
        super().deactivate()

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 (Qt's name)
        kind = event.type()
        if kind == QEvent.Type.Leave:
            self._here = None
            self.left.emit()
        elif kind == QEvent.Type.ShortcutOverride and self._action(event) is not None:
            event.accept()
            return True
        elif kind == QEvent.Type.KeyPress:
            action = self._action(event)
            if action is not None:
                action()
                return True
        return False

    def _action(self, event):
        """What a key stands for, or None."""
        name = self.keys.name_of(event)
        if name.startswith("class"):
            return lambda: self.class_picked.emit(int(name[5:]))
        return self._does.get(name)

    def _forget_drag(self) -> None:
        """Drop what is being drawn."""
