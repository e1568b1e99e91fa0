"""concord:loadscene: products in, one raster with named bands in physical units out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterCrs,
    QgsProcessingParameterExtent,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm


class LoadScene(ConcordAlgorithm):
    ID = "loadscene"
    TITLE = "Build a scene"
    GROUP = ("scene", "Scene")
    HELP = (
        "Brings rasters of one place on one grid. Bands are recognised from product and file "
        "names, named by STAC common names and scaled to physical units (reflectance, dB, "
        "metres). The report says what was assumed for each band."
    )

    def define(self):
        self.add(
            QgsProcessingParameterMultipleLayers(
                "INPUT", tr("Files or folder"), QgsProcessing.SourceType.TypeFile
            ),
            "Rasters of one place, or the folder of a product.",
        )
        self.add(
            QgsProcessingParameterString("SENSOR", tr("Sensor"), "auto", optional=True),
            "A sensor preset, or auto to recognise each file.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GRID", tr("Match this raster"), optional=True),
            "The scene takes the CRS, pixel size and corner of this raster.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "RESOLUTION",
                tr("Resolution"),
                QgsProcessingParameterNumber.Type.Double,
                None,
                optional=True,
                minValue=0,
            ),
            "Pixel size in units of the scene's CRS; left out, the finest band's.",
        )
        self.add(QgsProcessingParameterCrs("CRS", tr("CRS"), optional=True))
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add(
            QgsProcessingParameterString("DERIVED", tr("Derived bands"), "", optional=True),
            "Names separated by ';': ndvi, ndwi, mndwi, ndmi, nbr, ndbi, vv_vh.",
        )
        self.add_raster_output("OUTPUT", "Scene")
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        inputs = [
            capture.raster_path(item, context)
            for item in capture.split_list(parameters.get("INPUT"))
        ]
        return {
            "inputs": inputs,
            "sensor": self.parameterAsString(parameters, "SENSOR", context) or "auto",
            "grid": self.raster(parameters, "GRID", context),
            "resolution": self.parameterAsDouble(parameters, "RESOLUTION", context) or None,
            "crs": self.crs(parameters, "CRS", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "derived": capture.split_list(parameters.get("DERIVED")),
            "output": self.output(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files, load

        wish = load.wish_of(values["grid"], values["resolution"], values["crs"], values["extent"])
        report = load.load_scene(
            values["inputs"],
            values["output"],
            sensor=values["sensor"],
            wish=wish,
            derived=values["derived"],
            progress=progress,
        )
        for warning in report["warnings"]:
            feedback.pushInfo(warning)
        results = {"OUTPUT": values["output"]}
        if values["report"]:
            files.write_json(values["report"], report)
            results["REPORT"] = values["report"]
        return results
