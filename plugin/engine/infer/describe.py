"""A card and its verdicts as plain values, and a draft for a card that is incomplete."""

from __future__ import annotations

from .. import files
from ..scene import Scene
from . import preflight
from .card import Card
from .session import Model


def describe(model: Model, scene: Scene | None = None) -> dict:
    """What a model says of itself; with a scene, also whether it fits.

    An incomplete card comes with ``draft``, an MLM item to fill in and save beside the model.
    """
    card = model.card
    verdicts = preflight.check(card, scene, model) if scene else [preflight.completeness(card)]
    report = {
        "model": str(model.path),
        "sha256": files.sha256(model.path),
        "graph_inputs": {k: [_side(s) for s in v] for k, v in model.input_shapes.items()},
        "card": _as_json(card),
        "complete": not card.missing,
        "missing": list(card.missing),
        "level": preflight.worst(verdicts),
        "verdicts": [v.as_json() for v in verdicts],
    }
    if card.missing:
        report["draft"] = draft(card)
    return report


def _side(size):
    return size if isinstance(size, int) else str(size)


def _as_json(card: Card) -> dict:
    first = card.inputs[0] if card.inputs else None
    return {
        "id": card.id,
        "title": card.title,
        "description": card.description,
        "task": card.task,
        "bands": list(first.bands) if first else [],
        "unit": first.unit if first else "",
        "axes": first.axes if first else "",
        "scaling": list(first.scaling) if first else [],
        "classes": [{"code": c.code, "name": c.name, "color": c.colour} for c in card.classes],
        "tile": card.tile,
        "halo": card.halo,
        "blend": card.blend,
        "activation": card.activation,
        "pixel_size_range_m": list(card.pixel_size_range),
        "training_sensors": list(card.sensors),
        "licence": card.licence,
        "origin": card.origin,
    }


def draft(card: Card) -> dict:
    """An MLM item with what is known filled in and the rest left open as null."""
    first = card.inputs[0] if card.inputs else None
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": card.id,
        "geometry": None,
        "properties": {
            "datetime": None,
            "mlm:name": card.title,
            "mlm:tasks": [card.task] if card.task else None,
            "mlm:input": [
                {
                    "name": first.name if first else "image",
                    "bands": list(first.bands) if first and first.bands else None,
                    "input": {"dim_order": ["batch", "bands", "height", "width"]},
                    "value_scaling": list(first.scaling) if first and first.scaling else None,
                }
            ],
            "mlm:output": [
                {
                    "classification:classes": [
                        {"value": c.code, "name": c.name} for c in card.classes
                    ]
                    or None
                }
            ],
            "mlm:hyperparameters": {
                "tile": card.tile,
                "halo": card.halo,
                "activation": card.activation or None,
                "unit": first.unit if first and first.unit else None,
                "pixel_size_range_m": list(card.pixel_size_range) or None,
            },
        },
        "assets": {},
        "links": [],
    }
