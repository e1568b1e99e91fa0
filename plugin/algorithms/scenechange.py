"""concord:scenechange: what changed between two dates of one place."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterEnum, QgsProcessingParameterString

from ..bridge.text import tr
from .base import ConcordAlgorithm

METHODS = ("difference", "logratio")


class SceneChange(ConcordAlgorithm):
    ID = "scenechange"
    TITLE = "Change between two dates"
    GROUP = ("scene", "Scene")
    UNASKED = {"OUTPUT": ".tif"}
    HELP = (
        "Difference of an index between two dates (nbr gives dNBR, before minus after), or the "
        "log-ratio of two radar dates with a draft mask of what got darker, such as flooded "
        "ground. The draft is there to be edited."
    )

    def define(self):
        self.add_rasters("BEFORE", "Before", "Rasters of the first date.")
        self.add_rasters("AFTER", "After", "Rasters of the second date.")
        self.add(
            QgsProcessingParameterEnum(
                "METHOD",
                tr("Method"),
                list(METHODS),
                defaultValue="difference",
                usesStaticStrings=True,
            ),
            "difference: of an index; logratio: of radar backscatter in dB.",
        )
        self.add(
            QgsProcessingParameterString("BAND", tr("Index or band"), "", optional=True),
            "The index to compare (nbr when left out), or the radar band (vv when left out).",
        )
        self.add_raster_output("OUTPUT", "Change", main=True)
        self.add_raster_output("MASK", "Draft mask (radar)", optional=True)
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "before": self.rasters(parameters, "BEFORE", context),
            "after": self.rasters(parameters, "AFTER", context),
            "method": self.parameterAsString(parameters, "METHOD", context) or "difference",
            "band": self.parameterAsString(parameters, "BAND", context).strip().lower(),
            "output": self.output(parameters, "OUTPUT", context),
            "mask": self.output(parameters, "MASK", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import change

        places = (values["before"], values["after"], values["output"])
        results = {"OUTPUT": values["output"]}
        if values["method"] == "logratio":
            found = change.log_ratio(
                *places, mask=values["mask"], band=values["band"] or "vv", progress=progress
            )
            if values["mask"]:
                results["MASK"] = values["mask"]
        else:
            found = change.index_difference(
                *places, index=values["band"] or "nbr", progress=progress
            )
        for warning in found["warnings"]:
            feedback.pushInfo(warning)
        return {**results, **self.told(values["report"], found)}
