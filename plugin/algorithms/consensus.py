"""concord:consensus: class rasters of several annotators in, class and posterior out."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterRasterLayer, QgsProcessingParameterString

from ..bridge.text import tr
from .base import ConcordAlgorithm


class Consensus(ConcordAlgorithm):
    ID = "consensus"
    TITLE = "Consensus of annotators"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Combines the class rasters of several annotators pixel by pixel. majority marks ties as "
        "255; dawidskene estimates how reliable each annotator is; gold measures that on a raster "
        "of known answers. Votes are never changed. Band 1 is the class, band 2 the posterior in "
        "percent; agreement, the share of voters, is written separately."
    )

    def define(self):
        self.add_rasters("ANNOTATIONS", "Annotations", "One class raster per annotator.")
        self.add(
            QgsProcessingParameterString("METHOD", tr("Method"), "dawidskene", optional=True),
            "majority, dawidskene or gold.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GOLD", tr("Gold"), optional=True),
            "Known answers for the method gold; 0 where nothing is known.",
        )
        self.add_taxonomy()
        self.add_raster_output("OUTPUT", "Consensus")
        self.add_raster_output("AGREEMENT", "Agreement", optional=True)
        self.add_report()

    def capture(self, parameters, context):
        return {
            "annotations": self.rasters(parameters, "ANNOTATIONS", context),
            "method": self.parameterAsString(parameters, "METHOD", context) or "dawidskene",
            "gold": self.raster(parameters, "GOLD", context),
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.output(parameters, "OUTPUT", context),
            "agreement": self.output(parameters, "AGREEMENT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.consensus import run

        summary, scheme = run.combine(
            values["annotations"],
            values["output"],
            method=values["method"],
            gold=values["gold"],
            agreement=values["agreement"],
            taxonomy=values["taxonomy"],
            progress=progress,
        )
        for note in summary["notes"]:
            feedback.pushInfo(note)
        results = {"OUTPUT": values["output"]}
        if values["agreement"]:
            results["AGREEMENT"] = values["agreement"]
        return {**results, **self.reported(values["report"], run.write_report, summary, scheme)}
