"""concord:encodescene: prepare an area, so that prompts there are answered at once."""

from __future__ import annotations

import time

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterExtent,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.prompting import use_store
from ..bridge.text import tr
from .base import ConcordAlgorithm


class EncodeScene(ConcordAlgorithm):
    ID = "encodescene"
    TITLE = "Encode a scene for prompting"
    GROUP = ("annotate", "Annotate")
    NEEDS = ("rasterio", "skimage", "scipy")
    HELP = (
        "Runs a promptable model's encoder over the tiles of an extent and keeps the result in "
        "the user's profile, so that the first click at a place need not wait. A tile whose "
        "pixels, bands, stretch or model changed is encoded again by itself."
    )

    def define(self):
        self.add(QgsProcessingParameterRasterLayer("IMAGE", tr("Image")))
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "regions", optional=True),
            "regions, concord-prompt, or the file or folder of an ONNX encoder and decoder.",
        )
        self.add(
            QgsProcessingParameterString("BANDS", tr("Composite"), "", optional=True),
            "Three bands by name, separated by ';'; left out, the sensor's display bands.",
        )
        self.add(
            QgsProcessingParameterNumber(
                "LEVEL", tr("Pyramid level"), QgsProcessingParameterNumber.Type.Integer, 0,
                minValue=0, maxValue=8,
            ),
            "0 is full resolution; each level halves it, as a map does that is zoomed out.",
        )  # fmt: skip
        self.addOutput(QgsProcessingOutputNumber("TILES", tr("Tiles")))
        self.addOutput(QgsProcessingOutputNumber("EMPTY", tr("Tiles without data")))

    def capture(self, parameters, context):
        use_store()
        return {
            "image": self.raster(parameters, "IMAGE", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "bands": capture.split_list(parameters.get("BANDS")),
            "level": self.parameterAsInt(parameters, "LEVEL", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.scene import Scene
        from ..engine.segment import composite, everything, predict

        provider = predict.provider_of(values["model"])
        bounds, crs = values["extent"] or (None, "")
        started = time.monotonic()
        with Scene([values["image"]]) as scene:
            planes = composite.of_scene(scene, values["bands"])
            window = everything.window_of(scene.grid, bounds, crs)
            tiles, empty = everything.encode(
                scene, planes, provider, window, values["level"], progress
            )
        seconds = time.monotonic() - started
        feedback.pushInfo(tr("{n} tiles in {s:.1f} s").format(n=tiles, s=seconds))
        return {"TILES": tiles, "EMPTY": empty}
