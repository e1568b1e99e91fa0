"""The choice of the promptable model, and a line on what the chosen one is good for or lacks."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtWidgets import QLabel

from ..bridge import prompt_models, settings
from ..bridge.text import tr
from .widgets import PathCombo, note


def prompt_model_combo() -> PathCombo:
    """Models that answer prompts: the bundled ones, and encoder-decoder pairs the user added."""

    def items():
        yield from prompt_models.offered()
        for path in settings.paths(settings.PROMPT_MODELS):
            yield Path(path).stem, path

    caption = tr("Add a promptable model: its encoder, or the folder of encoder and decoder")
    return PathCombo(settings.PROMPT_MODELS, items, caption, tr("Models (*.onnx)"), folders=True)


def about(combo: PathCombo) -> QLabel:
    """A note that follows the choice; hidden while there is nothing to say."""
    label = note()

    def follow() -> None:
        line = prompt_models.about(combo.value())
        label.setText(line)
        label.setVisible(bool(line))

    combo.changed.connect(follow)
    follow()
    return label
