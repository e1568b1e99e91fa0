"""concord:comparemaps: two maps of one place in, a from-to raster and a report out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterRasterLayer,
)

from ..bridge import capture
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm


class CompareMaps(ConcordAlgorithm):
    ID = "comparemaps"
    TITLE = "Compare two maps"
    GROUP = ("refine", "Refine")
    ANSWERS = True
    NEEDS = ("rasterio", "scipy")
    HELP = (
        "Writes a raster of 256 times the class before plus the class after, with a legend beside "
        "it, and a report: transition matrix and areas. With a reference raster or sample points "
        "it adds accuracy, F1 and IoU of each class, border F1, and areas with 95 % confidence "
        "intervals (Olofsson et al. 2014)."
    )

    def define(self):
        self.add(QgsProcessingParameterRasterLayer("BEFORE", tr("Map before")))
        self.add(QgsProcessingParameterRasterLayer("AFTER", tr("Map after")))
        self.add(
            QgsProcessingParameterRasterLayer("REFERENCE", tr("Reference"), optional=True),
            "A class raster that is known to be right, 0 elsewhere.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                "POINTS", tr("Reference points"), [QgsProcessing.SourceType.TypeVectorPoint],
                optional=True,
            ),
            "A sample of points whose class is known; best drawn at random within each class.",
        )  # fmt: skip
        self.add(
            QgsProcessingParameterField(
                "FIELD", tr("Class of the points"), "class", "POINTS", optional=True
            )
        )
        self.add_taxonomy()
        self.add_raster_output("OUTPUT", "From-to raster", main=True)
        self.add_report()

    def capture(self, parameters, context):
        after = self.raster(parameters, "AFTER", context)
        return {
            "before": self.raster(parameters, "BEFORE", context),
            "after": after,
            "reference": self.raster(parameters, "REFERENCE", context),
            "points": self._points(parameters, context, capture.raster_crs(after)),
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.output(parameters, "OUTPUT", context)
            if parameters.get("OUTPUT") not in (None, "") else None,
            "report": self.file_output(parameters, "REPORT", context),
        }  # fmt: skip

    def _points(self, parameters, context, crs: str) -> list:
        if parameters.get("POINTS") in (None, ""):
            return []
        source = self.parameterAsSource(parameters, "POINTS", context)
        name = self.parameterAsString(parameters, "FIELD", context) or "class"
        if source is None or name not in source.fields().names():
            raise ConcordError(
                tr("The reference points have no field {name}; choose the one with the class.")
                .format(name=name)
            )  # fmt: skip
        found = []
        for shape, told in capture.features_as_json(source, crs, context, (name,)):
            try:
                code = int(told[name])
            except (TypeError, ValueError) as error:
                raise ConcordError(
                    tr("A reference point has the class '{value}'; use class codes.")
                    .format(value=told[name])
                ) from error  # fmt: skip
            spots = (
                shape["coordinates"] if shape["type"] == "MultiPoint" else [shape["coordinates"]]
            )
            found += [(x, y, code) for x, y, *_ in spots if 0 < code < 255]
        return found

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.refine import compare

        summary, scheme = compare.compare(
            values["before"], values["after"], values["output"], reference=values["reference"],
            points=values["points"], taxonomy=values["taxonomy"], progress=progress,
        )  # fmt: skip
        for note in summary["notes"]:
            feedback.pushInfo(note)
        results = {"CHANGED_SHARE": summary["changed_share"]}
        if values["output"]:
            results["OUTPUT"] = values["output"]
        written = self.reported(values["report"], compare.write_report, summary, scheme)
        return {**results, **written}
