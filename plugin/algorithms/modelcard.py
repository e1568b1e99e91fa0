"""concord:modelcard: what a model says of itself and whether it fits an image."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterString

from ..bridge.text import tr
from .base import ConcordAlgorithm


class ModelCard(ConcordAlgorithm):
    ID = "modelcard"
    TITLE = "Show a model's card"
    GROUP = ("models", "Models")
    NEEDS = ("rasterio", "onnxruntime")
    HELP = (
        "Reads a model's card (STAC MLM inside the file or beside it, or the keys of Deepness) "
        "and, with an image, says in words whether the model fits it."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "concord-spectral"),
            "Id of a bundled model, or an ONNX file.",
        )
        self.add_rasters("INPUT", "Image", "The image that the model should run on.", True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "inputs": self.rasters(parameters, "INPUT", context),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files
        from ..engine.infer import describe, session
        from ..engine.scene import Scene

        model = session.Model(values["model"])
        if values["inputs"]:
            with Scene(values["inputs"]) as scene:
                report = describe.describe(model, scene)
        else:
            report = describe.describe(model)
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        if not values["report"]:
            return {}
        files.write_json(values["report"], report)
        return {"REPORT": values["report"]}
