"""concord:refinelabels: a noisy land-cover map in, a repaired one and its proposals out."""

from __future__ import annotations

from qgis.core import (
    QgsGeometry,
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from . import sinks
from .base import ConcordAlgorithm


class RefineLabels(ConcordAlgorithm):
    ID = "refinelabels"
    TITLE = "Refine a land-cover map"
    GROUP = ("refine", "Refine")
    UNASKED = {"OUTPUT": ".tif"}
    NEEDS = ("rasterio", "skimage", "scipy")
    HELP = (
        "Repairs a noisy class raster with the help of an image. The old map is never changed: a "
        "new raster is written, and every changed region is a proposal with old class, new class "
        "and confidence. With a reference the report says how many wrong pixels were corrected "
        "and how many right ones were broken."
    )

    def define(self):
        self.add_rasters("IMAGE", "Image", "One or more rasters of the place.")
        self.add(QgsProcessingParameterRasterLayer("LABELS", tr("Land-cover map")))
        self.add(
            QgsProcessingParameterString("ENGINE", tr("Engine"), "auto", optional=True),
            "auto, potts, guided, fused, confident, contradicted, outdated, shift, prompt, "
            "felzenszwalb, slic, watershed or mode.",
        )
        self.add(
            QgsProcessingParameterString("UNSURE", tr("May change"), "all", optional=True),
            "all, or the classes (codes or names, separated by ';') whose pixels may change.",
        )
        self.add(
            QgsProcessingParameterString("PROTECT", tr("Protected classes"), "", optional=True),
            "Codes or names, separated by ';', of classes that are never removed.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "MARGIN", tr("Margin"), QgsProcessingParameterNumber.Type.Double, 0.1, True, 0, 1
            ),
            "By how much of the votes the new class must lead the old one, 0 to 1.",
        )
        self._define_guards()
        self.add(
            QgsProcessingParameterString("BANDS", tr("Composite"), "", optional=True),
            "Three bands by name; left out, near infrared, red and green where there are any.",
        )
        scale = QgsProcessingParameterNumber(
            "SCALE", tr("Segment scale"), QgsProcessingParameterNumber.Type.Double, None, True, 1
        )
        self.add_advanced(
            scale,
            "Felzenszwalb's scale, larger for larger segments; left out, the pixel size decides.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("REFERENCE", tr("Reference"), optional=True),
            "A class raster that is known to be right, to score the result.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("EXAMPLES", tr("Examples"), optional=True),
            "A class raster that is right where it has a class and 0 elsewhere; the engine auto "
            "learns from it in place of the map.",
        )
        self.add_advanced(
            QgsProcessingParameterString("MODEL", tr("Model to ask"), "auto", optional=True),
            "A trained model that the engine auto asks where errors are no noise: auto for "
            "a bundled one that fits image and classes, none, an id or a file.",
        )
        executor = QgsProcessingParameterString("EXECUTOR", tr("Executor"), "local", optional=True)
        self.add_advanced(
            executor,
            "local, local:4 for four threads, or dask:ADDRESS of a scheduler; same result.",
        )
        self.add_taxonomy()
        self.add_raster_output("OUTPUT", "Refined map", main=True)
        self.add(
            QgsProcessingParameterFeatureSink(
                "PROPOSALS", tr("Proposals"), QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True, createByDefault=False,
            )
        )  # fmt: skip
        self.add_report()

    def _define_guards(self):
        self.add(
            QgsProcessingParameterNumber(
                "MMU",
                tr("Minimum mapping unit"),
                QgsProcessingParameterNumber.Type.Integer,
                0,
                True,
                0,
                400,
            ),
            "Pixels; a change that would leave a smaller patch is held back.",
        )
        self.add(
            QgsProcessingParameterBoolean(
                "KEEP_OBJECTS", tr("Keep small objects"), True, optional=True
            ),
            "Small objects of the map that stand out in the image are not removed.",
        )

    def capture(self, parameters, context):
        return {
            "image": self.rasters(parameters, "IMAGE", context),
            "labels": self.raster(parameters, "LABELS", context),
            "engine": self.parameterAsString(parameters, "ENGINE", context) or "auto",
            "unsure": capture.split_list(parameters.get("UNSURE")),
            "protect": capture.split_list(parameters.get("PROTECT")),
            "margin": self.parameterAsDouble(parameters, "MARGIN", context),
            "bands": capture.split_list(parameters.get("BANDS")),
            "scale": self.parameterAsDouble(parameters, "SCALE", context) or None,
            "reference": self.raster(parameters, "REFERENCE", context),
            "examples": self.raster(parameters, "EXAMPLES", context),
            "model": self.parameterAsString(parameters, "MODEL", context) or "auto",
            "smallest": self.parameterAsInt(parameters, "MMU", context),
            "objects": self.parameterAsBoolean(parameters, "KEEP_OBJECTS", context),
            "executor": self.parameterAsString(parameters, "EXECUTOR", context) or "local",
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.output(parameters, "OUTPUT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.refine import page, run

        asked = ("image", "labels", "output", "engine", "unsure", "protect", "margin", "bands")
        more = ("scale", "taxonomy", "reference", "examples", "model", "smallest", "objects",
                "executor")  # fmt: skip
        summary, scheme, proposals = run.refine(
            **{name: values[name] for name in asked + more}, progress=progress
        )
        for note in summary["notes"]:
            feedback.pushInfo(note)
        if summary["noise"]:
            feedback.pushInfo(summary["noise"]["reason"])
        results = {"OUTPUT": values["output"]}
        if parameters.get("PROPOSALS") not in (None, ""):
            results["PROPOSALS"] = self._write(parameters, context, proposals, summary, progress)
        return {**results, **self.reported(values["report"], page.write_report, summary, scheme)}

    def _write(self, parameters, context, proposals, summary, progress) -> str:
        fields = fields_of(
            proposal="int", old_class="int", new_class="int", old_name="text", new_name="text",
            confidence="real", pixels="int", area="real", priority="real", source="text",
            evidence="text", status="text",
        )  # fmt: skip

        def rows():
            for shape, attributes in proposals:
                progress.check()
                named = {**attributes, "source": f"refined: {summary['engine']}"}
                yield _whole(shape), [named[field.name()] for field in fields]

        crs = capture.qgis_crs(summary["grid"]["crs"])
        return sinks.write(self, parameters, "PROPOSALS", context, fields, crs, rows())


def _whole(shape: dict) -> QgsGeometry:
    """One geometry without inner lines where parts of a region met at a line of the work."""
    if shape["type"] == "Polygon":
        return capture.geometry_of([shape])
    parts = [capture.geometry_of([{"coordinates": rings}]) for rings in shape["coordinates"]]
    geometry = QgsGeometry.unaryUnion(parts)
    geometry.convertToMultiType()
    return geometry
