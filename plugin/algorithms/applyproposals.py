"""concord:applyproposals: a map and the proposals for it in, a new map and a change log out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from ..engine.errors import ConcordError
from . import scratch
from .base import ConcordAlgorithm

_NUMBERS = ("old_class", "new_class", "proposal", "confidence")
_FIELDS = (
    "proposal", "old_class", "new_class", "confidence", "pixels", "area", "source", "status",
)  # fmt: skip


class ApplyProposals(ConcordAlgorithm):
    ID = "applyproposals"
    TITLE = "Apply proposals"
    GROUP = ("refine", "Refine")
    UNASKED = {"OUTPUT": ".tif"}
    NEEDS = ("rasterio",)
    HELP = (
        "Writes a new raster in which the proposals' regions have their new class. The old map is "
        "never changed. The change log keeps who changed what, and every old pixel, so that the "
        "batch can be reverted exactly at any time with Revert proposals."
    )

    def define(self):
        self.add(QgsProcessingParameterRasterLayer("LABELS", tr("Land-cover map")))
        self.add(
            QgsProcessingParameterFeatureSource(
                "PROPOSALS", tr("Proposals"), [QgsProcessing.SourceType.TypeVectorPolygon]
            ),
            "Polygons with the field new_class, as Refine a land-cover map makes them.",
        )
        self.add(
            QgsProcessingParameterString("ACCEPT", tr("Which ones"), "notrejected", optional=True),
            "notrejected for all but the rejected ones; accepted for those accepted in the review.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "MIN_CONFIDENCE",
                tr("Least confidence"),
                QgsProcessingParameterNumber.Type.Double,
                0.0,
                True,
                0,
                1,
            ),
            "Proposals with less are left out, 0 to 1.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("GRID", tr("Grid"), optional=True),
            "A raster whose grid the result has; left out, the map's, or the finer one on which "
            "the proposals were made.",
        )
        self.add_taxonomy()
        self.add_raster_output("OUTPUT", "Map with the changes", main=True)
        self.add(
            QgsProcessingParameterFileDestination(
                "CHANGES", tr("Change log"), "JSON (*.json)", optional=True, createByDefault=False
            )
        )

    def capture(self, parameters, context):
        labels = self.raster(parameters, "LABELS", context)
        source = self.parameterAsSource(parameters, "PROPOSALS", context)
        if source is None:
            raise ConcordError(tr("The proposals cannot be read; choose a polygon layer."))
        if "new_class" not in source.fields().names():
            raise ConcordError(
                tr("The proposals have no field new_class; choose the layer that Refine made.")
            )
        which = self.parameterAsString(parameters, "ACCEPT", context) or "notrejected"
        if which not in ("notrejected", "accepted"):
            raise ConcordError(
                tr("ACCEPT is '{which}'; use notrejected or accepted.").format(which=which)
            )
        grid = self.raster(parameters, "GRID", context)
        least = self.parameterAsDouble(parameters, "MIN_CONFIDENCE", context)
        found = capture.features_as_json(source, _crs_of(grid or labels), context, _FIELDS)
        chosen = [(shape, _plain(told)) for shape, told in found]
        chosen = [item for item in chosen if _wanted(item[1], which, least)]
        return {
            "labels": labels,
            "proposals": chosen,
            "grid": grid,
            "settings": {"accept": which, "min_confidence": least, "offered": len(found)},
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.output(parameters, "OUTPUT", context),
            "changes": self.file_output(parameters, "CHANGES", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.refine import changes

        done = changes.apply(
            values["labels"], values["proposals"], values["output"], values["changes"],
            taxonomy=values["taxonomy"], grid_of=values["grid"], settings=values["settings"],
            progress=progress,
        )  # fmt: skip
        text = tr("{pixels} pixels changed by {n} proposals.")
        feedback.pushInfo(text.format(pixels=done["pixels"], n=done["proposals"]))
        results = {"OUTPUT": values["output"], "PIXELS": done["pixels"], "BATCH": done["batch"]}
        if values["changes"]:
            scratch.retell(values["changes"], self._unasked.values())
            results["CHANGES"] = values["changes"]
        return results


def _crs_of(raster: str) -> str:
    return capture.raster_crs(raster)


def _plain(told: dict) -> dict:
    """Attributes without QGIS's NULL; class codes as whole numbers."""
    out = {}
    for name, value in told.items():
        if value is None or (hasattr(value, "isNull") and value.isNull()):
            continue
        out[name] = _number(name, value) if name in _NUMBERS else value
    return out


def _number(name: str, value):
    """The number in a field of the proposals; a whole one unless it is a confidence."""
    try:
        number = float(value)
    except ValueError:
        number = None
    if name == "confidence" and number is not None:
        return number
    if number is None or not number.is_integer():
        wanted = tr("a number from 0 to 1") if name == "confidence" else tr("a whole number")
        raise ConcordError(
            tr("The proposals' field {name} holds '{value}'; give {wanted}.").format(
                name=name, value=value, wanted=wanted
            )
        )
    return int(number)


def _wanted(told: dict, which: str, least: float) -> bool:
    if told.get("new_class") is None or float(told.get("confidence", 1.0)) < least:
        return False
    status = told.get("status", "")
    return status == "accepted" if which == "accepted" else status != "rejected"
