"""concord:loadscene: products in, one raster with named bands in physical units out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterCrs,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture, scenes
from ..bridge.text import tr
from .base import ConcordAlgorithm


def add_files(algorithm) -> None:
    """The parameter with a scene's files."""
    algorithm.add(
        QgsProcessingParameterMultipleLayers(
            "INPUT", tr("Files or folder"), QgsProcessing.SourceType.TypeFile
        ),
        "Rasters of one place, the folder of a product, or a STAC item or catalogue (JSON).",
    )


def add_corrections(algorithm) -> None:
    """The parameter with what the user knows better of single files."""
    parameter = QgsProcessingParameterString("CORRECTIONS", tr("Corrections"), optional=True)
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    parameter.setFlags(parameter.flags() | advanced)
    algorithm.add(
        parameter,
        'JSON of what you know better of single files: {"file": {"sensor": id, "date": '
        '"2021-06-30", "bands": "red;nir", "use": true}}.',
    )


class LoadScene(ConcordAlgorithm):
    ID = "loadscene"
    TITLE = "Build a scene"
    GROUP = ("scene", "Scene")
    UNASKED = {"OUTPUT": ".tif"}
    HELP = (
        "Brings rasters of one place on one grid. Bands are recognised from product and file "
        "metadata and file names, named by STAC common names and scaled to physical units "
        "(reflectance, dB, metres). An output that ends in .vrt is a virtual stack on the files "
        "themselves, one that ends in .tif a copy. The report says what was assumed for each "
        "band, and how far sensors lie apart."
    )

    def define(self):
        add_files(self)
        self.add(
            QgsProcessingParameterString("SENSOR", tr("Sensor"), "auto", optional=True),
            "A sensor preset, a preset file (JSON), or auto to recognise each file. Several, "
            "separated by ';', go with the inputs one by one.",
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
            "Names separated by ';': an index such as ndvi, evi, mndwi, nbr, kndvi (280 are "
            "known), vv_vh, rvi, vv_lee, vv_refined_lee, slope, aspect, hillshade, tpi_100, "
            "roughness_100 (metres), ndsm, pca_3, mnf_3, sharpen_gsa, sharpen_mtfglp.",
        )
        self.add(
            QgsProcessingParameterBoolean("CHECK_SHIFT", tr("Check the registration"), True),
            "Measure by phase correlation how far sensors lie apart, and warn above half a pixel.",
        )
        add_corrections(self)
        self.add_raster_output("OUTPUT", "Scene", main=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        items = capture.split_list(parameters.get("INPUT"))
        inputs = [capture.raster_path(item, context) for item in items]
        sensor = self.parameterAsString(parameters, "SENSOR", context) or "auto"
        if sensor == "auto":
            sensor = ";".join(scenes.remembered_sensor(item, context) for item in items) or "auto"
        return {
            "inputs": inputs,
            "sensor": sensor,
            "grid": self.raster(parameters, "GRID", context),
            "resolution": self.parameterAsDouble(parameters, "RESOLUTION", context) or None,
            "crs": self.crs(parameters, "CRS", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "derived": capture.split_list(parameters.get("DERIVED")),
            "corrections": self.parameterAsString(parameters, "CORRECTIONS", context),
            "check_shift": self.parameterAsBool(parameters, "CHECK_SHIFT", context),
            "output": self.output(parameters, "OUTPUT", context, (".tif", ".tiff", ".vrt")),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import corrections, load

        wish = load.wish_of(values["grid"], values["resolution"], values["crs"], values["extent"])
        report = load.load_scene(
            values["inputs"],
            values["output"],
            sensor=values["sensor"],
            wish=wish,
            derived=values["derived"],
            check_shift=values["check_shift"],
            corrected=corrections.parse(values["corrections"]),
            progress=progress,
        )
        for warning in report["warnings"]:
            feedback.pushInfo(warning)
        results = {"OUTPUT": values["output"]}
        return {**results, **self.told(values["report"], report)}
