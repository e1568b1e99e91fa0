"""The page of the Models panel that trains a classifier on the user's own labels."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsCheckableComboBox, QgsFieldComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox, QPushButton

from ..bridge import layers, settings
from ..bridge.text import tr
from . import reports
from .lists import Table
from .models_gate import optional_model
from .runner import Outcome
from .widgets import LayerCombo, choice, form, note, row

METHODS = (
    ("randomforest", "Random forest", "Steady and quick; the one to start with."),
    ("extratrees", "Extra trees", "Trains fastest; smoother borders between classes."),
    ("rotationforest", "Rotation forest", "Mixes the bands before every few trees."),
    ("linear", "Linear", "One straight border between classes; smallest file, fastest map."),
    ("mlp", "Small neural network", "Curved borders, small file, fast map."),
)
TEXTURES = (("5;9", "5 and 9 pixels"), ("5", "5 pixels"), ("", "Single pixels only"))


class TrainPage:
    """Runs `concord:trainclassifier` for a Models panel and puts its model on the list."""

    def __init__(self, panel):
        self.panel = panel
        self._bands = None
        column = panel.section(tr("Train your own"), collapsed=True)
        layout = form()
        self.labels = LayerCombo("polygon")
        kinds = QgsMapLayerProxyModel.Filter
        self.labels.setFilters(kinds.PolygonLayer | kinds.RasterLayer)
        self.labels.layerChanged.connect(self._labels_changed)
        tip = tr("Polygons with a class, or a class map; unlabelled ground is never a class")
        row(layout, tr("&Labels"), self.labels, tip)
        self.field = QgsFieldComboBox()
        row(layout, tr("Class &field"), self.field, tr("The attribute that holds the class"))
        self.method = choice()
        for key, title, text in METHODS:
            self.method.addItem(tr(title), key)
            self.method.setItemData(self.method.count() - 1, tr(text), Qt.ItemDataRole.ToolTipRole)
        row(layout, tr("Me&thod"), self.method, tr("How the classes are told apart"))
        self.bands = QgsCheckableComboBox()
        self.bands.setDefaultText(tr("All bands"))
        row(layout, tr("&Bands"), self.bands, tr("None ticked means all bands of the image"))
        self.encoder = optional_model(tr("None"))
        tip = tr(
            "A trained network whose feature maps join the bands, so that the classifier knows "
            "shapes and surroundings from few labels; best with Linear or Small neural network"
        )
        row(layout, tr("En&coder features"), self.encoder, tip)
        self.alone = QCheckBox(tr("Encoder features only"))
        self.alone.setToolTip(tr("Leave out bands, derived bands and texture; a quicker map"))
        layout.addRow(self.alone)
        self.encoder.changed.connect(self._encoder_changed)
        self.texture = choice()
        for key, title in TEXTURES:
            self.texture.addItem(tr(title), key)
        tip = tr("Mean and spread around each pixel also go in, in windows of this size")
        row(layout, tr("Text&ure"), self.texture, tip)
        self.next = QCheckBox(tr("Sho&w where to label next"))
        self.next.setToolTip(
            tr("Adds a map that is bright where the classifier is unsure and has seen little")
        )
        layout.addRow(self.next)
        self.encoder.reload(str(settings.value("train/encoder", "")))
        self.alone.toggled.connect(self._encoder_changed)
        column.addLayout(layout)
        panel.step(
            column,
            tr("Trai&n model"),
            "concord:trainclassifier",
            self._need,
            self.run,
            tr("Trains in the background, tests on blocks of land held out, adds the model"),
        )
        self.figures = note()
        self.figures.hide()
        column.addWidget(self.figures)
        self.classes = Table([tr("Class"), tr("Found"), tr("Right")])
        column.addWidget(self.classes)
        self.open_report = QPushButton(tr("Op&en report"))
        self.open_report.hide()
        self._report_path = ""
        self.open_report.clicked.connect(lambda: reports.show(self._report_path))
        column.addWidget(self.open_report)
        self._labels_changed(self.labels.currentLayer())

    def _labels_changed(self, layer) -> None:
        vector = layer if isinstance(layer, QgsVectorLayer) else None
        self.field.setLayer(vector)
        self.field.setEnabled(vector is not None)
        if vector is not None and vector.fields().indexOf("class") >= 0:
            self.field.setField("class")
        self.panel.refresh()

    def _encoder_changed(self, *_) -> None:
        chosen = bool(self.encoder.value())
        settings.set_value("train/encoder", self.encoder.value())
        self.alone.setEnabled(chosen)
        for widget in (self.bands, self.texture):
            widget.setEnabled(not (chosen and self.alone.isChecked()))

    def updated(self) -> None:
        """List the bands of the panel's image when it changed."""
        image = self.panel.input.currentLayer()
        names = layers.band_names(image) if image is not None else []
        if names != self._bands:
            self._bands = names
            self.bands.clear()
            for name in names:
                self.bands.addItemWithCheckState(name, Qt.CheckState.Unchecked, name)

    def _need(self) -> str:
        if self.panel.input.currentLayer() is None:
            return tr("Open an image, or load a scene first.")
        layer = self.labels.currentLayer()
        if layer is None:
            return tr("Open labels: polygons with a class, or a class map.")
        if layer is self.panel.input.currentLayer():
            return tr("Image and labels are the same layer; choose the labels.")
        if isinstance(layer, QgsVectorLayer) and not self.field.currentField():
            return tr("Choose the field that holds the class.")
        return ""

    def run(self) -> None:
        """Run `concord:trainclassifier`, offer the model and show how good it is."""
        stem = self.panel.target("classifier")
        parameters = {
            "INPUT": [self.panel.input.currentLayer()],
            "LABELS": self.labels.currentLayer(),
            "FIELD": self.field.currentField(),
            "METHOD": self.method.currentData(),
            "BANDS": ";".join(self.bands.checkedItems()),
            "WINDOWS": self.texture.currentData() or "none",
            "OUTPUT": stem + ".onnx",
            "REPORT": stem + ".html",
        }
        if self.encoder.value():
            parameters["ENCODER"] = self.encoder.value()
            parameters["ENCODER_ALONE"] = self.alone.isChecked()
        if self.next.isChecked():
            parameters["NEXT"] = stem + ".next.tif"
        self.panel.launch("concord:trainclassifier", parameters, self._done)

    def _done(self, outcome: Outcome) -> None:
        if outcome.results.get("NEXT"):
            title = tr("Label here next")
            layers.add_raster(outcome.results["NEXT"], title, "probability", self.panel.project)
        settings.add_path(settings.MODELS, outcome.results["OUTPUT"])
        self.panel.model.reload(outcome.results["OUTPUT"])
        report = reports.of(outcome)
        self._show(report)
        self._report_path = str(Path(str(outcome.results["REPORT"])).with_suffix(".html"))
        self.open_report.setVisible(Path(self._report_path).exists())
        self.panel.say(
            tr("Trained in {s:.1f} s; the model is chosen above, run it.").format(s=outcome.seconds)
        )

    def _show(self, report: dict) -> None:
        quality = report.get("quality", {})
        if not quality.get("folds"):
            text = tr("No test on held-out land: {why}.").format(why=quality.get("note", ""))
            rows = []
        else:
            text = tr("{share:.0f} % right on land it had not seen; mean IoU {iou:.2f}.").format(
                share=100 * quality["accuracy"], iou=quality["mean_iou"]
            )
            names = {c["code"]: c["name"] for c in report.get("classes", [])}
            rows = [
                (names.get(c["code"], c["code"]), _share(c["producer"]), _share(c["user"]))
                for c in quality["per_class"]
            ]
        self.figures.setText(text)
        self.figures.show()
        self.classes.fill(rows)


def _share(value) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
