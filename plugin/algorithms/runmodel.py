"""concord:runmodel: an ONNX model over an extent, georeferenced."""

from __future__ import annotations

import contextlib

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from . import sinks
from .base import ConcordAlgorithm


class RunModel(ConcordAlgorithm):
    ID = "runmodel"
    TITLE = "Run a model"
    GROUP = ("models", "Models")
    NEEDS = ("rasterio", "onnxruntime")
    UNASKED = {"OUTPUT": ".tif"}  # polygons are traced from it and the report counts it
    HELP = (
        "Runs an ONNX model with a card over an extent: classes, numbers, objects, finer pixels or "
        "one answer a chip, as its task says. Bands are found by name; files that bring a band "
        "again are the next date. Tiles overlap and are cropped or blended, so that no tile line "
        "shows. A check that says Stop (red) ends the run unless 'Run in spite of Stop' is "
        "ticked; the report keeps that. Polygons of single things, such as roofs, leave specks "
        "out, and the report says how many. A run that was killed goes on where it was."
    )

    def define(self):
        self.add_rasters("INPUT", "Image", "One or more rasters that hold the model's bands.")
        self.add(
            QgsProcessingParameterString("MODEL", tr("Model"), "concord-landcover-s2"),
            "Id of a bundled model, or an ONNX file.",
        )
        self.add(QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True))
        self.add(
            QgsProcessingParameterFeatureSource(
                "MASK", tr("Only inside"), [QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            "Tiles outside these polygons are skipped.",
        )  # fmt: skip
        self.add(
            QgsProcessingParameterString("EXECUTOR", tr("Executor"), "local", optional=True),
            "local, local:4 for four threads, or dask:ADDRESS of a scheduler; same result.",
        )
        self.add_advanced(
            QgsProcessingParameterBoolean("OVERRIDE", tr("Run in spite of Stop"), False),
            "Run although a check says Stop (red); the report keeps that. Bands that the image "
            "lacks stay lacking.",
        )
        self.add_advanced(
            QgsProcessingParameterString("LEVEL", tr("Processing level"), "", optional=True),
            "L1C or L2A, for models that tell them apart; left out, what the product says, else "
            "what the colours tell. The report says what was assumed.",
        )
        self._define_copies()
        self._define_gate()
        self.add(
            QgsProcessingParameterFile(
                "CARD", tr("Card to use instead"), extension="json", optional=True
            )
        )
        self.add_raster_output("OUTPUT", "Class map", main=True)
        self.add_raster_output("PROBABILITIES", "Probabilities", optional=True)
        self.add_raster_output("UNCERTAINTY", "Uncertainty", optional=True)
        self.add(
            QgsProcessingParameterFeatureSink(
                "POLYGONS", tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True, createByDefault=False,
            )
        )  # fmt: skip
        self.add_report("Report (JSON)", "json")

    def _define_copies(self):
        integer = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(
            QgsProcessingParameterNumber("FLIPS", tr("Mirrored copies"), integer, 1, True, 1, 8),
            "1, 2, 4 or 8: answers for mirrored and turned copies are averaged.",
        )
        self.add_advanced(
            QgsProcessingParameterBoolean("DATE_DROPS", tr("Leave dates out in turn"), False),
            "For a series of images: how much the answer hangs on single dates joins the "
            "uncertainty.",
        )
        self.add_advanced(
            QgsProcessingParameterString("BLEND", tr("Stitching"), "", optional=True),
            "crop or hann; left out, what the card says.",
        )

    def _define_gate(self):
        self.add_advanced(
            QgsProcessingParameterString("GATE", tr("Gate model"), "", optional=True),
            "A cheap model that looks first, by id or file; tiles in which it finds nothing are "
            "skipped and stay empty.",
        )
        self.add_advanced(
            QgsProcessingParameterString("GATE_CLASSES", tr("Gate: looks for"), "", optional=True),
            "Class names with commas between; left out, the second of two classes.",
        )
        self.add_advanced(
            QgsProcessingParameterNumber(
                "GATE_LEAST", tr("Gate: at least"), QgsProcessingParameterNumber.Type.Double,
                0.05, True, 0, 1,
            ),
            "A tile is run from this probability of a chip, or this share of its pixels, on.",
        )  # fmt: skip

    def capture(self, parameters, context):
        inputs = self.rasters(parameters, "INPUT", context)
        mask = self.parameterAsSource(parameters, "MASK", context)
        crs = capture.raster_crs(inputs[0]) if inputs else ""
        return {
            "inputs": inputs,
            "model": self.parameterAsString(parameters, "MODEL", context),
            "card": self.parameterAsString(parameters, "CARD", context),
            "extent": self.extent(parameters, "EXTENT", context),
            "mask": [g for g, _ in capture.features_as_json(mask, crs, context)] if mask else [],
            "masked": mask is not None,
            "crs": crs,
            "executor": self.parameterAsString(parameters, "EXECUTOR", context) or "local",
            "override": self.parameterAsBool(parameters, "OVERRIDE", context),
            "output": self.output(parameters, "OUTPUT", context),
            "probabilities": self.output(parameters, "PROBABILITIES", context),
            "uncertainty": self.output(parameters, "UNCERTAINTY", context),
            "flips": self.parameterAsInt(parameters, "FLIPS", context) or 1,
            "blend": self.parameterAsString(parameters, "BLEND", context),
            "level": self.parameterAsString(parameters, "LEVEL", context).strip(),
            "drops": self.parameterAsBool(parameters, "DATE_DROPS", context),
            "gate": self.parameterAsString(parameters, "GATE", context).strip(),
            "gate_classes": self.parameterAsString(parameters, "GATE_CLASSES", context),
            "gate_least": self.parameterAsDouble(parameters, "GATE_LEAST", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine import files
        from ..engine.errors import ConcordError
        from ..engine.infer import dates, runner, session
        from ..engine.infer import item as items

        if values["masked"] and not values["mask"]:
            raise ConcordError("The mask layer has no polygons; draw one or leave the mask out.")
        if values["blend"] not in ("", "crop", "hann"):
            raise ConcordError(f"BLEND is '{values['blend']}'; give crop or hann.")
        card = None
        if values["card"]:
            card = items.from_item(files.read_json(values["card"]), values["card"])
        bounds, bounds_crs = values["extent"] or (None, "")
        model = session.Model(values["model"], card=card)
        wish = runner.RunWish(
            values["output"], values["probabilities"], bounds, bounds_crs,
            tuple(values["mask"]), values["executor"], values["override"],
            values["uncertainty"], values["flips"], values["blend"], self._gate(values),
            values["drops"], bool(parameters.get("POLYGONS")), values["level"],
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            scenes = dates.open_scenes(values["inputs"], model.card)
            for scene in scenes:
                stack.enter_context(scene)
            report, objects = runner.run_with_objects(model, scenes, wish, progress)
        results = {
            "OUTPUT": values["output"],
            "PROBABILITIES": values["probabilities"],
            "UNCERTAINTY": values["uncertainty"],
        }
        for verdict in report["verdicts"]:
            feedback.pushInfo(f"{verdict['level']}: {verdict['what']}: {verdict['detail']}")
        if values["masked"] and report["classes"] and not report["labelled"]:
            feedback.pushWarning(tr("The mask leaves no pixel of the image; the map is empty."))
        agreement = report["overlap_agreement"]
        if agreement is not None:
            feedback.pushInfo(f"Overlapping tiles agree on {agreement:.2%} of their pixels")
        if report["gate"]:
            left_out = report["gate"]["left_out"]
            feedback.pushInfo(f"The gate left out {left_out} of {report['tiles']} tiles")
        if parameters.get("POLYGONS"):
            # A run that is killed while it traces need not run the model again.
            with runner.traced(wish):
                results["POLYGONS"] = self._polygons(
                    values, parameters, context, progress, report, objects
                )
        written = {key: value for key, value in results.items() if value}
        return {**written, **self.told(values["report"], report)}

    @staticmethod
    def _gate(values):
        if not values["gate"]:
            return None
        from ..engine.infer import gate, session

        names = tuple(n.strip() for n in values["gate_classes"].split(",") if n.strip())
        return gate.Gate(session.Model(values["gate"]), names, values["gate_least"])

    def _polygons(self, values, parameters, context, progress, report, objects) -> str:
        fields = fields_of(**{"class": "int"}, class_name="text", score="real", source="text")

        def rows():
            for shape, said in objects:
                progress.check()
                named = [said["class"], said["class_name"], said["score"], "model"]
                yield capture.geometry_of([shape]), named
            if not objects:
                yield from self._areas(values, report, progress)

        crs = capture.qgis_crs(values["crs"])
        return sinks.write(self, parameters, "POLYGONS", context, fields, crs, rows())

    def _areas(self, values, report, progress):
        """Parcels where the card tells interior from boundary, else areas of one class."""
        from ..bridge import polygons
        from ..engine.infer import parcels

        names = {c["code"]: c["name"] for c in report["classes"]}
        if not values["output"] or "objects" in report or not names:
            return
        if report["parcels"]:
            for shape, said in parcels.of_map(values["output"], report, progress):
                named = [said["class"], said["class_name"], said["score"], "model"]
                yield capture.geometry_of([shape]), named
            return
        for geometry, code in polygons.of_raster(values["output"], progress):
            yield geometry, [code, names.get(code, ""), None, "model"]
