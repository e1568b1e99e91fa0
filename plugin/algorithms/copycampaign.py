"""concord:copycampaign and concord:mergecampaign: work away from the store, and back."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
)

from ..bridge.text import tr
from .base import ConcordAlgorithm


class CopyCampaign(ConcordAlgorithm):
    ID = "copycampaign"
    TITLE = "Copy a campaign for an annotator"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Writes one annotator's tasks and work to a new GeoPackage that can be taken away. It "
        "holds nobody else's work and no known answers."
    )

    def define(self):
        self.add(QgsProcessingParameterString("STORE", tr("Store")), "The campaign, as its lead.")
        self.add(QgsProcessingParameterString("PERSON", tr("Annotator")), "Who takes the copy.")
        self.add(
            QgsProcessingParameterFileDestination("OUTPUT", tr("Copy"), "GeoPackage (*.gpkg)"),
            "A new file.",
        )
        self.addOutput(QgsProcessingOutputNumber("TASKS", tr("Tasks")))

    def capture(self, parameters, context):
        from ..bridge import campaign_db

        return {
            "where": campaign_db.address(self.parameterAsString(parameters, "STORE", context)),
            "person": self.parameterAsString(parameters, "PERSON", context).strip(),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_copy
        from ..bridge.campaign_store import Store

        with Store(values["where"]) as store:
            count = campaign_copy.copy_for(store, values["person"], values["output"])
        return {"OUTPUT": values["output"], "TASKS": count}


class MergeCampaign(ConcordAlgorithm):
    ID = "mergecampaign"
    TITLE = "Merge an annotator's copy"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Brings an annotator's copy back. Every version of both sides is kept; where both went on, "
        "the event log says conflict. Doing it twice changes nothing."
    )

    def define(self):
        self.add(QgsProcessingParameterString("STORE", tr("Store")), "The campaign, as its lead.")
        self.add(
            QgsProcessingParameterFile("INPUT", tr("Copy"), extension="gpkg"),
            "The copy that is back.",
        )
        for name, title in (("ADDED", "Versions added"), ("CONFLICTS", "Conflicts")):
            self.addOutput(QgsProcessingOutputNumber(name, tr(title)))

    def capture(self, parameters, context):
        from ..bridge import campaign_db

        return {
            "where": campaign_db.address(self.parameterAsString(parameters, "STORE", context)),
            "copy": self.parameterAsFile(parameters, "INPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import campaign_copy
        from ..bridge.campaign_store import Store

        with Store(values["where"]) as store:
            report = campaign_copy.merge(store, values["copy"])
        for task in report["conflicts"]:
            feedback.pushWarning(tr("Task {n}: both sides went on; both are kept.").format(n=task))
        for task in report["sealed"]:
            feedback.pushWarning(tr("Task {n} is sealed; the late work is kept.").format(n=task))
        return {"ADDED": report["added"], "CONFLICTS": len(report["conflicts"])}
