"""concord:importchips: an exported set opened again as layers."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
)

from ..bridge.text import tr
from .base import ConcordAlgorithm


class ImportChips(ConcordAlgorithm):
    ID = "importchips"
    TITLE = "Open training chips as layers"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Reads a native set or the LandCoverNet layout back into one label raster with the chips' "
        "outlines, and COCO annotations (CVAT's too) into polygons, in map coordinates where the "
        "file has them."
    )

    def define(self):
        self.add(
            QgsProcessingParameterFile("INPUT", tr("Chips folder or COCO file")),
            "A folder, or a COCO file that ends in .json.",
        )
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder for the layers")))

    def capture(self, parameters, context):
        return {
            "input": self.parameterAsString(parameters, "INPUT", context),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.chips import reading

        found = reading.open_set(values["input"], values["output"], progress)
        what = tr("objects") if found.kind == "coco" else tr("chips")
        feedback.pushInfo(f"{found.kind}: {found.count} {what}")
        for note in found.notes:
            feedback.pushInfo(note)
        results = {"OUTPUT": values["output"], "KIND": found.kind, "COUNT": found.count}
        return {**results, **{name.upper(): path for name, path in found.layers.items()}}
