"""Small widgets that the panels share."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel, QgsProject, QgsReferencedRectangle
from qgis.gui import QgsExtentWidget, QgsMapCanvas, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QEvent, Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..bridge import settings
from ..bridge.text import tr


def form() -> QFormLayout:
    """A form whose fields take the width that the dock has."""
    layout = QFormLayout()
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setContentsMargins(0, 0, 0, 0)
    return layout


def row(layout: QFormLayout, text: str, widget: QWidget, tip: str = "", focus=None) -> QLabel:
    """Add a labelled field; the label's mnemonic moves the focus to it."""
    label = QLabel(text)
    label.setBuddy(focus or widget)
    label.setToolTip(tip)
    widget.setToolTip(tip)
    target = focus or widget
    target.setAccessibleName(text.replace("&", ""))
    layout.addRow(label, widget)
    return label


def side_by_side(*widgets: QWidget, stretch: int | None = 0) -> QWidget:
    """Widgets in one line; the one at index `stretch` takes the room, or all alike with None."""
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    for index, widget in enumerate(widgets):
        line.addWidget(widget, 1 if stretch in (index, None) else 0)
    return holder


class Column(QScrollArea):
    """Scrolls up and down only: it is never narrower than what it holds."""

    def __init__(self, inner: QWidget, parent=None):
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inner)
        inner.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 (Qt's name)
        if watched is self.widget() and event.type() in (
            QEvent.Type.Resize,
            QEvent.Type.LayoutRequest,
        ):
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(watched.minimumSizeHint().width() + bar)
        return super().eventFilter(watched, event)


def choice() -> QComboBox:
    """A combo box that does not widen the panel for the sake of a long entry."""
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(12)
    return combo


def note(text: str = "") -> QLabel:
    """A wrapped line of explanation."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class LayerCombo(QgsMapLayerComboBox):
    """Layers of the project that pass a test which reads headers only.

    With `likely` the choice follows the layer tree until the user chooses, or `keep` is called; it
    does so again once that layer is gone.
    """

    def __init__(self, kind: str, accepts=None, empty: bool = False, likely=None, parent=None):
        """`accepts(layer)` decides what is listed; `likely(layers)` is chosen at first."""
        super().__init__(parent)
        self._likely, self._kept = likely, ""
        self.activated.connect(lambda _index: self.keep())
        filters = QgsMapLayerProxyModel.Filter
        self.setFilters({"raster": filters.RasterLayer, "polygon": filters.PolygonLayer}[kind])
        self.setAllowEmptyLayer(empty)
        self._accepts = accepts
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        if accepts is not None:
            project = QgsProject.instance()
            project.layersAdded.connect(self.sieve)
            project.layersRemoved.connect(self.sieve)
            self.sieve()
        # A group that is unticked tells of each layer, and a layer leaves the tree before the
        # project; what is likely is asked once, when all that is over.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._follow)
        if likely is not None:
            tree = QgsProject.instance().layerTreeRoot()
            tree.layerOrderChanged.connect(self._tree_changed)
            tree.visibilityChanged.connect(self._tree_changed)

    def sieve(self, *_) -> None:
        """Hide the layers that do not pass."""
        layers = QgsProject.instance().mapLayers().values()
        self.setExceptedLayerList([layer for layer in layers if not self._accepts(layer)])
        self._follow()

    def _tree_changed(self, *_) -> None:
        self._later.start(0)

    def _follow(self) -> None:
        """Choose the likely layer, unless one is kept."""
        project = QgsProject.instance()
        if self._likely is None or project.mapLayer(self._kept) is not None:
            return
        hidden = {layer.id() for layer in self.exceptedLayerList()}
        shown = [layer for name, layer in project.mapLayers().items() if name not in hidden]
        self.setLayer(self._likely(shown))

    def keep(self) -> None:
        """The layer that is chosen stays so, whatever happens in the layer tree."""
        layer = self.currentLayer()
        self._kept = layer.id() if layer is not None else ""

    def release(self) -> None:
        """Stop listening to the project."""
        if self._accepts is not None:
            project = QgsProject.instance()
            project.layersAdded.disconnect(self.sieve)
            project.layersRemoved.disconnect(self.sieve)
            self._accepts = None
        if self._likely is not None:
            tree = QgsProject.instance().layerTreeRoot()
            tree.layerOrderChanged.disconnect(self._tree_changed)
            tree.visibilityChanged.disconnect(self._tree_changed)
            self._later.stop()
            self._likely = None


class PathCombo(QWidget):
    """A choice of files that are known, and a button to add one."""

    changed = pyqtSignal()

    def __init__(self, key: str, items, caption: str, file_filter: str, folders=False, parent=None,
                 about=str):  # fmt: skip
        """`items()` gives (title, path or id) pairs; added paths are remembered under `key`.

        `about(path or id)` is what an entry's tooltip says, else the path or id itself.
        """
        super().__init__(parent)
        self._about = about
        self._key, self._items, self._caption, self._filter = key, items, caption, file_filter
        self.combo = choice()
        self.combo.currentIndexChanged.connect(lambda _index: self.changed.emit())
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.combo, 1)
        line.addWidget(self._add_button(folders))
        self.setFocusProxy(self.combo)
        self.reload()

    def _add_button(self, folders: bool) -> QToolButton:
        button = QToolButton()
        button.setText(tr("Add…"))
        button.setToolTip(self._caption)
        if folders:
            menu = QMenu(button)
            menu.addAction(tr("File…")).triggered.connect(self._add_file)
            menu.addAction(tr("Folder…")).triggered.connect(self._add_folder)
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        else:
            button.clicked.connect(self._add_file)
        return button

    def reload(self, chosen: str = "") -> None:
        """Fill the list again and keep, or set, the choice."""
        chosen = chosen or self.value()
        self.combo.blockSignals(True)
        self.combo.clear()
        for title, content in self._items():
            self.combo.addItem(title, content)
            tip = self._about(content)
            self.combo.setItemData(self.combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(max(0, self.combo.findData(chosen)))
        self.combo.blockSignals(False)
        self.changed.emit()

    def value(self) -> str:
        """The chosen path or id; empty when the list is."""
        return self.combo.currentData() or ""

    def add(self, path: str) -> None:
        """Remember a path and choose it."""
        settings.add_path(self._key, path)
        self.reload(path)

    def _add_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._caption, "", self._filter)
        if path:
            self.add(path)

    def _add_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self._caption)
        if path:
            self.add(path)


def taxonomy_combo(own: str = "") -> PathCombo:
    """Class schemes: the raster's own (or what `own` calls it), the bundled ones, files."""

    def items():
        yield own or tr("From the layer"), ""
        titles = ((settings.title_of_taxonomy(name), name) for name in settings.taxonomies())
        yield from sorted(titles, key=lambda entry: entry[0].casefold())

    caption, kind = tr("Add a class scheme (JSON)"), tr("Class schemes (*.json)")
    return PathCombo(settings.TAXONOMIES, items, caption, kind, about=settings.about_taxonomy)


class ExtentChooser(QWidget):
    """What the map shows, the whole layer, or an area of the user's."""

    changed = pyqtSignal()
    VIEW, LAYER, AREA = "view", "layer", "area"

    def __init__(self, canvas: QgsMapCanvas, parent=None):
        super().__init__(parent)
        self._canvas = canvas
        self.combo = choice()
        self.combo.addItem(tr("What the map shows"), self.VIEW)
        self.combo.addItem(tr("The whole layer"), self.LAYER)
        self.combo.addItem(tr("An area"), self.AREA)
        self.area = QgsExtentWidget(None, QgsExtentWidget.WidgetStyle.CondensedStyle)
        self.area.setMapCanvas(canvas)
        self.area.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.combo)
        column.addWidget(self.area)
        self.setFocusProxy(self.combo)
        self.combo.currentIndexChanged.connect(self._switched)
        self.area.extentChanged.connect(lambda _extent: self.changed.emit())

    def _switched(self, _index: int) -> None:
        chosen = self.combo.currentData() == self.AREA
        if chosen:
            view = self._canvas.mapSettings()
            self.area.setCurrentExtent(view.visibleExtent(), view.destinationCrs())
            if not self._drawn():
                self.area.setOutputCrs(view.destinationCrs())
                self.area.setOutputExtentFromCurrent()
        self.area.setVisible(chosen)
        self.changed.emit()

    def _drawn(self) -> bool:
        """Whether there is an area; before one was chosen the widget holds a point, 0 0."""
        return self.area.isValid() and not self.area.outputExtent().isEmpty()

    def problem(self) -> str:
        """Why there is no extent, or nothing."""
        if self.combo.currentData() == self.AREA and not self._drawn():
            return tr("Choose the area to run on.")
        return ""

    def value(self) -> QgsReferencedRectangle | None:
        """The extent with its CRS; None stands for the whole layer."""
        choice = self.combo.currentData()
        if choice == self.LAYER:
            return None
        if choice == self.VIEW:
            view = self._canvas.mapSettings()
            return QgsReferencedRectangle(view.visibleExtent(), view.destinationCrs())
        return QgsReferencedRectangle(self.area.outputExtent(), self.area.outputCrs())
