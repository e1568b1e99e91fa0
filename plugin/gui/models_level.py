"""Models panel: what processing level the image is taken for, where the model tells them apart."""

from __future__ import annotations

from ..bridge import settings
from ..bridge.text import tr
from .widgets import choice, row


class LevelRow:
    """A row of the panel's form, shown for models whose card names levels."""

    def __init__(self, layout):
        self.level = choice()
        tip = tr(
            "With the air in it (L1C) or without (L2A). By itself: as the product or its name "
            "says, else as the colours tell; Check model shows which"
        )
        self._label = row(layout, tr("Processing level"), self.level, tip)
        self.follow("")

    def follow(self, model: str) -> None:
        """Offer the levels of a model; a level chosen for another model does not stay."""
        names = settings.levels_of(model) if model else []
        listed = [self.level.itemData(i) for i in range(1, self.level.count())]
        if names != listed or not self.level.count():
            self.level.clear()
            self.level.addItem(tr("By itself"), "")
            for name in names:
                self.level.addItem(name, name)
        self._label.setVisible(bool(names))
        self.level.setVisible(bool(names))

    def parameters(self) -> dict:
        """Of `concord:runmodel`."""
        return {"LEVEL": self.level.currentData()} if self.level.currentData() else {}
