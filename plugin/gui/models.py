"""Models panel: read a model's card, check it against the layer, run it on an extent."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QPixmap
from qgis.PyQt.QtWidgets import QCheckBox, QLabel, QTextBrowser

from ..bridge import layers, settings
from ..bridge.text import tr
from . import models_result, reports
from .lists import Table, VerdictList, lines_high
from .models_card import CardForm, card_html
from .models_gate import GateRows
from .models_level import LevelRow
from .models_live import LiveMap
from .models_train import TrainPage
from .panel import Panel
from .runner import Outcome
from .widgets import ExtentChooser, LayerCombo, PathCombo, choice, form, note, row

PICTURE = 160  # height of the thumbnail in pixels
EXECUTORS = (("local", "This computer"), ("local:1", "This computer, one core"))


def model_combo() -> PathCombo:
    """Models that came with Concord and those the user added."""

    def items():
        for path in settings.models():
            yield Path(path).stem, path

    return PathCombo(settings.MODELS, items, tr("Add a model (ONNX)"), tr("Models (*.onnx)"))


class ModelsPanel(Panel):
    """Runs `concord:modelcard` and `concord:runmodel`."""

    KEY = "models"
    OBJECT_NAME = "ConcordModelsPanel"
    TITLE = "Models"
    HINT = "Run a model on a layer, or train one on your own labels."

    _live: LiveMap | None = None

    def build(self) -> None:
        column = self.section(tr("Model and layer"))
        layout = form()
        self.model = model_combo()
        self.model.changed.connect(self._chosen)
        row(layout, tr("&Model"), self.model, tr("An ONNX file that describes itself"))
        self.about = note()
        self.about.setAccessibleName(tr("What the model is good for"))
        layout.addRow(self.about)
        self.input = LayerCombo("raster", layers.is_imagery, rank=layers.image_rank)
        self.input.layerChanged.connect(self._chosen)
        row(layout, tr("&Image"), self.input, tr("The scene the model reads; bands go by name"))
        column.addLayout(layout)
        self.step(
            column,
            tr("Chec&k model"),
            "concord:modelcard",
            self._need_both,
            lambda: self.check(),
            tr("Read the card and compare bands, pixel size and values with the layer"),
        )
        self.card = QTextBrowser()
        self.card.setOpenExternalLinks(True)
        lines_high(self.card, 9)
        self.card.setAccessibleName(tr("Model card"))
        self.card.hide()
        column.addWidget(self.card)
        self.verdicts = VerdictList()
        self.verdicts.setAccessibleName(tr("Checks"))
        column.addWidget(self.verdicts)
        self.received = QLabel()
        self.received.setAccessibleName(tr("What the model receives"))
        self.received.hide()
        column.addWidget(self.received)
        self.numbers = Table([tr("Band"), tr("Least"), tr("Middle"), tr("Most")])
        self.numbers.setToolTip(tr("What the model receives, after the card's scaling"))
        column.addWidget(self.numbers)
        self.form = CardForm(self, column)
        self._build_run()

    def _build_run(self) -> None:
        column = self.section(tr("Run"))
        layout = form()
        self.extent = ExtentChooser(self.iface.mapCanvas())
        self.extent.changed.connect(self.refresh)
        row(layout, tr("E&xtent"), self.extent, tr("How much of the layer the model runs on"))
        self.mask = LayerCombo("polygon", empty=True)
        self.mask.setAllowEmptyLayer(True, tr("None"))
        self.mask.setLayer(None)
        row(layout, tr("M&ask"), self.mask, tr("Only inside these polygons; the rest is skipped"))
        self.level = LevelRow(layout)
        self.executor = choice()
        self.executor.setEditable(True)
        for key, title in EXECUTORS:
            self.executor.addItem(tr(title), key)
        tip = tr("Where tiles are computed; for a cluster type dask: and its scheduler's address")
        row(layout, tr("Compute &on"), self.executor, tip)
        self.probabilities = QCheckBox(tr("Keep &probabilities"))
        self.probabilities.setToolTip(tr("Also write one band per class"))
        layout.addRow(self.probabilities)
        self.polygons = QCheckBox(tr("Make pol&ygons"))
        self.polygons.setToolTip(tr("Also turn the classes into polygons"))
        layout.addRow(self.polygons)
        self.unsure = QCheckBox(tr("Show &doubt"))
        self.unsure.setToolTip(tr("Also write where the model is unsure, bright for most doubt"))
        layout.addRow(self.unsure)
        self.gate = GateRows(self, layout)
        self.unsure.toggled.connect(self._follow)
        self._follow()
        column.addLayout(layout)
        self.step(
            column,
            tr("&Run model"),
            "concord:runmodel",
            self._need_run,
            self.run,
            tr("Runs in tiles in the background and adds the result"),
        )
        self.summary = note()
        self.summary.hide()
        column.addWidget(self.summary)
        self.training = TrainPage(self)

    def updated(self) -> None:
        self.training.updated()

    def _chosen(self, *_) -> None:
        if hasattr(self, "about"):
            self.about.setText(settings.about_model(self.model.value()))
            self.about.setVisible(bool(self.about.text()))
        # Verdicts speak of one model and one layer; they must not outlive the choice.
        if hasattr(self, "verdicts"):
            self.card.hide()
            self.verdicts.show_verdicts([])
            self.received.hide()
            self.numbers.fill([])
            self.form.hide()
            self._follow()
            self.refresh()

    def _follow(self, *_) -> None:
        """Offer what the chosen model can do."""
        self.gate.follow(self.model.value(), self.unsure.isChecked())
        self.level.follow(self.model.value(), self.input.currentLayer())

    def _need_both(self) -> str:
        if not self.model.value():
            return tr("Add a model: an ONNX file with a card.")
        if self.input.currentLayer() is None:
            return tr("Open an image, or load a scene first.")
        return ""

    def _need_run(self) -> str:
        return self._need_both() or self.extent.problem() or self.gate.need()

    def _executor(self) -> str:
        text = self.executor.currentText().strip()
        index = self.executor.findText(text)
        return self.executor.itemData(index) if index >= 0 else text

    def check(self, complete: str = "") -> None:
        """Run `concord:modelcard`, with fields that complete the card, and show the verdicts."""
        parameters = {
            "MODEL": self.model.value(),
            "INPUT": [self.input.currentLayer()],
            "REPORT": self.target("card") + ".json",
            "COMPLETE": complete,
            **self.level.parameters(),
        }
        self.launch("concord:modelcard", parameters, self._checked)

    def _checked(self, outcome: Outcome) -> None:
        report = reports.of(outcome)
        self.card.setHtml(card_html(report.get("card", {})))
        self.card.show()
        verdicts = report.get("verdicts", [])
        self.verdicts.show_verdicts(verdicts)
        self._show_received(report.get("received", {}))
        self.form.offer(report)
        if report.get("missing"):
            self.say(tr("The card is incomplete; fill in what is missing and save it."))
            return
        levels = {verdict.get("level") for verdict in verdicts}
        if "red" in levels:
            self.say(tr("This model does not fit this layer; the lines with Stop say why."))
        elif "amber" in levels:
            self.say(tr("The model can run; look at the remarks first."))
        else:
            self.say(tr("The model fits this layer."))

    def _show_received(self, received: dict) -> None:
        """The thumbnail and the numbers of what the network would get."""
        picture = QPixmap(str(received.get("picture", "")))
        self.received.setVisible(not picture.isNull())
        if not picture.isNull():
            smooth = Qt.TransformationMode.FastTransformation
            self.received.setPixmap(picture.scaledToHeight(PICTURE, smooth))
            self.received.setToolTip(tr("What the model receives, stretched to be seen"))
        self.numbers.fill(
            [
                (r["band"], *(_figure(r[key]) for key in ("minimum", "median", "maximum")))
                for r in received.get("bands", [])
            ]
        )

    def run(self) -> None:
        """Run `concord:runmodel` and add what it made."""
        stem = self.target(Path(self.model.value()).stem)
        parameters = {
            "INPUT": [self.input.currentLayer()],
            "MODEL": self.model.value(),
            "EXECUTOR": self._executor(),
            "OUTPUT": stem + ".tif",
            "REPORT": stem + ".json",
            **self.gate.parameters(),
            **self.level.parameters(),
        }
        optional = {
            "EXTENT": self.extent.value(),
            "MASK": self.mask.currentLayer(),
            "PROBABILITIES": stem + ".prob.tif" if self.probabilities.isChecked() else None,
            "UNCERTAINTY": stem + ".doubt.tif" if self.unsure.isChecked() else None,
            "POLYGONS": stem + ".gpkg" if self.polygons.isChecked() else None,
        }
        parameters.update({key: value for key, value in optional.items() if value is not None})
        name = Path(self.model.value()).stem
        self._end_live()
        self._live = LiveMap(self.iface.mapCanvas(), parameters["OUTPUT"])
        self.launch("concord:runmodel", parameters, lambda outcome: self._ran(outcome, name))
        if not self.runner.busy:  # it was refused before it began
            self._end_live()

    def _run_ended(self, outcome: Outcome) -> None:
        self._end_live()
        super()._run_ended(outcome)

    def release(self) -> None:
        """Take the growing picture off the map as well."""
        self._end_live()
        super().release()

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.end()
            self._live = None

    def _bring_into_sight(self, layer) -> None:
        """Zoom to a result that lies beside what the map shows; else the view is the user's."""
        view = self.iface.mapCanvas().mapSettings()
        if not view.layerExtentToOutputExtent(layer, layer.extent()).intersects(view.extent()):
            self.iface.mapCanvas().setExtent(view.layerExtentToOutputExtent(layer, layer.extent()))
            self.iface.mapCanvas().refresh()

    def _ran(self, outcome: Outcome, name: str) -> None:
        results = outcome.results
        if results.get("PROBABILITIES"):
            title = tr("{name}, probabilities").format(name=name)
            layers.add_raster(
                results["PROBABILITIES"], title, "probability", self.project, visible=False
            )
        report = reports.of(outcome)
        # Numbers, finer pixels and embeddings are shown as an image, everything else as classes.
        kind = "classes" if report.get("classes") else "scene"
        if results.get("UNCERTAINTY"):
            title = tr("{name}, doubt").format(name=name)
            layers.add_raster(
                results["UNCERTAINTY"], title, "probability", self.project, visible=False
            )
        made = layers.add_raster(results["OUTPUT"], name, kind, self.project)
        self._bring_into_sight(made)
        if results.get("POLYGONS"):
            title = tr("{name}, polygons").format(name=name)
            polygons = layers.add_vector(results["POLYGONS"], title, self.project)
            if kind == "classes":
                layers.style_labels(polygons, like=made)
        self.say(tr("Done in {s:.1f} s.").format(s=outcome.seconds))
        lines = list(models_result.lines(report))
        self.summary.setText("\n".join(lines))
        self.summary.setVisible(bool(lines))


def _figure(value) -> str:
    return "–" if value is None else f"{value:.3g}"
