"""concord:checkchips: is an exported chip set whole, consistent and free of leaks?"""

from __future__ import annotations

from qgis.core import QgsProcessingException, QgsProcessingParameterFile

from ..bridge.text import tr
from .base import ConcordAlgorithm


class CheckChips(ConcordAlgorithm):
    ID = "checkchips"
    TITLE = "Check training chips"
    GROUP = ("campaign", "Campaign")
    ANSWERS = True
    HELP = (
        "Verifies an exported chip set: files against the manifest, georeference, codes against "
        "the taxonomy, split leakage, STAC items and counts. Fails when anything is wrong; the "
        "report lists everything that was found."
    )

    def define(self):
        self.add(
            QgsProcessingParameterFile(
                "INPUT", tr("Chips folder"), QgsProcessingParameterFile.Behavior.Folder
            )
        )
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "input": self.parameterAsString(parameters, "INPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files
        from ..engine.chips import check

        report = check.check(values["input"], progress)
        if values["report"]:
            files.write_json(values["report"], report)
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        for note in report["notes"]:
            feedback.pushInfo(note)
        if not report["passed"]:
            first = report["findings"][0]
            raise QgsProcessingException(
                tr("{}: {} {} ({} problems in all); export the set again.").format(
                    values["input"], first["file"], first["detail"], report["finding_count"]
                )
            )
        results = {"CHIPS": report["chips"]}
        if values["report"]:
            results["REPORT"] = values["report"]
        return results
