"""concord:modelcard: what a model says of itself and whether it fits an image."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm


class ModelCard(ConcordAlgorithm):
    ID = "modelcard"
    TITLE = "Show a model's card"
    GROUP = ("models", "Models")
    ANSWERS = True
    NEEDS = ("rasterio", "onnxruntime")
    HELP = (
        "Reads a model's card (STAC MLM inside the file or beside it, or the keys of Deepness) "
        "and, with an image, says in words whether the model fits it. A regression model can be "
        "calibrated at measured points; the line is written into a copy of its card."
    )

    def define(self):
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "concord-landcover-s2"),
            "Id of a bundled model, or an ONNX file.",
        )
        self.add_rasters("INPUT", "Image", "The image that the model should run on.", True)
        self.add_advanced(
            QgsProcessingParameterString("LEVEL", tr("Processing level"), "", optional=True),
            "L1C or L2A, for models that tell them apart, as in 'Run a model'.",
        )
        self.add(
            QgsProcessingParameterString(
                "COMPLETE", tr("What the card lacks"), "", multiLine=True, optional=True
            ),
            'JSON such as {"bands": ["red", "green", "blue"], "halo": 16}; the completed card is '
            "saved beside the model.",
        )
        self.add_report("Report (JSON)", "json")
        self._define_calibration()

    def _define_calibration(self):
        self.add_advanced(
            QgsProcessingParameterRasterLayer("PREDICTED", tr("Prediction"), optional=True),
            "What the model gave (regression), to be calibrated at points that were measured.",
        )
        self.add_advanced(
            QgsProcessingParameterFeatureSource(
                "POINTS", tr("Measured points"), [QgsProcessing.SourceType.TypeVectorPoint],
                optional=True,
            ),
            "Points that took no part in training.",
        )  # fmt: skip
        self.add_advanced(
            QgsProcessingParameterField(
                "FIELD", tr("Measured value"), parentLayerParameterName="POINTS",
                type=QgsProcessingParameterField.DataType.Numeric, optional=True,
            )
        )  # fmt: skip
        calibrated = QgsProcessingParameterFileDestination(
            "CALIBRATED", tr("Calibrated card"), "JSON (*.json)", optional=True,
            createByDefault=False,
        )  # fmt: skip
        self.add_advanced(
            calibrated, "The card with the line in it; give it to 'Run a model' as its card."
        )

    def capture(self, parameters, context):
        return {
            "inputs": self.rasters(parameters, "INPUT", context),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "level": self.parameterAsString(parameters, "LEVEL", context).strip(),
            "complete": self._fields(parameters, context),
            "report": self.file_output(parameters, "REPORT", context),
            "calibrated": self.file_output(parameters, "CALIBRATED", context),
            **self._measured(parameters, context),
        }

    def _measured(self, parameters, context):
        predicted = self.raster(parameters, "PREDICTED", context)
        source = self.parameterAsSource(parameters, "POINTS", context)
        field = self.parameterAsString(parameters, "FIELD", context)
        if not self.file_output(parameters, "CALIBRATED", context):
            return {}
        if not (predicted and source and field):
            raise ConcordError(
                "A calibrated card needs PREDICTED, POINTS and FIELD; choose all three."
            )
        crs = capture.raster_crs(predicted)
        rows = capture.features_as_json(source, crs, context, (field,))
        points = [
            (place, float(said[field]))
            for shape, said in rows
            for place in _places(shape)
            if isinstance(said.get(field), (int, float))
        ]
        return {"predicted": predicted, "points": points}

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
        from ..engine.infer import dates, describe, session
        from ..engine.infer import item as items
        from ..engine.scene import Scene

        model = session.Model(values["model"])
        if values["complete"] is not None:
            item = describe.save(model.card, values["complete"], model.path)
            sidecar = items.sidecar(model.path)
            feedback.pushInfo(f"Saved {sidecar}")
            model = session.Model(values["model"], card=items.from_item(item, sidecar.name))
        results = {}
        if values["calibrated"]:
            results["CALIBRATED"] = self._calibrate(model, values, feedback, progress)
        if values["inputs"]:
            paths = dates.groups(values["inputs"])[0]
            with Scene(paths) as scene:
                report = describe.describe(model, scene, values["level"])
                if values["report"]:
                    self._picture(model, scene, values["report"], report)
        else:
            report = describe.describe(model)
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        return {**results, **self.told(values["report"], report)}

    def _calibrate(self, model, values, feedback, progress) -> str:
        from ..engine import files, jobs
        from ..engine.infer import calibrate

        places = [place for place, _ in values["points"]]
        answered, where, kept = jobs.answered(
            lambda: calibrate.at_points(values["predicted"], places), progress
        )
        measured = [m for (_, m), here in zip(values["points"], kept) if here]
        line = calibrate.fit(answered, measured, where)
        files.write_json(values["calibrated"], calibrate.calibrated(model, line))
        feedback.pushInfo(
            f"Line through {line.points} points: {line.slope:.4g} x + {line.offset:.4g}; error at "
            f"unseen points {line.rmse_before:.4g} before, {line.rmse_after:.4g} after"
        )
        return values["calibrated"]

    def _picture(self, model, scene, target: str, report: dict) -> None:
        """A thumbnail of what the network receives, beside the report, and its numbers in it."""
        from ..engine import files
        from ..engine.infer import received

        entry = model.card.inputs[0] if model.card.inputs else None
        if entry is None or not entry.bands or not set(entry.bands) <= set(scene.names):
            return
        png, rows = received.view(model.card, scene)
        path = Path(target).with_suffix(".received.png")
        with files.atomic_file(path) as temporary:
            Path(temporary).write_bytes(png)
        report["received"] = {"picture": str(path), "bands": rows}


def _places(shape: dict) -> list:
    """[(x, y)] of a GeoJSON point or multipoint."""
    found = shape["coordinates"]
    return [tuple(found[:2])] if shape["type"] == "Point" else [tuple(one[:2]) for one in found]
