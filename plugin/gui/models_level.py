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
            "With the air in it (L1C) or without (L2A). Automatic: as the product or its name "
            "says, else as the colours tell; Check model shows which"
        )
        self._label = row(layout, tr("Processing level"), self.level, tip)
        self._followed = None
        self.follow("", None)

    def follow(self, model: str, layer) -> None:
        """Offer the levels of a model; what was chosen for another model or image does not stay."""
        followed = model, layer.id() if layer is not None else ""
        if followed == self._followed:
            return
        self._followed = followed
        names = settings.levels_of(model) if model else []
        self.level.clear()
        self.level.addItem(tr("Automatic"), "")
        for name in names:
            self.level.addItem(name, name)
        self._label.setVisible(bool(names))
        self.level.setVisible(bool(names))

    def parameters(self) -> dict:
        """Of `concord:modelcard` and `concord:runmodel`."""
        return {"LEVEL": self.level.currentData()} if self.level.currentData() else {}
