"""concord:previewchips: where the chips of an export would lie and in which split."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterVectorDestination

from . import chipwish
from .base import ConcordAlgorithm


class PreviewChips(ConcordAlgorithm):
    ID = "previewchips"
    TITLE = "Preview the split of training chips"
    GROUP = ("campaign", "Campaign")
    ANSWERS = True
    HELP = (
        "Takes the parameters of the export and writes nothing but the outlines of the chips with "
        "their split, so that it can be looked at on the map first. The report holds counts, "
        "distances between splits and the autocorrelation range of the labels."
    )

    def define(self):
        chipwish.define_inputs(self)
        chipwish.define_cut(self)
        chipwish.define_gate(self)
        chipwish.define_split(self)
        chipwish.define_output(self)
        self.add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", chipwish.tr("Outlines"), optional=True
            )
        )
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        values = chipwish.capture_wish(self, parameters, context)
        values["licence"] = values["licence"] or "preview"
        return {
            **values,
            "output": self.parameterAsOutputLayer(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def checkParameterValues(self, parameters, context):
        # A preview leaves nothing that could be passed on, so it needs no licence.
        stated = {**parameters, "LICENCE": parameters.get("LICENCE") or "preview"}
        return super().checkParameterValues(stated, context)

    def compute(self, values, parameters, context, feedback, progress):
        from ..bridge import chips
        from ..engine.chips import export

        wish = chipwish.wish_of(values)
        report, features = export.preview(
            values["imagery"], values["labels"], wish, values["consensus"], progress
        )
        if values["output"]:
            chips.write_outlines(values["output"], features, context)
        chipwish.tell(report, feedback)
        results = {"OUTPUT": values["output"]} if values["output"] else {}
        return {**results, "CHIPS": report["chips"], **self.told(values["report"], report)}
