"""Which files go into a scene: a field, a menu of further sources, and QGIS's own STAC client."""

from __future__ import annotations

from pathlib import Path

import qgis.core
from qgis.core import QgsRasterLayer
from qgis.gui import QgsFileWidget, QgsGui
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QMenu, QToolButton

from ..bridge.text import tr
from .widgets import row, side_by_side


class Inputs(QObject):
    """The field of files and its menu; ``changed`` when other files are chosen."""

    changed = pyqtSignal()

    def __init__(self, panel, layout):
        super().__init__(panel)
        self._panel = panel
        self.field = QgsFileWidget()
        self.field.setStorageMode(QgsFileWidget.StorageMode.GetMultipleFiles)
        self.field.setDialogTitle(tr("Files of one scene"))
        kinds = "*.tif *.tiff *.jp2 *.vrt *.img *.nc *.he5 *.json"
        self.field.setFilter(f"{tr('Rasters and STAC')} ({kinds});;* (*)")
        self.field.lineEdit().setPlaceholderText(tr("Files, or the folder of a product"))
        self.field.fileChanged.connect(self.changed)
        tip = tr("One file or many; each becomes bands of the scene. Dropping files works too")
        row(layout, tr("&Files"), side_by_side(self.field, self._more()), tip, self.field)

    def _more(self) -> QToolButton:
        button = QToolButton()
        button.setText(tr("More"))
        button.setToolTip(tr("Take a folder, a STAC item or catalogue, or layers that are open"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(button)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.fill_menu)
        button.setMenu(self.menu)
        return button

    def fill_menu(self) -> None:
        """The entries that can be chosen now."""
        self.menu.clear()
        self.menu.addAction(tr("Folder…")).triggered.connect(self._choose_folder)
        stac = self.menu.addAction(tr("STAC item or catalogue…"))
        stac.setToolTip(tr("A JSON file on this machine; its assets must be here too"))
        stac.triggered.connect(self._choose_stac)
        if stac_page():
            search = self.menu.addAction(tr("Search STAC with QGIS…"))
            search.setToolTip(
                tr(
                    "Opens QGIS's own STAC client; layers that it adds to the map can be taken "
                    "from this menu. Nothing is fetched before you ask there"
                )
            )
            search.triggered.connect(self._search_stac)
        self.menu.addSeparator()
        for layer in self._panel.project.mapLayers().values():
            if isinstance(layer, QgsRasterLayer) and layer.providerType() == "gdal":
                path = layer.source().split("|")[0]
                action = self.menu.addAction(layer.name())
                action.setToolTip(path)
                action.triggered.connect(lambda _checked=False, path=path: self.add(path))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._panel, tr("Folder of a product"))
        if folder:
            self.field.setFilePath(folder)

    def _choose_stac(self) -> None:
        title = tr("STAC item or catalogue")
        path, _ = QFileDialog.getOpenFileName(self._panel, title, "", "STAC (*.json)")
        if path:
            self.field.setFilePath(path)

    def _search_stac(self) -> None:
        self._panel.iface.openDataSourceManagerPage(stac_page())

    def add(self, path: str) -> None:
        """Append a file to the chosen ones."""
        chosen = [*self.files(), path]
        self.field.setFilePath(" ".join(f'"{name}"' for name in dict.fromkeys(chosen)))

    def files(self) -> list[str]:
        """What is chosen, path by path."""
        return [path for path in QgsFileWidget.splitFilePaths(self.field.filePath()) if path]

    def problem(self) -> str:
        """A sentence when nothing usable is chosen, or ''."""
        chosen = self.files()
        if not chosen:
            return tr("Choose files or a folder, or try the sample scene.")
        for path in chosen:
            # Layers of a STAC search lie on the network under GDAL's own prefix.
            if not path.startswith("/vsi") and not Path(path).exists():
                return tr("{path} does not exist; choose another file.").format(path=path)
        return ""


def stac_page() -> str:
    """The page of QGIS's data source manager that knows STAC, '' before QGIS 3.40.

    QGIS 3.40 and 3.41 have STAC in the Browser page, later ones a page of its own.
    """
    providers = QgsGui.sourceSelectProviderRegistry().providers()
    own = next((p.name() for p in providers if "stac" in p.name().lower()), "")
    return own or ("browser" if hasattr(qgis.core, "QgsStacConnection") else "")
