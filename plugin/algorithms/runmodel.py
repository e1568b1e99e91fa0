"""concord:runmodel: an ONNX model over an extent, georeferenced."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from . import sinks
from .base import ConcordAlgorithm


class RunModel(ConcordAlgorithm):
    ID = "runmodel"
    TITLE = "Run a model"
    GROUP = ("models", "Models")
    NEEDS = ("rasterio", "onnxruntime")
    HELP = (
        "Runs an ONNX model with a card over an extent. Bands are found by name, tiles overlap by "
        "the card's halo and are cropped, so that no tile line shows. A red preflight verdict "
        "stops the run unless OVERRIDE is set; the report keeps that."
    )

    def define(self):
        self.add_rasters("INPUT", "Image", "One or more rasters that hold the model's bands.")
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "concord-spectral"),
            "Id of a bundled model, or an ONNX file.",
        )
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add(
            QgsProcessingParameterFeatureSource(
                "MASK", tr("Only inside"), [QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            "Tiles outside these polygons are skipped.",
        )  # fmt: skip
        self.add(
            QgsProcessingParameterString("EXECUTOR", tr("Executor"), "local", optional=True),
            "local, or local:4 for four threads; the result is the same.",
        )
        override = QgsProcessingParameterBoolean("OVERRIDE", tr("Run in spite of red"), False)
        override.setFlags(override.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self.add(override)
        self.add(
            QgsProcessingParameterFile(
                "CARD", tr("Card to use instead"), extension="json", optional=True
            )
        )
        self.add_raster_output("OUTPUT", "Class map")
        self.add_raster_output("PROBABILITIES", "Probabilities", optional=True)
        self.add(
            QgsProcessingParameterFeatureSink(
                "POLYGONS", tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True, createByDefault=False,
            )
        )  # fmt: skip
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        inputs = self.rasters(parameters, "INPUT", context)
        mask = self.parameterAsSource(parameters, "MASK", context)
        crs = capture.raster_crs(inputs[0]) if inputs else ""
        return {
            "inputs": inputs,
            "model": self.parameterAsString(parameters, "MODEL", context),
            "card": self.parameterAsString(parameters, "CARD", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "mask": [g for g, _ in capture.features_as_json(mask, crs, context)] if mask else [],
            "masked": mask is not None,
            "crs": crs,
            "executor": self.parameterAsString(parameters, "EXECUTOR", context) or "local",
            "override": self.parameterAsBool(parameters, "OVERRIDE", context),
            "output": self.output(parameters, "OUTPUT", context),
            "probabilities": self.output(parameters, "PROBABILITIES", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files
        from ..engine.errors import ConcordError
        from ..engine.infer import card as cards
        from ..engine.infer import runner, session
        from ..engine.scene import Scene

        if values["masked"] and not values["mask"]:
            raise ConcordError("The mask layer has no polygons; draw one or leave the mask out.")
        card = None
        if values["card"]:
            card = cards.from_item(files.read_json(values["card"]), values["card"])
        bounds, bounds_crs = values["extent"] or (None, "")
        model = session.Model(values["model"], card=card)
        wish = runner.RunWish(
            values["output"], values["probabilities"], bounds, bounds_crs,
            tuple(values["mask"]), values["executor"], values["override"],
        )  # fmt: skip
        with Scene(values["inputs"]) as scene:
            report = runner.run(model, scene, wish, progress)
        results = {"OUTPUT": values["output"], "PROBABILITIES": values["probabilities"]}
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        if values["output"] and parameters.get("POLYGONS"):
            results["POLYGONS"] = self._polygons(values, parameters, context, progress, report)
        if values["report"]:
            files.write_json(values["report"], report)
            results["REPORT"] = values["report"]
        return {key: value for key, value in results.items() if value}

    def _polygons(self, values, parameters, context, progress, report) -> str:
        from ..bridge import polygons

        fields = fields_of(**{"class": "int"}, class_name="text", source="text")
        names = {c["code"]: c["name"] for c in report["classes"]}

        def rows():
            for geometry, code in polygons.of_raster(values["output"], progress):
                yield geometry, [code, names.get(code, ""), "model"]

        crs = capture.qgis_crs(values["crs"])
        return sinks.write(self, parameters, "POLYGONS", context, fields, crs, rows())
