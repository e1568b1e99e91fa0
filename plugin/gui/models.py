"""Models panel: read a model's card, check it against the layer, run it on an extent."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtWidgets import QCheckBox

from ..bridge import layers, settings
from ..bridge.text import tr
from . import models_result, reports
from .models_check import CheckPage
from .models_choice import ModelChoice
from .models_gate import GateRows
from .models_level import LevelRow
from .models_live import LiveMap
from .models_train import TrainPage
from .panel import Panel
from .runner import Outcome
from .widgets import ExtentChooser, LayerCombo, choice, form, note, row

EXECUTORS = (("local", "This computer"), ("local:1", "This computer, one core"))


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
        self.model = ModelChoice()
        row(layout, tr("&Model"), self.model, tr("An ONNX file that describes itself"))
        self.about = note()
        self.about.setAccessibleName(tr("What the model is good for"))
        layout.addRow(self.about)
        self.input = LayerCombo("raster", layers.is_imagery, likely=layers.likely_image)
        row(layout, tr("&Image"), self.input, tr("The scene the model reads; bands go by name"))
        column.addLayout(layout)
        self.step(
            column,
            tr("Chec&k model"),
            "concord:modelcard",
            self._need_model,
            lambda: self.check(),
            tr("Read the card and compare bands, pixel size and values with the layer"),
        )
        self.checked = CheckPage(self, column)
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
        self.polygons = PolygonsBox()
        layout.addRow(self.polygons)
        self.unsure = QCheckBox(tr("Show &doubt"))
        self.unsure.setToolTip(tr("Also write where the model is unsure, bright for most doubt"))
        layout.addRow(self.unsure)
        self.gate = GateRows(self, layout)
        self.unsure.toggled.connect(self._follow)
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
        self._follow_choice()

    def updated(self) -> None:
        self.training.updated()

    def _follow_choice(self) -> None:
        """From here on what is shown speaks of what is chosen."""
        self._subject = self._choice()
        self.model.changed.connect(self._chosen)
        self.input.layerChanged.connect(self._image_chosen)
        self._tell_model()
        self._image_chosen()

    def _choice(self) -> tuple:
        """(model, image) that are chosen now."""
        image = self.input.currentLayer()
        return self.model.value(), "" if image is None else image.id()

    def _image_chosen(self, *_) -> None:
        self.model.see(self.input.currentLayer())
        self._chosen()

    def _chosen(self, *_) -> None:
        """What was found of another model or image must not outlive the choice.

        The combo of images also says that it changed when a layer comes and nothing changes.
        """
        if self._choice() != self._subject:
            self._subject = self._choice()
            self.checked.clear()
            self.summary.hide()
            if not self.runner.busy:
                self.say("")
        self._tell_model()
        self.refresh()

    def _tell_model(self) -> None:
        model = self.model.value()
        self.about.setText(settings.about_model(model))
        self.about.setVisible(bool(self.about.text()))
        self.polygons.follow(model)
        self._follow()

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

    def _need_model(self) -> str:
        return self.model.elsewhere() or self._need_both()

    def _need_run(self) -> str:
        return (
            self._need_model()
            or self.model.misfit()
            or self.checked.stop()
            or self.extent.problem()
            or self.gate.need()
        )

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
        subject = self._choice()

        def done(outcome: Outcome) -> None:
            if subject == self._choice():
                self.say(self.checked.show(reports.of(outcome)))
                self.refresh()

        self.launch("concord:modelcard", parameters, done)

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
        self.summary.hide()  # it speaks of the run before
        self._end_live()
        self._live = LiveMap(self.iface.mapCanvas(), parameters["OUTPUT"])
        subject = self._choice()
        self.launch("concord:runmodel", parameters, lambda outcome: self._ran(outcome, subject))
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

    def _ran(self, outcome: Outcome, subject: tuple) -> None:
        report, name = reports.of(outcome), Path(subject[0]).stem
        if not report.get("classes"):
            self.input.keep()  # numbers are an image as well, on top, and nothing to run on next
        made = models_result.add(outcome.results, report, name, self.project)
        self._bring_into_sight(made)
        if subject != self._choice():  # its shares would stand below another model's name
            self.say(tr("{name}: done in {s:.1f} s.").format(name=name, s=outcome.seconds))
            return
        self.say(tr("Done in {s:.1f} s.").format(s=outcome.seconds))
        lines = list(models_result.lines(report))
        self.summary.setText("\n".join(lines))
        self.summary.setVisible(bool(lines))


class PolygonsBox(QCheckBox):
    """On by itself for models that draw single things, such as roofs."""

    def __init__(self):
        super().__init__(tr("Make pol&ygons"))
        self.setToolTip(tr("Also turn the classes into polygons"))
        self._model, self._things, self._wish = "", False, False
        self.clicked.connect(self._clicked)

    def _clicked(self, on: bool) -> None:
        if not self._things:
            self._wish = on

    def follow(self, model: str) -> None:
        """What the user ticked for maps of classes waits while a model of things is chosen."""
        if model == self._model:
            return
        self._model, self._things = model, settings.shows_parcels(model)
        self.setChecked(self._things or self._wish)
