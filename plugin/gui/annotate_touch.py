"""Touch-up tools: brush and eraser of our own; split, reshape and merge are QGIS's own tools."""

from __future__ import annotations

from qgis.core import QgsProject
from qgis.gui import QgsDoubleSpinBox
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QAction, QGridLayout, QPushButton, QVBoxLayout, QWidget

from ..bridge import settings
from ..bridge.planar import ALLOW
from ..bridge.text import tr
from .brush_tool import BRUSH, ERASER, FILL, BrushTool
from .widgets import choice, side_by_side

SMALLEST, LARGEST = 1.0, 10_000.0
OWN = {  # QGIS's actions
    "split": "mActionSplitFeatures",
    "reshape": "mActionReshapeFeatures",
    "merge": "mActionMergeFeatures",
}


class TouchBox(QWidget):
    """Starts the tools on the panel's label layer and shows which one has the map."""

    def __init__(self, panel):
        super().__init__()
        self._panel = panel
        self._canvas = panel._canvas
        self._lent: tuple | None = None  # the project's own editing settings
        self.tool = BrushTool(self._canvas, panel.keys)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        for number, (name, title, tip) in enumerate(self._offers()):
            button = QPushButton(title)
            button.setToolTip(tip)
            button.setCheckable(name in (BRUSH, ERASER, FILL))
            button.clicked.connect(lambda _on=False, name=name: self.wish(name))
            self.buttons[name] = button
            grid.addWidget(button, number // 3, number % 3)
        self.size = QgsDoubleSpinBox()
        self.size.setRange(SMALLEST, LARGEST)
        self.size.setDecimals(1)
        self.size.setToolTip(tr("Width of the brush; [ and ] or Shift+wheel on the map change it"))
        self.size.setAccessibleName(tr("Brush size"))
        self.unit = choice()
        self.unit.addItem(tr("pixels on screen"), "pixels")
        self.unit.addItem(tr("map units"), "map")
        self.unit.setToolTip(tr("Map units keep the brush as large as the ground it covers"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(grid)
        column.addWidget(side_by_side(self.size, self.unit, stretch=1))
        self.undo = QPushButton(tr("Undo"))
        self.undo.setToolTip(tr("Take the last step on the class raster back (Ctrl+Z on the map)"))
        self.undo.clicked.connect(lambda: panel.acceptance.step_back(1))
        self.redo = QPushButton(tr("Redo"))
        self.redo.setToolTip(tr("Make it again (Ctrl+Shift+Z on the map)"))
        self.redo.clicked.connect(lambda: panel.acceptance.step_back(-1))
        self.steps = side_by_side(self.undo, self.redo, stretch=None)
        column.addWidget(self.steps)
        self._restore()
        self.size.valueChanged.connect(self._keep)
        self.unit.currentIndexChanged.connect(self._keep)
        self.tool.resized.connect(self._resized)
        self.tool.stroked.connect(self._stroked)
        self.tool.filled.connect(self._filled)
        self.tool.ended.connect(lambda: self.wish("prompts"))
        self.tool.wished.connect(self.wish)
        self.tool.class_picked.connect(panel.classes.pick)
        self.tool.messageEmitted.connect(panel.say)

    def _offers(self) -> tuple:
        return (
            (BRUSH, tr("Brush"), tr(
                "Paint labels. A stroke that begins on a label of the chosen class, or with one "
                "label selected, extends it; Alt extends any. The right button erases")),
            (ERASER, tr("Eraser"), tr(
                "Take away from the labels under the stroke, or from the selected ones only")),
            (FILL, tr("Fill"), tr("Give a whole region of the class raster the chosen class")),
            ("split", tr("Split"), tr(
                "QGIS's own tool: draw a line across labels, end it with a right click")),
            ("reshape", tr("Reshape"), tr(
                "QGIS's own tool: draw the new course of a border, end it with a right click")),
            ("merge", tr("Merge"), tr(
                "QGIS's own tool: select two or more labels, then merge them")),
        )  # fmt: skip

    # the size of the brush

    def _restore(self) -> None:
        try:
            self.size.setValue(float(settings.value("brush/size", 24) or 24))
        except (TypeError, ValueError):  # edited by hand
            self.size.setValue(24)
        self.unit.setCurrentIndex(max(0, self.unit.findData(settings.value("brush/unit"))))
        self._keep()

    def _keep(self, *_) -> None:
        self.tool.size = self.size.value()
        self.tool.in_pixels = self.unit.currentData() == "pixels"
        settings.set_value("brush/size", self.size.value())
        settings.set_value("brush/unit", self.unit.currentData())
        self.tool.show_size()

    def _resized(self, factor: float) -> None:
        size = self.size.value()
        step = max(0.1, abs(size * factor - size))
        self.size.setValue(size + (step if factor > 1 else -step))

    def recolour(self, colour: QColor) -> None:
        self.tool.colour = QColor(colour)

    # starting tools

    def wish(self, name: str) -> None:
        """Give the map to a tool, by the name of its key."""
        panel = self._panel
        if name == "prompts":
            reason = panel._need()
            if reason:
                panel.say(reason)
            elif not panel.prompting:
                panel._guarded(panel.toggle)
        elif name == "unpaint":
            panel.acceptance.take_back()
        elif name == "repaint":
            panel.acceptance.step_back(-1)
        elif self.tool_on and name == self.tool.mode:
            panel._stop()
        else:
            reason = self.problem(name)
            if reason:
                panel.say(reason)
            elif name in OWN:
                self._lend(name)
            else:
                panel._guarded(lambda: self._begin(name))
        self.show_state()

    def problem(self, name: str) -> str:
        """Why a tool cannot be used, or an empty string."""
        target = self._panel.target_of_labels
        if name in OWN and target.RASTER:
            return tr("Only polygons can be split, reshaped or merged.")
        if name == FILL and not target.RASTER:
            return tr("Fill works on class rasters; choose one to write into.")
        return target.problem()

    def _begin(self, name: str) -> None:
        self._panel.target_of_labels.begin()
        self.tool.mode = name
        self._canvas.setMapTool(self.tool)
        self.tool.show_size()

    @property
    def tool_on(self) -> bool:
        """True while brush, eraser or fill has the map."""
        return self._canvas.mapTool() is self.tool

    def _lend(self, name: str) -> None:
        """Start QGIS's own tool on the label layer, under the panel's rules."""
        panel, layer = self._panel, self._panel.labels.currentLayer()
        action = panel.iface.mainWindow().findChild(QAction, OWN[name])
        if action is None:
            panel.say(tr("This QGIS does not have that tool."))
            return
        panel.target_of_labels.begin()
        if not layer.isEditable() and not layer.startEditing():
            panel.fail(tr("{name} cannot be edited.").format(name=layer.name()))
            return
        if name == "merge" and layer.selectedFeatureCount() < 2:
            panel.iface.actionSelect().trigger()
            panel.say(tr("Select two or more labels (Shift adds), then press Merge again."))
            return
        if name != "merge":
            self._apply_rule()
            panel.say(tr("Draw a line on the map; a right click ends it."))
        action.trigger()

    def _apply_rule(self) -> None:
        """While QGIS's tool has the map, the project edits as the panel's rule says."""
        rule, project = self._panel.finish.rule(), QgsProject.instance()
        modes = type(project.avoidIntersectionsMode())
        if self._lent is None:
            self._lent = (project.topologicalEditing(), project.avoidIntersectionsMode())
        project.setTopologicalEditing(rule.planar or self._lent[0])
        if rule.planar or rule.overlap != ALLOW:
            project.setAvoidIntersectionsMode(modes.AvoidIntersectionsCurrentLayer)

    def give_back(self) -> None:
        """Put the project's own editing settings back."""
        if self._lent is not None:
            topological, mode = self._lent
            self._lent = None
            QgsProject.instance().setTopologicalEditing(topological)
            QgsProject.instance().setAvoidIntersectionsMode(mode)

    def tool_set(self, new) -> None:
        """Another tool has the map."""
        # PyQGIS does not know the class of QGIS's own tools; their actions tell which one is on.
        actions = [self._panel.iface.mainWindow().findChild(QAction, name) for name in OWN.values()]
        if new is None or not any(action is not None and action.isChecked() for action in actions):
            self.give_back()
        self.show_state()

    def show_state(self) -> None:
        """Bring the buttons up to date."""
        for name, button in self.buttons.items():
            reason = self.problem(name)
            button.setEnabled(not reason)
            if button.isCheckable():
                button.setChecked(self.tool_on and self.tool.mode == name)
        raster = self._panel.target_of_labels.RASTER
        self.steps.setVisible(raster)
        self.undo.setEnabled(self._panel.pixels.modified)
        self.redo.setEnabled(self._panel.pixels.can_redo)
        self.buttons[FILL].setVisible(raster)
        for name in OWN:
            self.buttons[name].setVisible(not raster)

    # strokes

    def _stroked(self, way, stroke, erase: bool, extend: bool) -> None:
        self._do(lambda target: target.paint(way, stroke, erase, extend))

    def _filled(self, spot) -> None:
        self._do(lambda target: target.fill(spot))

    def _do(self, act) -> None:
        panel = self._panel

        def run() -> None:
            panel.say(act(panel.target_of_labels))
            panel._show_state()

        panel._guarded(run)

    def release(self) -> None:
        """Take the tool off the canvas."""
        self.give_back()
        self._canvas.unsetMapTool(self.tool)
        self.tool._hide_ring()
        self.tool.deleteLater()
