"""concord:encodescene: prepare an area, so that prompts there are answered at once."""

from __future__ import annotations

import time

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterExtent,
)

from ..bridge.text import tr
from .promptable import PromptableAlgorithm


class EncodeScene(PromptableAlgorithm):
    ID = "encodescene"
    TITLE = "Encode a scene for prompting"
    HELP = (
        "Runs a promptable model's encoder over the tiles of an extent and keeps the result in "
        "the user's profile, so that the first click at a place need not wait. A tile whose "
        "pixels, bands, stretch or model changed is encoded again by itself."
    )

    def define(self):
        self.add_image()
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add_model()
        self.add_level()
        self.addOutput(QgsProcessingOutputNumber("TILES", tr("Tiles")))
        self.addOutput(QgsProcessingOutputNumber("EMPTY", tr("Tiles without data")))

    def capture(self, parameters, context):
        extent = self.extent(parameters, "EXTENT", context)
        return {**super().capture(parameters, context), "extent": extent}

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
