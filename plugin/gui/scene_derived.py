"""The field for derived bands: names as text, and a menu that knows them all by group."""

from __future__ import annotations

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QToolButton, QWidget

from ..bridge.text import tr

OWN = (
    ("Radar", ("vv_vh", "rvi", "vv_lee", "vh_lee", "vv_refined_lee", "vh_refined_lee")),
    ("Terrain", ("slope", "aspect", "hillshade", "tpi_100", "roughness_100", "ndsm")),
    ("Sharpening", ("sharpen_mtfglp", "sharpen_gsa", "sharpen_brovey", "sharpen_sfim")),
    ("Components", ("pca_3", "mnf_3")),
)
COMMON = ("ndvi", "evi", "kndvi", "ndwi", "mndwi", "ndmi", "nbr", "ndbi", "bsi", "ndsi")


class DerivedField(QWidget):
    """Names separated by semicolons; the menu adds one."""

    changed = pyqtSignal()

    def __init__(self, parent=None):
        super().__init__(parent)
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(tr("None, or names such as ndvi; slope"))
        self.edit.setClearButtonEnabled(True)
        self.edit.textChanged.connect(lambda _text: self.changed.emit())
        button = QToolButton()
        button.setText(tr("Add"))
        button.setToolTip(tr("Indices, radar filters, terrain and sharpening, by group"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(button)
        self._menu.aboutToShow.connect(self._fill)
        button.setMenu(self._menu)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.edit, 1)
        line.addWidget(button)
        self.setFocusProxy(self.edit)

    def names(self) -> list[str]:
        """The names that stand in the field."""
        return [part.strip() for part in self.edit.text().split(";") if part.strip()]

    def add(self, name: str) -> None:
        """Append a name that is not there yet."""
        self.edit.setText("; ".join(dict.fromkeys([*self.names(), name])))

    def _fill(self) -> None:
        if self._menu.actions():
            return
        for name in COMMON:
            self._entry(self._menu, name, name)
        self._menu.addSeparator()
        for title, names in OWN:
            group = self._menu.addMenu(tr(title))
            for name in names:
                self._entry(group, name, name)
        self._menu.addSeparator()
        everything = self._menu.addMenu(tr("All indices"))
        for domain, entries in _by_domain().items():
            group = everything.addMenu(domain.capitalize())
            for name, title in entries:
                self._entry(group, f"{name}: {title}", name)

    def _entry(self, menu: QMenu, text: str, name: str) -> None:
        action = menu.addAction(text)
        action.triggered.connect(lambda _checked=False: self.add(name))


def _by_domain() -> dict:
    """{domain: [(name, title)]} of the catalogue."""
    from ..engine.derive import catalogue

    groups: dict = {}
    for name, (_, entry) in sorted(catalogue.entries().items()):
        groups.setdefault(entry["domain"], []).append((name, entry["title"]))
    return dict(sorted(groups.items()))
