"""concord:samplescene: a synthetic place to try everything on."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterFolderDestination, QgsProcessingParameterNumber

from ..bridge.text import tr
from .base import ConcordAlgorithm


class SampleScene(ConcordAlgorithm):
    ID = "samplescene"
    TITLE = "Make the sample scene"
    GROUP = ("scene", "Scene")
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Generates a synthetic place: optical, radar and height files, a noisy land-cover map, "
        "its truth, the maps of three annotators and some prompts. Nothing in it is real."
    )

    def define(self):
        kind = QgsProcessingParameterNumber.Type.Integer
        self.add(
            QgsProcessingParameterNumber("SEED", tr("Seed"), kind, 1, minValue=0),
            "The same seed gives the same place.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "SIZE", tr("Size in pixels"), kind, 1024, minValue=128, maxValue=4096
            ),
            "Pixels a side, 10 m each.",
        )
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder")))

    def capture(self, parameters, context):
        return {
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "size": self.parameterAsInt(parameters, "SIZE", context),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import jobs
        from ..engine.sample import scene, write

        first = progress.part(0, 70)
        seed, size = values["seed"], values["size"]
        sample = jobs.answered(lambda: scene.generate(seed, size, first), progress)
        written = write.write(values["output"], sample, progress.part(70, 100))
        names = {f"FILE_{name.upper()}": str(path) for name, path in written.items()}
        return {"OUTPUT": values["output"], **names}
