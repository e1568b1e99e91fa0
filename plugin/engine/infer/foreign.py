"""Cards of other tools: Deepness' keys, Ultralytics' keys, Esri's .emd. None of them is complete.

Deepness: docs/source/creators of PUTvision/qgis-plugin-deepness; resolution in cm, values / 255.
Esri: Esri/raster-deep-learning, docs/writing_model_definition.md.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

from .. import files
from ..errors import ConcordError
from ..taxonomy import ClassDef
from .card import Card, CardInput, CardOutput

_DEEPNESS_TASKS = {
    "Segmentor": "semantic-segmentation",
    "Regressor": "regression",
    "Regression": "regression",
    "Detector": "object-detection",
    "Recognition": "similarity-search",
    "Superresolution": "super-resolution",
}
_DETECTORS = {
    "YOLO_v5_or_v7_default": "yolov5",
    "YOLO_v6": "yolov5",
    "YOLO_v9": "yolov8",
    "YOLO_Ultralytics": "yolov8",
    "YOLO_Ultralytics_segmentation": "yolov8",
}
_ULTRALYTICS_TASKS = {
    "detect": "object-detection",
    "segment": "instance-segmentation",
    "classify": "scene-classification",
}
_ESRI_TASKS = {
    "ImageClassification": "semantic-segmentation",
    "ObjectDetection": "object-detection",
    "InstanceDetection": "instance-segmentation",
    "ObjectClassification": "scene-classification",
    "SuperResolution": "super-resolution",
    "Superresolution": "super-resolution",
    "ChangeDetection": "change-detection",
}
_PIXEL = ({"type": "scale", "value": 255},)


def read(path: str, metadata: dict) -> Card | None:
    """The card out of a tool's keys or file, None when there is neither."""
    if any(key in metadata for key in ("model_type", "class_names", "tiles_size", "resolution")):
        return deepness(metadata, path)
    if "names" in metadata and ("stride" in metadata or "imgsz" in metadata):
        return ultralytics(metadata, path)
    emd = Path(path).with_suffix(".emd")
    return esri(files.read_json(emd), path) if emd.is_file() else None


def _card(path, task, scaling, outputs, tile, halo, size, origin, hyper, activation="") -> Card:
    stem = Path(path).stem
    outputs = outputs or (CardOutput("", "NCHW", ()),)
    entry = CardInput("", (), "NCHW", (), "DN", tuple(scaling), ())
    return Card(
        stem, stem, "", task, (entry,), "NCHW", outputs[0].classes, tile, halo, "crop", activation,
        size, (), "", origin, outputs=tuple(outputs), hyper=hyper,
    )  # fmt: skip


def _named(names) -> tuple:
    """Classes of {'0': 'a'}; anything else gives none."""
    if not isinstance(names, dict):
        return ()
    codes = sorted(int(code) for code in names if str(code).isdecimal())
    return tuple(ClassDef(code, str(names.get(str(code), names.get(code))), "") for code in codes)


def deepness(meta: dict, path: str) -> Card:
    """Deepness' flat keys; they know no bands and no activation."""

    def value(key):
        try:
            return json.loads(meta[key]) if key in meta else None
        except ValueError:
            return None

    def number(key):
        found = value(key)
        return found if isinstance(found, (int, float)) and found > 0 else None

    names = value("class_names")
    # Newer files list one mapping an output.
    listed = names if isinstance(names, list) else [names]
    outputs = tuple(CardOutput("", "NCHW", _named(one)) for one in listed)
    resolution = number("resolution")
    size = (resolution / 200.0, resolution / 50.0) if resolution else ()
    kind = str(meta.get("model_type", "")).strip('"')
    scaling = _standardised(value("standardization_mean"), value("standardization_std"))
    overlap, tile = number("tiles_overlap"), number("tiles_size")
    halo = int(tile * overlap / 200) if overlap and tile else None
    hyper = {
        "threshold": number("seg_thresh"),
        "confidence": number("det_conf"),
        "iou": number("det_iou_thresh"),
        "output_scale": number("reg_output_scaling"),
        "detector": _DETECTORS.get(str(value("det_type")), "yolov5"),
    }
    hyper = {key: content for key, content in hyper.items() if content is not None}
    return _card(path, _DEEPNESS_TASKS.get(kind, kind), scaling, outputs,
                 int(tile) if tile else None, halo, size, "Deepness keys", hyper)  # fmt: skip


def _standardised(mean, deviation) -> tuple:
    pairs = [mean, deviation]
    if not all(isinstance(p, list) and p for p in pairs):
        return _PIXEL
    if not all(isinstance(v, (int, float)) for p in pairs for v in p):
        return _PIXEL
    return tuple(
        {"type": "z-score", "mean": m * 255, "stddev": s * 255} for m, s in zip(mean, deviation)
    )


def ultralytics(meta: dict, path: str) -> Card:
    """The keys that Ultralytics writes on export; texts of Python values."""

    def value(key):
        try:
            return ast.literal_eval(meta[key]) if key in meta else None
        except (ValueError, SyntaxError):
            return None

    names = value("names")
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    outputs = (CardOutput("", "NCHW", _named(names)),)
    size = value("imgsz")
    tile = int(size[0]) if isinstance(size, (list, tuple)) and size else None
    task = _ULTRALYTICS_TASKS.get(str(meta.get("task", "detect")), str(meta.get("task")))
    stride = value("stride")
    hyper = {"detector": "yolov8", "stride": stride if isinstance(stride, int) else 32}
    return _card(path, task, _PIXEL, outputs, tile, None, (), "Ultralytics keys", hyper, "softmax")


def esri(content: dict, path: str) -> Card:
    """An Esri model definition beside the file; bands are numbers there, so names stay open."""
    origin = f"{Path(path).stem}.emd"
    try:
        classes = tuple(
            ClassDef(int(c["Value"]), str(c["Name"]), _colour(c.get("Color")))
            for c in content.get("Classes") or ()
        )
        tile = int(content["ImageWidth"]) if content.get("ImageWidth") else None
        cell = content.get("CellSize")
        cell = float(cell["x"] if isinstance(cell, dict) else cell) if cell else None
        halo = int(content["Padding"]) if content.get("Padding") is not None else None
        kind = str(content.get("ModelType", ""))
        hyper = {"bands_by_number": [int(i) for i in content.get("ExtractBands") or ()]}
        if content.get("Threshold") is not None:
            hyper["confidence"] = float(content["Threshold"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConcordError(
            f"{origin} is no Esri model definition ({error}); repair or remove it."
        ) from error
    size = (cell / 2, cell * 2) if cell else ()
    span = content.get("DataRange")
    scaling = ()
    if isinstance(span, (list, tuple)) and len(span) == 2:
        scaling = ({"type": "min-max", "minimum": float(span[0]), "maximum": float(span[1])},)
    return _card(path, _ESRI_TASKS.get(kind, kind), scaling, (CardOutput("", "NCHW", classes),),
                 tile, halo, size, origin, hyper)  # fmt: skip


def _colour(value) -> str:
    if isinstance(value, (list, tuple)) and len(value) == 3:
        return "#" + "".join(f"{min(255, max(0, int(part))):02x}" for part in value)
    return ""
