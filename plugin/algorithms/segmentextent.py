"""concord:segmentextent: every region of an extent as a raster of numbers and as polygons."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
)

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from ..engine.segment import bundled
from . import sinks
from .promptable import PromptableAlgorithm


class SegmentExtent(PromptableAlgorithm):
    ID = "segmentextent"
    TITLE = "Segment an extent"
    HELP = (
        "Cuts an extent into regions. With regions, image segments; with a promptable model, its "
        "masks from prompts at the segments, the more confident one where two overlap, and "
        "segments for the rest. Without EXTENT the whole image. A region is one feature, "
        "also where its pixels meet only at corners."
    )

    def define(self):
        self.add_image()
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add_model(bundled.REGIONS)  # a network is asked hundreds of prompts: minutes
        self.add(
            QgsProcessingParameterNumber(
                "MIN_AREA", tr("Smallest area"), QgsProcessingParameterNumber.Type.Double, 0,
                minValue=0,
            ),
            "In map units squared of the image; smaller regions join a neighbour.",
        )  # fmt: skip
        self.add_raster_output("OUTPUT", "Regions", main=True)
        self.add(
            QgsProcessingParameterFeatureSink(
                "POLYGONS", tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True, createByDefault=False,
            )
        )  # fmt: skip

    def capture(self, parameters, context):
        return {
            **super().capture(parameters, context),
            "extent": self.extent(parameters, "EXTENT", context),
            "smallest": self.parameterAsDouble(parameters, "MIN_AREA", context),
            "output": self.output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        import tempfile

        from ..engine.scene import Scene
        from ..engine.segment import composite, everything, predict

        provider = predict.provider_of(values["model"])
        bounds, crs = values["extent"] or (None, "")
        with Scene([values["image"]]) as scene, tempfile.TemporaryDirectory() as folder:
            planes = composite.of_scene(scene, values["bands"])
            window = everything.window_of(scene.grid, bounds, crs)
            width, height = scene.grid.pixel_size
            smallest = max(1, round(values["smallest"] / (width * height)))
            found = everything.regions(
                scene, planes, provider, window, smallest, folder, progress.part(0, 90)
            )
            results = {}
            if values["output"]:
                self._write(found, values["output"], planes.text, provider.id, progress)
                results["OUTPUT"] = values["output"]
            if parameters.get("POLYGONS"):
                results["POLYGONS"] = self._polygons(found, values, parameters, context, progress)
        feedback.pushInfo(tr("{n} regions").format(n=found.count))
        return results

    @staticmethod
    def _write(found, path: str, planes: str, model: str, progress) -> None:
        from ..engine import rasters
        from ..engine.grid import Window

        numbers, height = found.open(), found.window.height
        tags = {"CONCORD_MODEL": model, "CONCORD_COMPOSITE": planes}
        with rasters.Writer(
            Path(path), found.grid, 1, "int32", names=["region"], nodata=0, tags=tags
        ) as out:
            for row in range(0, height, 512):
                progress.check()
                rows = min(512, height - row)
                out.write(numbers[row : row + rows], Window(0, row, found.window.width, rows))

    def _polygons(self, found, values, parameters, context, progress) -> str:
        from ..engine import rasters

        def rows():
            for shapes, number in rasters.regions(found.open(), found.grid):
                progress.check()
                geometry = capture.geometry_of(shapes)
                yield geometry, [number, geometry.area()]

        fields, crs = fields_of(region="int", area="real"), capture.qgis_crs(values["crs"])
        return sinks.write(self, parameters, "POLYGONS", context, fields, crs, rows())
