"""concord:objectconsensus: outlines of several annotators in, agreed objects out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from . import sinks
from .base import ConcordAlgorithm


class ObjectConsensus(ConcordAlgorithm):
    ID = "objectconsensus"
    TITLE = "Consensus of objects"
    GROUP = ("campaign", "Campaign")
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Matches the outlines of a campaign's annotators one to one by their overlap, votes on the "
        "class of each object and draws it where at least half of its outlines lie. Agreement of "
        "extent, number and edges is reported apart. Votes are never changed."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("STORE", tr("Store")),
            "A .gpkg file, or a PostgreSQL connection of QGIS: NAME or NAME/SCHEMA.",
        )
        number = QgsProcessingParameterNumber
        self.add(
            number("OVERLAP", tr("Overlap"), number.Type.Double, 0.5, True, 0.05, 1.0),
            "Intersection over union from which two outlines are one object.",
        )
        self.add(
            number("SUPPORT", tr("Support"), number.Type.Double, 0.5, True, 0.0, 1.0),
            "Share of a task's annotators that must have drawn an object.",
        )
        self.add(
            QgsProcessingParameterFeatureSink(
                "OUTPUT",
                tr("Objects"),
                QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True,
            )
        )
        self.add_report()

    def capture(self, parameters, context):
        from ..bridge import campaign_db

        return {
            "where": campaign_db.address(self.parameterAsString(parameters, "STORE", context)),
            "overlap": self.parameterAsDouble(parameters, "OVERLAP", context),
            "support": self.parameterAsDouble(parameters, "SUPPORT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_read
        from ..engine.campaign import outlines

        found = campaign_read.gather(values["where"], progress.part(0, 10))
        rows, summary = outlines.settle(
            found, values["overlap"], values["support"], progress.part(10, 95)
        )
        fields = fields_of(
            **{"task": "int", "class": "int", "class_name": "text", "posterior": "real",
               "support": "real", "overlap": "real", "source": "text"}
        )  # fmt: skip
        names = found.scheme.names

        def features():
            for task, agreed, shapes in rows:
                name = names.get(agreed.code, "undecided")
                yield (
                    capture.geometry_of(shapes),
                    [task, agreed.code, name, agreed.posterior, agreed.support, agreed.overlap,
                     "consensus"],
                )  # fmt: skip

        crs = capture.qgis_crs(found.settings.grid.crs)
        results = {}
        if parameters.get("OUTPUT"):
            made = sinks.write(self, parameters, "OUTPUT", context, fields, crs, features())
            results["OUTPUT"] = made
        return {**results, **self.reported(values["report"], outlines.write_report, summary)}
