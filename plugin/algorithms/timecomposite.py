"""concord:timecomposite: one clear image from scenes of several dates."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm

METHODS = ("median", "medoid", "maxndvi")


class TimeComposite(ConcordAlgorithm):
    ID = "timecomposite"
    TITLE = "Composite of dates"
    GROUP = ("scene", "Scene")
    UNASKED = {"OUTPUT": ".tif"}
    HELP = (
        "Makes one image from the clear pixels of several dates: the median of each band, the "
        "medoid (the date nearest to all others) or the greenest date. A band counts the clear "
        "dates."
    )

    def define(self):
        self.add(
            QgsProcessingParameterMultipleLayers(
                "INPUT", tr("Folder of dated scenes"), QgsProcessing.SourceType.TypeFile
            ),
            "A folder whose file or folder names carry the date, or the files themselves.",
        )
        self.add(
            QgsProcessingParameterEnum(
                "METHOD",
                tr("Method"),
                list(METHODS),
                defaultValue="median",
                usesStaticStrings=True,
            ),
            "The median is smoothest; medoid and maxndvi keep the bands of one date together.",
        )
        self.add(
            QgsProcessingParameterString("SENSOR", tr("Sensor"), "auto", optional=True),
            "A sensor preset of which dates are taken, or auto for the one with most dates.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GRID", tr("Match this raster"), optional=True),
            "The composite takes the grid of this raster; left out, the first date's finest.",
        )
        self.add_raster_output("OUTPUT", "Composite", main=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        items = capture.split_list(parameters.get("INPUT"))
        return {
            "inputs": [capture.raster_path(item, context) for item in items],
            "method": self.parameterAsString(parameters, "METHOD", context) or "median",
            "sensor": self.parameterAsString(parameters, "SENSOR", context) or "auto",
            "grid": self.raster(parameters, "GRID", context),
            "output": self.output(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import rasters
        from ..engine.series import composite

        given = values["grid"]
        found = composite.run(
            values["inputs"],
            values["output"],
            method=values["method"],
            sensor=values["sensor"],
            grid=rasters.require_crs(rasters.info(given)).grid if given else None,
            progress=progress,
        )
        results = {"OUTPUT": values["output"]}
        for warning in found["warnings"]:
            feedback.pushInfo(warning)
        return {**results, **self.told(values["report"], found)}
