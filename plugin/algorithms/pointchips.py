"""concord:pointchips: labelled points and images in, chips around the points out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..bridge import capture, chips
from ..bridge.text import tr
from . import chipwish
from .base import ConcordAlgorithm

_INTEGER = QgsProcessingParameterNumber.Type.Integer
_DOUBLE = QgsProcessingParameterNumber.Type.Double


class PointChips(ConcordAlgorithm):
    ID = "pointchips"
    TITLE = "Points to training chips"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Cuts a chip around every labelled point on the grid of the first image. Only the pixels "
        "at a point carry its class; all others are ignore (255), never class 0."
    )

    def define(self):
        kinds = [QgsProcessing.SourceType.TypeVectorPoint]
        self.add(QgsProcessingParameterFeatureSource("POINTS", tr("Points"), kinds))
        self.add(
            QgsProcessingParameterField("FIELD", tr("Class field"), "label", "POINTS"),
            "Class codes 1 to 254.",
        )
        self.add_rasters("IMAGERY", "Images", "The first one gives the grid.")
        for name, title, kind, default, least, text in (
            ("CHIP_SIZE", "Chip size", _INTEGER, 224, 8, "Side of a chip in pixels."),
            ("REACH", "Reach", _INTEGER, 0, 0, "Pixels around a point that carry its label too."),
            ("BLOCK", "Block", _DOUBLE, None, 0, "Side of the split's blocks, in map units."),
            ("BUFFER", "Buffer", _DOUBLE, None, 0, "Least distance between splits."),
            ("SEED", "Seed", _INTEGER, 0, 0, "Decides which block goes where."),
        ):
            self.add(
                QgsProcessingParameterNumber(
                    name, tr(title), kind, default, optional=True, minValue=least
                ),
                text,
            )
        for name, title, default, text in (
            ("SPLIT", "Split", "70/15/15", "Train / validate / test in percent."),
            ("FORMATS", "Formats", "native", chips.formats_help()),
            ("LICENCE", "Licence", "", "SPDX id, for example CC-BY-4.0; it must be stated."),
            ("DATE", "Date of the images", "", "YYYY-MM-DD; left out, read from file names."),
        ):
            optional = name != "LICENCE"
            self.add(QgsProcessingParameterString(name, tr(title), default, optional=optional),
                     text)  # fmt: skip
        self.add_taxonomy()
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Chips folder")))

    def checkParameterValues(self, parameters, context):
        problem = chipwish.licence_problem(parameters)
        return (False, problem) if problem else super().checkParameterValues(parameters, context)

    def capture(self, parameters, context):
        def number(name):
            if parameters.get(name) in (None, ""):
                return None
            return self.parameterAsDouble(parameters, name, context)

        source = self.parameterAsSource(parameters, "POINTS", context)
        field = self.parameterAsString(parameters, "FIELD", context) or "label"
        records, crs = chips.points(source, field)
        return {
            "records": records,
            "crs": crs,
            "name": source.sourceName() or "points",
            "imagery": self.rasters(parameters, "IMAGERY", context),
            "size": int(number("CHIP_SIZE") or 224),
            "reach": int(number("REACH") or 0),
            "block": number("BLOCK") or None,
            "buffer": number("BUFFER"),
            "seed": int(number("SEED") or 0),
            "split": self.parameterAsString(parameters, "SPLIT", context) or "70/15/15",
            "formats": capture.split_list(parameters.get("FORMATS")) or ["native"],
            "licence": self.parameterAsString(parameters, "LICENCE", context),
            "date": chips.iso_date(self.parameterAsString(parameters, "DATE", context)),
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.chips import export, points, split

        labels = points.labels_of(
            values["records"], values["crs"], values["imagery"][0], values["reach"], values["name"]
        )
        wish = export.ExportWish(
            size=values["size"], shares=split.parse_shares(values["split"]),
            block=values["block"], buffer=values["buffer"], seed=values["seed"],
            licence=values["licence"], formats=tuple(values["formats"]),
            taxonomy=values["taxonomy"], date=values["date"],
        )  # fmt: skip
        report = export.export(values["imagery"], labels, values["output"], wish, None, progress)
        chipwish.tell(report, feedback)
        return {"OUTPUT": values["output"], "CHIPS": report["chips"]}
