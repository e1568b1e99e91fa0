"""concord:exportchips: images, labels and consensus in, leak-free training chips out."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterFolderDestination

from . import chipwish
from .base import ConcordAlgorithm


class ExportChips(ConcordAlgorithm):
    ID = "exportchips"
    TITLE = "Export training chips"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Cuts images and labels into chips on the labels' grid, gates them by consensus and "
        "labelled share, splits them by whole blocks with a buffer, and writes them in any of "
        "sixteen formats with STAC items, a datasheet and a manifest with checksums. Labels are "
        "never resampled unless GRID asks for it. A folder that holds a set of Concord is brought "
        "up to date."
    )

    def define(self):
        chipwish.define_inputs(self)
        chipwish.define_cut(self)
        chipwish.define_gate(self)
        chipwish.define_split(self)
        chipwish.define_output(self)
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", chipwish.tr("Chips folder")))

    def checkParameterValues(self, parameters, context):
        problem = chipwish.licence_problem(parameters)
        if problem:  # QGIS's own sentence would not say what a licence looks like
            return False, problem
        return super().checkParameterValues(parameters, context)

    def capture(self, parameters, context):
        values = chipwish.capture_wish(self, parameters, context)
        return {**values, "output": self.file_output(parameters, "OUTPUT", context)}

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.chips import export

        report = export.export(
            values["imagery"], values["labels"], values["output"], chipwish.wish_of(values),
            values["consensus"], progress,
        )  # fmt: skip
        chipwish.tell(report, feedback)
        return {"OUTPUT": values["output"], "CHIPS": report["chips"]}
