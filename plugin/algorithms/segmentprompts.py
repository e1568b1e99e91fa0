"""concord:segmentprompts: points and boxes in, one polygon for each object out."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
)
from qgis.PyQt.QtCore import QVariant

from ..bridge import capture
from ..bridge.fields import fields_of
from ..bridge.text import tr
from ..engine.errors import ConcordError, NoData
from . import sinks
from .promptable import PromptableAlgorithm

ANY_GEOMETRY = [QgsProcessing.SourceType.TypeVectorAnyGeometry]


class SegmentPrompts(PromptableAlgorithm):
    ID = "segmentprompts"
    TITLE = "Segment prompts"
    HELP = (
        "Draws an outline for every object that is pointed at. PROMPTS are points with the fields "
        "object (number) and label (1 belongs to the object, 0 does not), or polygons whose boxes "
        "hold one object each. The result is a proposal; nothing is accepted for you."
    )

    def define(self):
        self.add_image()
        self.add(
            QgsProcessingParameterFeatureSource("PROMPTS", tr("Prompts"), ANY_GEOMETRY),
            "Points with the fields object and label, or polygons as boxes.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                "BOXES", tr("More boxes"), [QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            "Boxes that go with points of the same object.",
        )  # fmt: skip
        self.add_model()
        self.add(
            QgsProcessingParameterBoolean("REFINE", tr("Refine the polygons"), False),
            "Polygons are old outlines to improve, not only boxes.",
        )
        self.add_level()
        self.add(
            QgsProcessingParameterNumber(
                "CANDIDATES", tr("Candidates for each object"),
                QgsProcessingParameterNumber.Type.Integer, 1, minValue=1, maxValue=3,
            )
        )  # fmt: skip
        self.add(
            QgsProcessingParameterFeatureSink(
                "OUTPUT", tr("Proposals"), QgsProcessing.SourceType.TypeVectorPolygon
            )
        )

    def capture(self, parameters, context):
        values = super().capture(parameters, context)
        points, boxes, shapes = [], [], {}
        refine = self.parameterAsBool(parameters, "REFINE", context)
        for name in ("PROMPTS", "BOXES"):
            source = self.parameterAsSource(parameters, name, context)
            if source is None:
                if name == "PROMPTS":
                    raise ConcordError(
                        f"The prompts {parameters.get(name)} cannot be opened; choose a layer of "
                        "points or boxes."
                    )
                continue
            features = capture.features_as_json(source, values["crs"], context, ("object", "label"))
            if capture.is_polygon(source):
                boxes += _boxes(features)
                if refine:
                    shapes.update(_shapes(features))
            elif capture.is_point(source):
                points += _points(features)
            else:
                raise ConcordError(
                    f"{name} ({source.sourceName()}) has neither points nor polygons; choose a "
                    "layer of points or boxes."
                )
        candidates = self.parameterAsInt(parameters, "CANDIDATES", context)
        found = {"points": points, "boxes": boxes, "shapes": shapes, "candidates": candidates}
        return {**values, **found}

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.scene import Scene
        from ..engine.segment import composite, predict

        fields = fields_of(
            object="int", score="real", candidate="int", model="text", composite="text",
            points="text",
        )  # fmt: skip
        provider = predict.provider_of(values["model"])
        with Scene([values["image"]]) as scene:
            prompts = predict.prompts_of(values["points"], values["boxes"], scene.grid)
            planes = composite.of_scene(scene, values["bands"])
            rows, without_data = [], []
            for done, (number, prompt) in enumerate(prompts.items()):
                progress.report(done, len(prompts), "Segmenting", "objects")
                try:
                    found = predict.answer(
                        scene, planes, provider, number, prompt, values["level"],
                        shape=values["shapes"].get(number), progress=progress,
                    )  # fmt: skip
                except NoData as error:
                    without_data.append(error)
                    if len(without_data) == len(prompts):
                        raise
                    feedback.pushWarning(str(error))
                    continue
                for answer in found[: values["candidates"]]:
                    shapes = predict.outline(answer, scene.grid)
                    clicked = _clicked(values["points"], number)
                    row = [
                        number,
                        answer.score,
                        answer.candidate,
                        provider.id,
                        planes.text,
                        clicked,
                    ]
                    rows.append((shapes, row))
            progress.report(1, 1, "Segmented", "objects")
        drawn = [(capture.geometry_of(shapes), row) for shapes, row in rows if shapes]
        crs = capture.qgis_crs(values["crs"])
        identifier = sinks.write(self, parameters, "OUTPUT", context, fields, crs, drawn)
        without = len(prompts) - len({row[0] for shapes, row in rows if shapes})
        if without:
            feedback.pushWarning(tr("Objects without a proposal: {}").format(without))
        return {"OUTPUT": identifier}


def _number(attributes: dict, name: str, fallback: int | None) -> int | None:
    """A whole number of a field; ``fallback`` when the field is absent or NULL."""
    value = attributes.get(name)
    if value is None or (isinstance(value, QVariant) and value.isNull()):
        return fallback
    try:
        if float(value).is_integer():
            return int(float(value))
    except (TypeError, ValueError):
        pass
    owner = (
        f" of object {attributes['object']}" if name == "label" and "object" in attributes else ""
    )
    raise ConcordError(f"The prompts' field {name} holds '{value}'{owner}; give a whole number.")


def _objects(features) -> list:
    """The object of every feature; those without a number come after the others, one by one."""
    given = [_number(attributes, "object", None) for _, attributes in features]
    last = max([number for number in given if number is not None], default=0)
    return [last + i if number is None else number for i, number in enumerate(given, 1)]


def _points(features) -> list:
    found = []
    for number, (shape, attributes) in zip(_objects(features), features):
        label = _number(attributes, "label", 1)
        spots = shape["coordinates"]
        for x, y in [spots[:2]] if shape["type"] == "Point" else [s[:2] for s in spots]:
            found.append((number, x, y, label))
    return found


def _boxes(features) -> list:
    found = []
    for number, (shape, _) in zip(_objects(features), features):
        polygons = shape["coordinates"] if shape["type"] == "MultiPolygon" else [
            shape["coordinates"]
        ]  # fmt: skip
        xs, ys = zip(*[spot[:2] for polygon in polygons for spot in polygon[0]])
        box = (min(xs), min(ys), max(xs), max(ys))
        found.append((number, box))
    return found


def _shapes(features) -> dict:
    return {number: shape for number, (shape, _) in zip(_objects(features), features)}


def _clicked(points, number: int) -> str:
    return "; ".join(f"{x:.8g} {y:.8g} {label}" for n, x, y, label in points if n == number)
