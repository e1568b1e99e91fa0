"""concord:combinepredictions: several models' probabilities to one map and their disagreement."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterString

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm


class CombinePredictions(ConcordAlgorithm):
    ID = "combinepredictions"
    TITLE = "Combine predictions"
    GROUP = ("models", "Models")
    HELP = (
        "Fuses probability rasters of the same classes by weights, for all classes or class by "
        "class, and writes where they disagree: the place to look at, or to label next."
    )

    def define(self):
        self.add_rasters("INPUT", "Probabilities", "Two or more rasters with one band a class.")
        self.add(
            QgsProcessingParameterString("WEIGHTS", tr("Weights"), "", optional=True),
            "One for each raster, separated by ';'; 1,2,1 weighs three classes one by one.",
        )
        self.add_raster_output("OUTPUT", "Class map", main=True)
        self.add_raster_output("DISAGREEMENT", "Disagreement", optional=True)
        self.add_raster_output("PROBABILITIES", "Combined probabilities", optional=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "inputs": self.rasters(parameters, "INPUT", context),
            "weights": capture.split_list(parameters.get("WEIGHTS")),
            "output": self.output(parameters, "OUTPUT", context),
            "disagreement": self.output(parameters, "DISAGREEMENT", context),
            "probabilities": self.output(parameters, "PROBABILITIES", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.infer import combine

        report = combine.combine(
            values["inputs"], values["output"], values["disagreement"], values["weights"],
            values["probabilities"], progress,
        )  # fmt: skip
        results = {
            "OUTPUT": values["output"],
            "DISAGREEMENT": values["disagreement"],
            "PROBABILITIES": values["probabilities"],
        }
        written = {key: value for key, value in results.items() if value}
        return {**written, **self.told(values["report"], report)}
