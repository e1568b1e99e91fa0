"""concord:revertproposals: takes an applied batch back exactly, from its change log."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterFile, QgsProcessingParameterRasterLayer

from ..bridge.text import tr
from .base import ConcordAlgorithm


class RevertProposals(ConcordAlgorithm):
    ID = "revertproposals"
    TITLE = "Revert proposals"
    GROUP = ("refine", "Refine")
    NEEDS = ("rasterio",)
    HELP = (
        "Restores the map as it was before a batch of proposals was applied, pixel by pixel, from "
        "the raster and the change log. Works after a restart and without the old map. Later "
        "changes elsewhere are kept; later changes on the same pixels have to be reverted first."
    )

    def define(self):
        self.add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Map with the changes")),
            "The raster that Apply proposals wrote.",
        )
        self.add(
            QgsProcessingParameterFile("CHANGES", tr("Change log"), extension="json"),
            "The change log of the batch.",
        )
        self.add_raster_output("OUTPUT", "Map before the changes")

    def capture(self, parameters, context):
        return {
            "input": self.raster(parameters, "INPUT", context),
            "changes": self.parameterAsFile(parameters, "CHANGES", context),
            "output": self.output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.refine import changes

        done = changes.revert(values["input"], values["changes"], values["output"], progress)
        if done["identical"]:
            feedback.pushInfo(tr("The map is pixel for pixel the one before the batch."))
        else:
            feedback.pushInfo(tr("The batch is reverted; later changes elsewhere were kept."))
        return {"OUTPUT": values["output"], "PIXELS": done["pixels"],
                "IDENTICAL": done["identical"]}  # fmt: skip
