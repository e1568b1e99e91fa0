"""concord:modelcard: what a model says of itself and whether it fits an image."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import QgsProcessingParameterString

from ..bridge.text import tr
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm


class ModelCard(ConcordAlgorithm):
    ID = "modelcard"
    TITLE = "Show a model's card"
    GROUP = ("models", "Models")
    NEEDS = ("rasterio", "onnxruntime")
    HELP = (
        "Reads a model's card (STAC MLM inside the file or beside it, or the keys of Deepness) "
        "and, with an image, says in words whether the model fits it."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "concord-landcover-s2"),
            "Id of a bundled model, or an ONNX file.",
        )
        self.add_rasters("INPUT", "Image", "The image that the model should run on.", True)
        self.add(
            QgsProcessingParameterString(
                "COMPLETE", tr("What the card lacks"), "", multiLine=True, optional=True
            ),
            'JSON such as {"bands": ["red", "green", "blue"], "halo": 16}; the completed card is '
            "saved beside the model.",
        )
        self.add_report("Report (JSON)", "json")

    def capture(self, parameters, context):
        return {
            "inputs": self.rasters(parameters, "INPUT", context),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "complete": self._fields(parameters, context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def _fields(self, parameters, context):
        text = self.parameterAsString(parameters, "COMPLETE", context).strip()
        if not text:
            return None
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise ConcordError(f"COMPLETE is not valid JSON ({error}); correct it.") from error
        if not isinstance(fields, dict):
            raise ConcordError("COMPLETE must be a JSON object of field names and values.")
        return fields

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files
        from ..engine.infer import card as cards
        from ..engine.infer import dates, describe, session
        from ..engine.scene import Scene

        model = session.Model(values["model"])
        if values["complete"] is not None:
            item = describe.save(model.card, values["complete"], model.path)
            sidecar = cards.sidecar(model.path)
            feedback.pushInfo(f"Saved {sidecar}")
            model = session.Model(values["model"], card=cards.from_item(item, sidecar.name))
        if values["inputs"]:
            paths = dates.groups(values["inputs"])[0]
            with Scene(paths) as scene:
                report = describe.describe(model, scene)
                if values["report"]:
                    self._picture(model, scene, values["report"], report)
        else:
            report = describe.describe(model)
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        if not values["report"]:
            return {}
        files.write_json(values["report"], report)
        return {"REPORT": values["report"]}

    def _picture(self, model, scene, target: str, report: dict) -> None:
        """A thumbnail of what the network receives, beside the report, and its numbers in it."""
        from ..engine import files
        from ..engine.infer import preflight

        entry = model.card.inputs[0] if model.card.inputs else None
        if entry is None or not entry.bands or not set(entry.bands) <= set(scene.names):
            return
        png, rows = preflight.received(model.card, scene)
        path = Path(target).with_suffix(".received.png")
        with files.atomic_file(path) as temporary:
            Path(temporary).write_bytes(png)
        report["received"] = {"picture": str(path), "bands": rows}
