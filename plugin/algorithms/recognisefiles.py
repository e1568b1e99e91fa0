"""concord:recognisefiles: what each file would become in a scene, before one is built."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm
from .loadscene import add_corrections, add_files


class RecogniseFiles(ConcordAlgorithm):
    ID = "recognisefiles"
    TITLE = "Recognise files"
    GROUP = ("scene", "Scene")
    ANSWERS = True
    HELP = (
        "Says of every file which sensor, date and bands it would bring into a scene and why, and "
        "which files would be left out. No pixel is read."
    )

    def define(self):
        add_files(self)
        self.add(
            QgsProcessingParameterString("SENSOR", tr("Sensor"), "auto", optional=True),
            "A sensor preset, or auto to recognise each file.",
        )
        add_corrections(self)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        items = capture.split_list(parameters.get("INPUT"))
        return {
            "inputs": [capture.raster_path(item, context) for item in items],
            "sensor": self.parameterAsString(parameters, "SENSOR", context) or "auto",
            "corrections": self.parameterAsString(parameters, "CORRECTIONS", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import corrections, load

        corrected = corrections.parse(values["corrections"])
        found = load.look(values["inputs"], values["sensor"], corrected)
        for entry in found["files"]:
            bands = ", ".join(entry["bands"])
            feedback.pushInfo(f"{entry['file']}: {entry['title']}, {bands} ({entry['reason']})")
        for entry in found["skipped"]:
            feedback.pushInfo(f"{entry['file']}: left out, {entry['reason']}")
        return self.told(values["report"], found)
