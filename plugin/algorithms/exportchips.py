"""concord:exportchips: images, labels and consensus in, leak-free training chips out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from .base import ConcordAlgorithm

_INTEGER = QgsProcessingParameterNumber.Type.Integer
_DOUBLE = QgsProcessingParameterNumber.Type.Double


class ExportChips(ConcordAlgorithm):
    ID = "exportchips"
    TITLE = "Export training chips"
    GROUP = ("campaign", "Campaign")
    HELP = (
        "Cuts images and labels into chips on the labels' grid, gates them by consensus and "
        "labelled share, splits them by whole blocks with a buffer, and writes GeoTIFF, STAC "
        "items, a datasheet and a manifest with checksums. Labels are never resampled."
    )

    def define(self):
        self.add_rasters("IMAGERY", "Images")
        self.add(QgsProcessingParameterRasterLayer("LABELS", tr("Labels")))
        self.add(
            QgsProcessingParameterRasterLayer("CONSENSUS", tr("Consensus"), optional=True),
            "Raster with the posterior in percent in its second band, as consensus writes it.",
        )
        self._number("CHIP_SIZE", "Chip size", _INTEGER, 256, 8, "Side of a chip in pixels.")
        self._number(
            "STRIDE", "Stride", _INTEGER, None, 1, "Pixels from chip to chip; left out, the size."
        )
        self._number(
            "MIN_SCORE", "Least posterior", _DOUBLE, 0, 0,
            "Mean posterior of the labelled pixels, 0 to 1 (or percent above 1).",
        )  # fmt: skip
        self._number(
            "MIN_LABELLED", "Least labelled share", _DOUBLE, 0, 0,
            "Share of pixels with a class, 0 to 1 (or percent above 1).",
        )  # fmt: skip
        self.add(
            QgsProcessingParameterString("SPLIT", tr("Split"), "70/15/15", optional=True),
            "Train / validate / test in percent.",
        )
        self._number(
            "BLOCK", "Block", _DOUBLE, None, 0,
            "Side of the blocks dealt to the splits, in map units; left out, four chips.",
        )  # fmt: skip
        self._number(
            "BUFFER", "Buffer", _DOUBLE, None, 0,
            "Least distance between splits in map units; left out, one chip; 0 for none.",
        )  # fmt: skip
        self._number("SEED", "Seed", _INTEGER, 0, 0, "Decides which block goes where.")
        self.add(
            QgsProcessingParameterString("FORMATS", tr("Formats"), "native", optional=True),
            "native: GeoTIFF with STAC.",
        )
        self.add(
            QgsProcessingParameterString("LICENCE", tr("Licence"), ""),
            "SPDX id of the chips' licence, for example CC-BY-4.0; it must be stated.",
        )
        self.add(
            QgsProcessingParameterString("DATE", tr("Date of the images"), "", optional=True),
            "YYYY-MM-DD; left out, it is read from file names.",
        )
        self.add_taxonomy()
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", tr("Chips folder")))

    def _number(self, name, title, kind, default, least, help_text):
        self.add(
            QgsProcessingParameterNumber(
                name, tr(title), kind, default, optional=True, minValue=least
            ),
            help_text,
        )

    def checkParameterValues(self, parameters, context):
        # QGIS's own sentence would not say what a licence looks like.
        if not str(parameters.get("LICENCE") or "").strip():
            return False, tr(
                "The licence of the chips is missing; give an SPDX id such as CC-BY-4.0."
            )
        return super().checkParameterValues(parameters, context)

    def capture(self, parameters, context):
        def number(name):
            if parameters.get(name) in (None, ""):
                return None
            return self.parameterAsDouble(parameters, name, context)

        stride = number("STRIDE")
        return {
            "imagery": self.rasters(parameters, "IMAGERY", context),
            "labels": self.raster(parameters, "LABELS", context),
            "consensus": self.raster(parameters, "CONSENSUS", context),
            "size": self.parameterAsInt(parameters, "CHIP_SIZE", context),
            "stride": int(stride) if stride else None,
            "min_score": _share(number("MIN_SCORE")),
            "min_labelled": _share(number("MIN_LABELLED")),
            "split": self.parameterAsString(parameters, "SPLIT", context) or "70/15/15",
            "block": number("BLOCK") or None,
            "buffer": number("BUFFER"),
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "formats": capture.split_list(parameters.get("FORMATS")) or ["native"],
            "licence": self.parameterAsString(parameters, "LICENCE", context),
            "date": self.parameterAsString(parameters, "DATE", context),
            "taxonomy": self.parameterAsString(parameters, "TAXONOMY", context),
            "output": self.file_output(parameters, "OUTPUT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.chips import export, plan, split

        wish = export.ExportWish(
            values["size"],
            values["stride"],
            plan.Gate(values["min_score"], values["min_labelled"]),
            split.parse_shares(values["split"]),
            values["block"],
            values["buffer"],
            values["seed"],
            values["licence"],
            tuple(values["formats"]),
            values["taxonomy"],
            values["date"],
        )
        report = export.export(
            values["imagery"], values["labels"], values["output"], wish, values["consensus"],
            progress,
        )  # fmt: skip
        for entry in report["splits"]:
            feedback.pushInfo(f"{entry['split']}: {entry['chips']} chips")
        feedback.pushInfo(f"{report['rejected']} rejected")
        for warning in report["warnings"]:
            feedback.pushInfo(warning)
        return {"OUTPUT": values["output"], "CHIPS": report["chips"]}


def _share(value) -> float:
    """A share from a number: above 1 it is percent."""
    value = value or 0.0
    return value / 100.0 if value > 1 else value
