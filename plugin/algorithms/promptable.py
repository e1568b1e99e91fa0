"""What the algorithms with a promptable model share: image, model, composite and pyramid level."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.prompting import use_store
from ..bridge.text import tr
from ..engine.segment import bundled
from .base import ConcordAlgorithm


class PromptableAlgorithm(ConcordAlgorithm):
    """Base of `segmentprompts`, `segmentextent` and `encodescene`."""

    GROUP = ("annotate", "Annotate")
    NEEDS = ("rasterio", "skimage", "scipy")

    def add_image(self) -> None:
        self.add(QgsProcessingParameterRasterLayer("IMAGE", tr("Image")))

    def add_model(self, model: str = "") -> None:
        """MODEL, by default the bundled one that the panel offers first, and BANDS."""
        model = model or bundled.default()
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), model, optional=True),
            "concord-prompt, regions (no network), or an ONNX encoder and decoder: file or folder.",
        )
        self.add(
            QgsProcessingParameterString("BANDS", tr("Composite"), "", optional=True),
            "Three bands by name, separated by ';'; left out, the sensor's display bands.",
        )

    def add_level(self) -> None:
        integer = QgsProcessingParameterNumber.Type.Integer
        self.add(
            QgsProcessingParameterNumber(
                "LEVEL", tr("Pyramid level"), integer, 0, minValue=0, maxValue=8
            ),
            "0 is full resolution; each level halves it, as a map does that is zoomed out.",
        )

    def capture(self, parameters, context) -> dict:
        """The image's file and CRS, the model, the bands and, where asked for, the level."""
        use_store()
        image = self.raster(parameters, "IMAGE", context)
        values = {
            "image": image,
            "crs": capture.raster_crs(image),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "bands": capture.split_list(parameters.get("BANDS")),
        }
        if self.parameterDefinition("LEVEL") is not None:
            values["level"] = self.parameterAsInt(parameters, "LEVEL", context)
        return values
