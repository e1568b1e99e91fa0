"""concord:campaignreport: a store in; progress, people, gold scores, queue of doubt out."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterString

from ..bridge.text import tr
from .base import ConcordAlgorithm


class CampaignReport(ConcordAlgorithm):
    ID = "campaignreport"
    TITLE = "Campaign report"
    GROUP = ("campaign", "Campaign")
    ANSWERS = True
    HELP = (
        "Reads a campaign and writes how far it is, how good everybody is on known answers (with "
        "intervals), how agreement and speed change, and which tasks are most doubtful: mean "
        "entropy of the posterior, times labelled area, times flags."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("STORE", tr("Store")),
            "A .gpkg file, or a PostgreSQL connection of QGIS: NAME or NAME/SCHEMA.",
        )
        self.add(
            QgsProcessingParameterString("METHOD", tr("Method"), "dawidskene", optional=True),
            "majority, dawidskene or median: how the votes of a task are weighed.",
        )
        self.add_report()

    def capture(self, parameters, context):
        from ..bridge import campaign_db
        from ..engine.consensus import aggregate
        from ..engine.errors import ConcordError

        method = self.parameterAsString(parameters, "METHOD", context) or "dawidskene"
        if method not in aggregate.METHODS:
            raise ConcordError(
                f"The method '{method}' is not known; use {', '.join(aggregate.METHODS)}."
            )
        return {
            "where": campaign_db.address(self.parameterAsString(parameters, "STORE", context)),
            "method": method,
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_read
        from ..engine.campaign import results

        found = campaign_read.gather(values["where"], progress.part(0, 20))
        summary = results.judged(found, values["method"], progress.part(20, 100))
        for note in summary["notes"]:
            feedback.pushInfo(note)
        return self.reported(values["report"], results.write_report, summary)
