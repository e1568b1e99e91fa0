"""concord:conformalsets: how many classes are possible in each pixel, at a promised coverage."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterNumber, QgsProcessingParameterRasterLayer

from ..bridge.text import tr
from .base import ConcordAlgorithm


class ConformalSets(ConcordAlgorithm):
    ID = "conformalsets"
    TITLE = "Possible classes at a coverage"
    GROUP = ("models", "Models")
    UNASKED = {"OUTPUT": ".tif"}
    HELP = (
        "From probabilities and reviewed land: a raster of how many classes must be allowed in "
        "each pixel so that the truth is among them as often as promised. Pixels with many are "
        "the ones to review next. The coverage reached on land held out is printed."
    )

    def define(self):
        self.add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Probabilities")),
            "One band a class, as concord:runmodel writes them.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("LABELS", tr("Reviewed land")),
            "A class raster, 0 where nothing was reviewed.",
        )
        number = QgsProcessingParameterNumber
        self.add(
            number("COVERAGE", tr("Coverage"), number.Type.Double, 0.9, True, 0.5, 0.999),
            "How often the truth must be in the set.",
        )
        self.add(
            number("BLOCK", tr("Block side"), number.Type.Double, 0, True, 0),
            "Side of a block in map units; 0 takes a sixteenth of the image.",
        )
        self.add_raster_output("OUTPUT", "Possible classes", main=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "input": self.raster(parameters, "INPUT", context),
            "labels": self.raster(parameters, "LABELS", context),
            "coverage": self.parameterAsDouble(parameters, "COVERAGE", context),
            "block": self.parameterAsDouble(parameters, "BLOCK", context),
            "output": self.output(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.infer import conformal

        report = conformal.write_sets(
            values["input"], values["labels"], values["output"], values["coverage"],
            values["block"], progress=progress,
        )  # fmt: skip
        feedback.pushInfo(
            f"The truth is in the set on {report['coverage']:.1%} of the land held out; "
            f"{report['mean_size']:.2f} classes a pixel."
        )
        results = {"OUTPUT": values["output"]}
        return {**results, **self.told(values["report"], report)}
