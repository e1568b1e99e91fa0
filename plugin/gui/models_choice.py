"""Models panel: which model, what it is good for, and whether it fits the image."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon, QPixmap

from ..bridge import model_fit, settings
from ..bridge.text import tr
from .lists import light
from .widgets import PathCombo


def listed_models():
    """(title, path) of the models that came with Concord and of those the user added."""
    for path in settings.models():
        yield settings.model_title(path), path


class ModelChoice(PathCombo):
    """A tick stands at the models that fit the image.

    Until the user has chosen, the first bundled model that fits is; the list keeps its order.
    """

    def __init__(self):
        self._image = ""  # its file; a layer may be gone any time
        self._chosen = self._preferring = False
        caption, kind = tr("Add a model (ONNX)"), tr("Models (*.onnx)")
        super().__init__(settings.MODELS, listed_models, caption, kind, about=_about)
        self.combo.currentIndexChanged.connect(self._note)

    def reload(self, chosen: str = "") -> None:
        self._chosen = self._chosen or bool(chosen)
        super().reload(chosen)
        self._mark()

    def see(self, image) -> None:
        """Tell which models fit an image, and choose one while the user has not."""
        self._image = model_fit.file_of(image)
        self._mark()
        if self._chosen:
            return
        places = [i for i in range(self.combo.count()) if self._suits(self.combo.itemData(i))]
        if places:
            self._preferring = True
            self.combo.setCurrentIndex(places[0])
            self._preferring = False

    def _suits(self, path: str) -> bool:
        """The stand-in fits many images and is good for none of them."""
        return Path(path).stem in settings.BUNDLED and model_fit.against(path, self._image) == ""

    def _note(self, _index: int) -> None:
        self._chosen = self._chosen or not self._preferring

    def _mark(self) -> None:
        paths = [self.combo.itemData(place) for place in range(self.combo.count())]
        whys = [model_fit.against(path, self._image) for path in paths]
        # A clear picture keeps the titles in line with those that have a tick.
        others = _clear() if "" in whys else QIcon()
        for place, (path, why) in enumerate(zip(paths, whys)):
            self.combo.setItemIcon(place, light("green") if why == "" else others)
            tip = "\n".join(line for line in (_about(path), _says(why)) if line)
            self.combo.setItemData(place, tip, Qt.ItemDataRole.ToolTipRole)
            spoken = ", ".join(part for part in (self.combo.itemText(place), _says(why)) if part)
            self.combo.setItemData(place, spoken, Qt.ItemDataRole.AccessibleTextRole)

    def elsewhere(self) -> str:
        """Why the chosen file is nothing for this panel, or nothing."""
        if not model_fit.promptable(self.value()):
            return ""
        return tr("{name} answers clicks; add it as the model of the Annotate panel.").format(
            name=Path(self.value()).name
        )

    def misfit(self) -> str:
        """Why the chosen model would be refused for the image, or nothing."""
        why = model_fit.against(self.value(), self._image)
        return _says(why) if why else ""


def _says(why: str | None) -> str:
    if why is None:
        return ""
    return tr("Does not fit the image: {why}.").format(why=why) if why else tr("Fits the image")


def _about(path: str) -> str:
    """What the tooltip of a list says of a model."""
    lines = [Path(path).name, settings.about_model(path)]
    return "\n".join(line for line in lines if line)


def _clear() -> QIcon:
    pixmap = QPixmap(64, 64)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)
