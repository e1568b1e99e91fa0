"""concord:coverage: how much of a place each date of a series shows."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm


class Coverage(ConcordAlgorithm):
    ID = "coverage"
    TITLE = "Clear coverage of dates"
    GROUP = ("scene", "Scene")
    ANSWERS = True
    HELP = (
        "Counts clear pixels of every date, by quality layers (SCL, QA_PIXEL, Fmask, UDM2, cloud "
        "masks) where there are any, else by a simple brightness test. Gives a bar a date, a heat "
        "map, and a raster with each pixel's clear share."
    )

    def define(self):
        self.add(
            QgsProcessingParameterMultipleLayers(
                "INPUT", tr("Folder of dated scenes or masks"), QgsProcessing.SourceType.TypeFile
            ),
            "A folder whose file or folder names carry the date, or the files themselves.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GRID", tr("Match this raster"), optional=True),
            "Count on the grid of this raster; left out, that of the first date.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "THRESHOLD",
                tr("Good from (%)"),
                QgsProcessingParameterNumber.Type.Double,
                50.0,
                minValue=0,
                maxValue=100,
            ),
            "Dates that show less than this share of the place are greyed.",
        )
        self.add_raster_output("CLEAR", "Clear share", optional=True)
        self.add_report("Report (HTML and JSON)", "html")

    def capture(self, parameters, context):
        items = capture.split_list(parameters.get("INPUT"))
        return {
            "inputs": [capture.raster_path(item, context) for item in items],
            "grid": self.raster(parameters, "GRID", context),
            "threshold": self.parameterAsDouble(parameters, "THRESHOLD", context),
            "clear": self.output(parameters, "CLEAR", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import rasters
        from ..engine.series import coverage

        given = values["grid"]
        grid = rasters.require_crs(rasters.info(given)).grid if given else None
        found, heat = coverage.run(
            values["inputs"],
            values["clear"],
            grid=grid,
            threshold=values["threshold"],
            progress=progress,
        )
        for entry in found["dates"]:
            feedback.pushInfo(f"{entry['date']}: {entry['clear']:.1f} % clear ({entry['method']})")
        for note in found["notes"]:
            feedback.pushInfo(note)
        results = {"CLEAR": values["clear"]} if values["clear"] else {}
        return {**results, **self.reported(values["report"], coverage.write_report, found, heat)}
