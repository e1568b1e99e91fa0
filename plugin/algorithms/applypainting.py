"""concord:applypainting: a class raster and what was painted on it in, a new raster out."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterFile, QgsProcessingParameterRasterLayer

from ..bridge.text import tr
from .base import ConcordAlgorithm


class ApplyPainting(ConcordAlgorithm):
    ID = "applypainting"
    TITLE = "Save painted labels"
    GROUP = ("annotate", "Annotate")
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Writes a new class raster with everything that was painted on the old one in the Annotate "
        "panel: accepted prompts, brush strokes and fills. The old raster is never changed. The "
        "new one has the palette, the class names, and who painted when."
    )

    def define(self):
        self.add(QgsProcessingParameterRasterLayer("LABELS", tr("Class raster")))
        self.add(
            QgsProcessingParameterFile("PAINTING", tr("Painting")),
            "The file ending in .concord-painting that the Annotate panel keeps beside the raster.",
        )
        self.add_raster_output("OUTPUT", "Painted raster")

    def capture(self, parameters, context):
        return {
            "labels": self.raster(parameters, "LABELS", context),
            "painting": self.parameterAsFile(parameters, "PAINTING", context),
            "output": self.output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.paint import saving

        done = saving.save(values["labels"], values["painting"], values["output"], progress)
        text = tr("{pixels} pixels painted in {n} steps.")
        feedback.pushInfo(text.format(pixels=done["pixels"], n=done["steps"]))
        return {"OUTPUT": values["output"], "PIXELS": done["pixels"], "STEPS": done["steps"]}
