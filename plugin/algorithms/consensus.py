"""concord:consensus: class rasters of several annotators in, class and posterior out."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterRasterLayer, QgsProcessingParameterString

from ..bridge.text import tr
from .base import ConcordAlgorithm


class Consensus(ConcordAlgorithm):
    ID = "consensus"
    TITLE = "Consensus of annotators"
    GROUP = ("campaign", "Campaign")
    UNASKED = {"OUTPUT": ".tif"}
    HELP = (
        "Combines the class rasters of several annotators pixel by pixel. majority marks ties as "
        "255; dawidskene estimates how reliable each annotator is; gold measures that on a raster "
        "of known answers. Votes are never changed. Band 1 is the class, band 2 the posterior in "
        "percent; agreement, the share of voters, is written separately."
    )

    def define(self):
        self.add_rasters(
            "ANNOTATIONS", "Annotations", "One class raster per annotator.", optional=True
        )
        self.add(
            QgsProcessingParameterString("STORE", tr("Store"), "", optional=True),
            "A campaign instead of rasters: a .gpkg file, or a PostgreSQL connection of QGIS.",
        )
        self.add(
            QgsProcessingParameterString("METHOD", tr("Method"), "dawidskene", optional=True),
            "majority, dawidskene, gold, median (ordered classes) or crowdlab (with a model).",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GOLD", tr("Gold"), optional=True),
            "Known answers for the method gold; 0 where nothing is known. A campaign has its own.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("MODEL", tr("Model"), optional=True),
            "Class probabilities for the method crowdlab: one band per class, on the same grid.",
        )
        self.add_taxonomy()
        self.add_raster_output("OUTPUT", "Consensus", main=True)
        self.add_raster_output("AGREEMENT", "Agreement", optional=True)
        self.add_report()

    def capture(self, parameters, context):
        return {
            "where": self._store(parameters, context),
            "model": self.raster(parameters, "MODEL", context),
            "annotations": self.rasters(parameters, "ANNOTATIONS", context),
            "method": self.parameterAsString(parameters, "METHOD", context) or "dawidskene",
            "gold": self.raster(parameters, "GOLD", context),
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.output(parameters, "OUTPUT", context),
            "agreement": self.output(parameters, "AGREEMENT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def _store(self, parameters, context):
        """The address of the campaign; None for rasters. One of the two must be given."""
        from ..bridge import campaign_db
        from ..engine.errors import ConcordError

        store = self.parameterAsString(parameters, "STORE", context).strip()
        if store and self.rasters(parameters, "ANNOTATIONS", context):
            raise ConcordError("Give either annotations or a store, not both.")
        return campaign_db.address(store) if store else None

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.consensus import run

        chosen = {key: values[key] for key in ("method", "gold", "agreement", "model")}
        if values["where"] is not None:
            from ..bridge import campaign_read
            from ..engine.campaign import results as campaign

            found = campaign_read.gather(values["where"], progress.part(0, 20))
            summary, scheme = campaign.combine(
                found, values["output"], progress=progress.part(20, 100), **chosen
            )
        else:
            summary, scheme = run.combine(
                values["annotations"],
                values["output"],
                taxonomy=values["taxonomy"],
                progress=progress,
                **chosen,
            )
        for note in summary["notes"]:
            feedback.pushInfo(note)
        results = {"OUTPUT": values["output"]}
        if values["agreement"]:
            results["AGREEMENT"] = values["agreement"]
        return {**results, **self.reported(values["report"], run.write_report, summary, scheme)}
