"""concord:fillregion: a class raster, a place on it and a class in, one step of painting out."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterPoint,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm


class FillRegion(ConcordAlgorithm):
    ID = "fillregion"
    TITLE = "Fill a region"
    GROUP = ("annotate", "Annotate")
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Gives the region of one class around a point another class, however far it reaches. The "
        "raster is not changed: the fill becomes one step of the painting kept beside it, which "
        "the Annotate panel shows and can undo, and which Save painted labels writes."
    )

    def define(self):
        integer = QgsProcessingParameterNumber.Type.Integer
        self.add(QgsProcessingParameterRasterLayer("LABELS", tr("Class raster")))
        self.add(QgsProcessingParameterPoint("POINT", tr("A point of the region")))
        self.add(
            QgsProcessingParameterNumber(
                "CLASS", tr("Class code"), integer, minValue=0, maxValue=254
            ),
            "0 takes the labels away.",
        )
        self.add(
            QgsProcessingParameterFile(
                "FOLDER", tr("Folder of the painting"), QgsProcessingParameterFile.Behavior.Folder,
                optional=True,
            ),
            "Left out, the painting is kept beside the raster.",
        )  # fmt: skip
        for name, title in (
            ("NAME", tr("Class name")),
            ("COLOUR", tr("Class colour")),
            ("ANNOTATOR", tr("Annotator")),
        ):
            self.add_advanced(QgsProcessingParameterString(name, title, "", optional=True))
        self.addOutput(QgsProcessingOutputNumber("PIXELS", tr("Pixels that changed")))

    def capture(self, parameters, context):
        labels = self.raster(parameters, "LABELS", context)
        crs = capture.qgis_crs(capture.raster_crs(labels))
        point = self.parameterAsPoint(parameters, "POINT", context, crs)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = {"title": "fill", "at": now}
        for key, name in (("name", "NAME"), ("colour", "COLOUR"), ("by", "ANNOTATOR")):
            words[key] = self.parameterAsString(parameters, name, context)
        return {
            "labels": labels,
            "folder": self.parameterAsFile(parameters, "FOLDER", context) or Path(labels).parent,
            "place": (point.x(), point.y()),
            "code": self.parameterAsInt(parameters, "CLASS", context),
            "words": words,
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.paint.painting import Painting

        painting = Painting(values["labels"], values["folder"], joins=True)
        try:
            x, y = values["place"]
            pixels = painting.fill(x, y, values["code"], values["words"], progress)
        finally:
            painting.close()
        feedback.pushInfo(tr("{n} pixels changed.").format(n=pixels))
        return {"PIXELS": pixels}
