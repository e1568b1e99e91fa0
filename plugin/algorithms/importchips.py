"""concord:importchips: an exported set opened again as layers."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
)

from ..bridge.text import tr
from ..engine.errors import ConcordError
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
        kinds = QgsProcessingParameterFile.Behavior
        self.add(
            QgsProcessingParameterFile("INPUT", tr("Chips folder"), kinds.Folder, optional=True),
            "A native set, a LandCoverNet folder or a folder with COCO files.",
        )
        self.add(
            QgsProcessingParameterFile("FILE", tr("COCO file"), kinds.File, "json", optional=True),
            "One COCO file instead of a folder.",
        )
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder for the layers")))

    def capture(self, parameters, context):
        source = self.parameterAsString(parameters, "FILE", context)
        source = source or self.parameterAsString(parameters, "INPUT", context)
        if not source:
            raise ConcordError("Nothing was chosen to open; give INPUT or FILE.")
        return {
            "input": source,
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
