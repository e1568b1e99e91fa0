"""The card of a model that was trained here, as a STAC MLM 1.5 item inside the ONNX file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..infer.item import KEY, sidecar

_EXTENSIONS = [
    "https://stac-extensions.github.io/mlm/v1.5.1/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
]
TILE, WITH_ENCODER = 512, 256  # core of a tile; feature maps by the hundred take memory
UNSTATED = "proprietary"
_WORDS = {
    "randomforest": "Random forest",
    "extratrees": "Extra trees",
    "rotationforest": "Rotation forest",
    "linear": "Logistic regression",
    "mlp": "Multilayer perceptron",
}


def item(wish, plan, scene, scheme, learned, samples, quality) -> dict:
    """The MLM item of a classifier; geometry and region are those of the training image."""
    name = Path(wish.output).stem
    grid, encoder = scene.grid, plan.encoder
    size = rasters.metres_per_pixel(grid)
    units = scene.units(plan.bands)
    west, south, east, north = (
        round(v, 6) for v in rasters.transform_bounds(grid.bounds, grid.crs, "EPSG:4326")
    )
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    by_code = {c.code: c for c in scheme.classes}
    hyper = {
        "tile": (WITH_ENCODER if encoder else TILE) + 2 * plan.halo + plan.alignment - 1,
        "halo": plan.halo,
        "alignment": plan.alignment,
        "blend": "crop",
        "activation": "softmax",
        "pixel_size_range_m": _sizes(size, encoder),
        "ignore_value": 255,
        "training_sensors": sorted({f.sensor for f in scene.recognised} - {"scene", "generic"}),
        "training_region": [west, south, east, north],
        "value_range": _ranges(scene, plan.bands),
        "method": wish.recipe.method,
        "seed": wish.recipe.seed,
        "features": plan.names,
        "training_pixels": len(samples.codes),
    }
    if encoder:
        hyper["encoder"] = {"id": encoder.id, "sha256": encoder.sha256,
                            "licence": encoder.card.licence}  # fmt: skip
        if encoder.levels:
            hyper["levels"] = encoder.levels
    if len(set(units)) == 1 and units[0]:
        hyper["unit"] = units[0]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": None,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            "title": name,
            "description": _description(wish, plan, samples, quality),
            "license": _licence(wish, plan),
            "gsd": round(size, 6),
            "bands": [_band(scene, band) for band in plan.bands],
            "mlm:name": name,
            "mlm:architecture": _architecture(wish, plan),
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "ONNX",
            "mlm:framework_version": "1.12.0",
            "mlm:pretrained": True,
            "mlm:accelerator": None,
            "mlm:input": [_input(plan.bands)],
            "mlm:output": [_output([by_code[int(code)] for code in learned.codes])],
            "mlm:hyperparameters": hyper,
        },
        "links": [],
        "assets": {"model": _asset(wish.output, plan.bands)},
    }


def _input(bands) -> dict:
    return {
        "name": "image",
        "bands": list(bands),
        "input": {
            "shape": [-1, len(bands), -1, -1],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": None,
        "resize_type": None,
        "pre_processing_function": None,
    }


def _output(classes: list) -> dict:
    return {
        "name": "probabilities",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(classes), -1, -1],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [_class(one) for one in classes],
        "post_processing_function": None,
    }


def _asset(path: str, bands) -> dict:
    return {
        "href": f"./{Path(path).name}",
        "title": "ONNX graph with features and classifier",
        "type": "application/octet-stream; application=onnx",
        "roles": ["mlm:model", "data"],
        "mlm:artifact_type": "onnx",
        "bands": [{"name": band} for band in bands],
    }


def _band(scene, name: str) -> dict:
    source = scene.sources[name]
    band = {"name": name, "unit": source.unit or "none"}
    if source.band.wavelength:
        band["eo:center_wavelength"] = source.band.wavelength
    return band


def _class(definition) -> dict:
    return {
        "value": definition.code,
        "name": re.sub(r"[^0-9A-Za-z_-]+", "_", definition.name),
        "title": definition.name,
        "color_hint": definition.colour.lstrip("#").upper(),
    }


def _ranges(scene, bands) -> list:
    view = scene.overview(list(bands), 512)
    pairs = []
    for plane in view:
        low, high = np.percentile(plane[np.isfinite(plane)], (0.5, 99.5))
        room = 0.25 * max(high - low, 1e-6)
        pairs.append([round(float(low - room), 6), round(float(high + room), 6)])
    return pairs


def _architecture(wish, plan) -> str:
    word = _WORDS[wish.recipe.method]
    return f"{word} on features of {plan.encoder.id}" if plan.encoder else word


def _sizes(size: float, encoder) -> list:
    """Pixel sizes in metres that suit: near those of the training image, and of the encoder."""
    low, high = size * 0.75, size * 1.34
    if encoder and len(encoder.card.pixel_size_range) == 2:
        least, most = encoder.card.pixel_size_range
        low, high = max(low, min(least, size)), min(high, max(most, size))
    return [round(low, 6), round(high, 6)]


def _licence(wish, plan) -> str:
    """The wished licence; the encoder's where none was wished, since its weights stand inside."""
    own = wish.licence
    if plan.encoder and plan.encoder.card.licence and own == UNSTATED:
        return plan.encoder.card.licence
    return own


def _description(wish, plan, samples, quality) -> str:
    text = f"{_architecture(wish, plan)} trained in Concord on {len(samples.codes)} pixels."
    if plan.encoder and plan.encoder.card.licence:
        text += f" The weights of {plan.encoder.id} are under {plan.encoder.card.licence}."
    if quality.get("folds"):
        text += (
            f" Blocked cross-validation in {quality['folds']} folds: overall accuracy "
            f"{quality['accuracy']:.3f}, mean IoU {quality['mean_iou']:.3f}."
        )
    return text


def save(model, card: dict, target: str) -> None:
    """Write the ONNX file with its card inside, and the sidecar; same model, same bytes."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key = KEY
    entry.value = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
    with files.atomic_file(target) as temporary:
        Path(temporary).write_bytes(model.SerializeToString(deterministic=True))
    files.write_json(sidecar(target), card)
