"""The keys of the review queue."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QKeySequence
from qgis.PyQt.QtWidgets import QShortcut


class ReviewKeys:
    """Single keys that work in each of ``owners`` and in what stands inside them.

    Args:
        actions: {key: what it does}.
        pressed: called with what the key does.
    """

    def __init__(self, owners, actions: dict, pressed):
        self._shortcuts = []
        for owner in owners:
            for key, action in actions.items():
                shortcut = QShortcut(QKeySequence(key), owner)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(lambda action=action: pressed(action))
                self._shortcuts.append(shortcut)
        self.arm(False)

    def arm(self, armed: bool) -> None:
        """Let the keys through to others while there is nothing to decide."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(armed)

    def release(self) -> None:
        """Take the keys away from widgets that live on."""
        self.arm(False)
        for shortcut in self._shortcuts:
            shortcut.deleteLater()
        self._shortcuts = []
