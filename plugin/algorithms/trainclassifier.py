"""concord:trainclassifier: the user's labels to an ONNX model with its card."""

from __future__ import annotations

from qgis.core import (
    QgsMapLayerType,
    QgsProcessing,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)

from ..bridge import capture
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .base import ConcordAlgorithm

_NUMBERS = (
    # name, title, default, low, high, help
    ("TREES", "Trees", 30, 1, 500, "More trees are steadier and slower; 30 to 50 are enough."),
    ("DEPTH", "Depth", 14, 2, 40, "The deepest tree; deep forests run slowly as ONNX."),
    ("SAMPLES", "Training pixels", 20000, 100, 500000, "At most so many, balanced by class."),
    ("FOLDS", "Folds", 5, 2, 20, "Parts of the cross-validation."),
    ("SEED", "Seed", 0, 0, 2**31 - 1, "The same seed gives the same model."),
)


class TrainClassifier(ConcordAlgorithm):
    ID = "trainclassifier"
    TITLE = "Train a classifier"
    GROUP = ("models", "Models")
    UNASKED = {"OUTPUT": ".onnx"}
    NEEDS = ("rasterio", "onnxruntime", "scipy", "sklearn", "onnx")
    HELP = (
        "Learns from a label layer and writes one ONNX file, features included, with its card. "
        "Quality comes from spatially blocked cross-validation; the report shows the confusion "
        "of classes, which bands matter, and whether more labels would help. With an encoder the "
        "classifier stands on the feature maps of a trained network, which is written into the "
        "same file."
    )

    def define(self):
        self.add_rasters("INPUT", "Image", "One or more rasters; bands go by name.")
        kinds = [
            QgsProcessing.SourceType.TypeVectorPolygon,
            QgsProcessing.SourceType.TypeRaster,
        ]
        self.add(
            QgsProcessingParameterMapLayer("LABELS", tr("Labels"), types=kinds),
            "Polygons with a class, or a class raster.",
        )
        self.add(
            QgsProcessingParameterString("FIELD", tr("Class field"), "class", optional=True),
            "The polygons' attribute that holds the class, a code 1-254 or a name.",
        )
        self.add(
            QgsProcessingParameterString("METHOD", tr("Method"), "randomforest", optional=True),
            "randomforest, extratrees, rotationforest, linear or mlp.",
        )
        self.add(
            QgsProcessingParameterString("BANDS", tr("Bands"), "", optional=True),
            "Names separated by ';'; left out, all bands of the image.",
        )
        self.add(
            QgsProcessingParameterString("DERIVED", tr("Derived bands"), "all", optional=True),
            "Names separated by ';', all that the bands allow, or none.",
        )
        self.add(
            QgsProcessingParameterString("WINDOWS", tr("Texture windows"), "5;9", optional=True),
            "Odd sides in pixels of the local mean and deviation; none for single pixels.",
        )
        self.add(
            QgsProcessingParameterString("ENCODER", tr("Encoder"), "", optional=True),
            "A network whose feature maps join the features, by id of a bundled model or ONNX "
            "file; left out, bands and textures only. linear and mlp suit them best.",
        )
        self._define_details()
        self.add_taxonomy()
        self.add(
            QgsProcessingParameterFileDestination(
                "OUTPUT", tr("Model"), "ONNX (*.onnx)", optional=True
            ),
        )
        self.add_raster_output("NEXT", "Label here next", optional=True)
        self.add_report()

    def _define_details(self):
        integer = QgsProcessingParameterNumber.Type.Integer
        for name, title, default, low, high, help_text in _NUMBERS:
            number = QgsProcessingParameterNumber(
                name, tr(title), integer, default, True, low, high
            )
            self.add_advanced(number, help_text)
        for name, title, help_text in (
            ("BLOCK", "Block side", "Side of the held-out blocks in map units; 0 finds one."),
            (
                "BUFFER",
                "Buffer",
                "Training pixels nearer to held-out ones are left out; map units.",
            ),
        ):
            number = QgsProcessingParameterNumber(
                name, tr(title), QgsProcessingParameterNumber.Type.Double, 0, True, 0
            )
            self.add_advanced(number, help_text)
        self.add_advanced(
            QgsProcessingParameterBoolean("ENCODER_ALONE", tr("Encoder features only"), False),
            "The encoder's features stand instead of bands, derived bands and textures.",
        )
        for name, title, default, help_text in (
            ("ROTATION", "Rotation", "pca", "pca, sparse or complete; for rotationforest."),
            ("LICENCE", "Licence", "proprietary", "SPDX id that the card names."),
        ):
            text = QgsProcessingParameterString(name, tr(title), default, optional=True)
            self.add_advanced(text, help_text)

    def capture(self, parameters, context):
        inputs = self.rasters(parameters, "INPUT", context)
        if not inputs:
            raise ConcordError("No image was given; choose at least one raster.")
        output = self.file_output(parameters, "OUTPUT", context)
        if output and not output.lower().endswith(".onnx"):
            raise ConcordError(f"The model file {output} must end in .onnx; rename it.")

        def text(name, default=""):
            return self.parameterAsString(parameters, name, context).strip() or default

        derived = capture.split_list(text("DERIVED", "all"))
        windows = [w for w in capture.split_list(text("WINDOWS", "none")) if w != "none"]
        if not all(w.isdigit() for w in windows):
            raise ConcordError("The texture windows must be whole numbers such as 5;9.")
        return {
            **self._labels(parameters, context, inputs[0], text("TAXONOMY")),
            "inputs": inputs,
            "output": output,
            "bands": tuple(capture.split_list(text("BANDS"))),
            "derived": None if derived == ["all"] else tuple(d for d in derived if d != "none"),
            "windows": tuple(int(w) for w in windows),
            "method": text("METHOD", "randomforest"),
            "rotation": text("ROTATION", "pca"),
            "licence": text("LICENCE", "proprietary"),
            **{n[0].lower(): self.parameterAsInt(parameters, n[0], context) for n in _NUMBERS},
            "encoder": text("ENCODER"),
            "alone": self.parameterAsBool(parameters, "ENCODER_ALONE", context),
            "block": self.parameterAsDouble(parameters, "BLOCK", context),
            "buffer": self.parameterAsDouble(parameters, "BUFFER", context),
            "next": self.output(parameters, "NEXT", context),
            "report": self.file_output(parameters, "REPORT", context),
        }

    def _labels(self, parameters, context, image: str, taxonomy: str) -> dict:
        value, chosen = parameters.get("LABELS"), None
        if isinstance(value, QgsProcessingFeatureSourceDefinition):
            if value.selectedFeaturesOnly:
                chosen = self.parameterAsSource(parameters, "LABELS", context)
            value = value.source.staticValue()
        layer = self.parameterAsLayer({**parameters, "LABELS": value}, "LABELS", context)
        if layer is None:
            layer = QgsProcessingUtils.mapLayerFromString(str(value), context)
        if layer is None:
            raise ConcordError(f"The labels {value} cannot be opened; choose a layer or a file.")
        if layer.type() == QgsMapLayerType.RasterLayer:
            return {"raster": capture.file_of_layer(layer), "shapes": (), "taxonomy": taxonomy}
        if not capture.is_polygon(layer):
            raise ConcordError(f"{layer.name()} has no polygons; labels are polygons or a raster.")
        field = self.parameterAsString(parameters, "FIELD", context) or "class"
        if layer.fields().indexOf(field) < 0:
            names = ", ".join(f.name() for f in layer.fields())
            raise ConcordError(f"{layer.name()} has no field {field}; it has {names}.")
        crs = capture.raster_crs(image)
        source = layer if chosen is None else chosen
        found = capture.features_as_json(source, crs, context, (field, "class_name"))
        return {"raster": "", "taxonomy": taxonomy, "field": field, "shapes": tuple(found)}

    def compute(self, values, parameters, context, feedback, progress):
        from ..engine.learn import page, train, validate

        shapes, scheme = _coded(values)
        recipe = validate.Recipe(
            values["method"], values["seed"], values["trees"], values["depth"], values["rotation"]
        )
        wish = train.TrainWish(
            values["output"], values["raster"], shapes, recipe, values["bands"],
            values["derived"], values["windows"], values["samples"], values["folds"],
            values["block"], values["buffer"], values["next"], values["licence"],
            values["encoder"], values["alone"],
        )  # fmt: skip
        report = train.train(wish, values["inputs"], scheme, progress)
        quality = report["quality"]
        if quality["folds"]:
            feedback.pushInfo(f"Held-out accuracy {quality['accuracy']:.3f}")
        else:
            feedback.pushInfo(f"No cross-validation: {quality['note']}.")
        results = {"OUTPUT": values["output"]}
        if values["next"]:
            results["NEXT"] = values["next"]
        return {**results, **self.reported(values["report"], page.write_report, report)}


def _coded(values: dict):
    """([(geometry, code)], scheme or None) from captured polygons whose class is code or name."""
    from ..engine import taxonomy
    from ..engine.learn import train

    scheme = taxonomy.load(values["taxonomy"]) if values["taxonomy"] else None
    if not values["shapes"]:
        return (), scheme
    field = values["field"]
    found = [(s, a.get(field), a.get("class_name")) for s, a in values["shapes"]]
    found = [f for f in found if f[1] is not None and str(f[1]).strip() not in ("", "NULL")]
    if not found:
        raise ConcordError(f"No polygon has a class in the field {field}; fill it in.")
    try:
        codes = [_code(c) for _, c, _ in found]
    except ValueError:
        scheme = scheme or train.numbered(str(c) for _, c, _ in found)
        known = {c.name: c.code for c in scheme.classes}
        absent = next((str(c) for _, c, _ in found if str(c) not in known), None)
        if absent is not None:
            raise ConcordError(
                f"The class '{absent}' is not in the taxonomy {scheme.id}; choose the taxonomy of "
                "these labels."
            ) from None
        return tuple((s, known[str(c)]) for s, c, _ in found), scheme
    wrong = next((c for c in codes if not 0 <= c <= 255), None)
    if wrong is not None:
        raise ConcordError(f"The class code {wrong} is not 1 to 254; renumber the field {field}.")
    if scheme is None:
        names = {c: str(n) for c, (_, _, n) in zip(codes, found) if n and str(n) != "NULL"}
        present = sorted({c for c in codes if 0 < c < 255})
        scheme = taxonomy.Taxonomy("labels", "Labels", tuple(
            taxonomy.ClassDef(c, names.get(c, f"class {c}"), taxonomy.colour_of(c))
            for c in present
        ))  # fmt: skip
    return tuple((f[0], c) for f, c in zip(found, codes)), scheme


def _code(value) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError(value)
    return int(number)
