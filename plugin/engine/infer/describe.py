"""A card and its verdicts as plain values, and a draft for a card that is incomplete."""

from __future__ import annotations

from .. import files
from ..errors import ConcordError
from ..scene import Scene
from . import card as cards
from . import item as items
from . import levels, preflight
from .card import Card
from .session import Model
from .verdicts import worst

_NAMES = {"N": "batch", "T": "time", "C": "bands", "H": "height", "W": "width"}
_ORDERS = {
    axes: [_NAMES[letter] for letter in axes]
    for axes in ("NCHW", "NHWC", "NHCW", "NTCHW", "NCTHW", "NTHWC", "NHWTC")
}


def describe(model: Model, scene: Scene | None = None, level: str = "") -> dict:
    """What a model says of itself; with a scene, also whether it fits and what it would get.

    ``level`` is the processing level that the user chose (``levels``).

    An incomplete card comes with ``draft``, an MLM item to fill in and save beside the model.
    """
    card = model.card
    verdicts = [preflight.completeness(card)]
    if scene is not None:
        taken = levels.over(card, [scene], level)
        verdicts = preflight.check(card, scene, model, level=taken)
    report = {
        "model": str(model.path),
        "sha256": files.sha256(model.path),
        "graph_inputs": {k: [_side(s) for s in v] for k, v in model.input_shapes.items()},
        "card": _as_json(card),
        "complete": not card.missing,
        "missing": list(card.missing),
        "level": worst(verdicts),
        "verdicts": [v.as_json() for v in verdicts],
    }
    if card.missing:
        report["draft"] = draft(card)
    return report


def complete(card: Card, fields: dict) -> dict:
    """The MLM item of a card with what a user filled in.

    Args:
        fields: any of task, bands (list, or a list of lists for several inputs), unit, scaling
            (MLM objects), axes (dim_order), classes (names, or {code: name}), tile, halo, blend,
            activation, pixel_size_range_m, licence; other names become hyperparameters.

    Raises:
        ConcordError: a field does not have the form that it must have.
    """
    item = draft(card)
    properties = item["properties"]
    hyper, said = properties["mlm:hyperparameters"], dict(fields)
    try:
        _complete_ends(properties, said)
        if "licence" in said:
            properties["license"] = str(said.pop("licence"))
        for name in ("tile", "halo"):
            if name in said:
                hyper[name] = int(said.pop(name))
        if "pixel_size_range_m" in said:
            low, high = (float(v) for v in said.pop("pixel_size_range_m"))
            hyper["pixel_size_range_m"] = [low, high]
        hyper.update(said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConcordError(f"The card cannot be completed with this ({error}); correct it.") from (
            error
        )
    properties["mlm:hyperparameters"] = {k: v for k, v in hyper.items() if v is not None}
    items.from_item(item, "the form")
    return item


def _complete_ends(properties: dict, said: dict) -> None:
    """Inputs, outputs and the task."""
    if "task" in said:
        properties["mlm:tasks"] = [str(said["task"])]
        for output in properties["mlm:output"]:
            output["tasks"] = [str(said["task"])]
        del said["task"]
    if "bands" in said:
        bands = said.pop("bands")
        several = bands and isinstance(bands[0], (list, tuple))
        known = properties["mlm:input"]
        properties["mlm:input"] = [
            {**known[min(i, len(known) - 1)], "bands": [str(b) for b in one]}
            for i, one in enumerate(bands if several else [bands])
        ]
    names = said.pop("input_names", None)
    for number, entry in enumerate(properties["mlm:input"]):
        if names:
            entry["name"] = str(names[number])
        if "scaling" in said:
            entry["value_scaling"] = said["scaling"]
        if "axes" in said:
            entry["input"] = {"dim_order": list(said["axes"])}
    said.pop("scaling", None), said.pop("axes", None)
    if "classes" in said:
        classes = said.pop("classes")
        pairs = classes.items() if isinstance(classes, dict) else enumerate(classes)
        listed = [{"value": int(code), "name": str(name)} for code, name in pairs]
        properties["mlm:output"][0]["classification:classes"] = listed


def save(card: Card, fields: dict, path) -> dict:
    """Complete a card and write it beside its model; returns the item."""
    item = complete(card, fields)
    files.write_json(items.sidecar(path), item)
    return item


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
    inputs = card.inputs or (None,)
    outputs = card.outputs or (cards.CardOutput("", card.output_axes, card.classes),)
    first = inputs[0]
    said = {"summary": card.summary, "description": card.description, "license": card.licence}
    hyper = {
        **card.hyper,
        "tile": card.tile,
        "halo": card.halo,
        "activation": card.activation or None,
        "unit": first.unit if first and first.unit else None,
        "pixel_size_range_m": list(card.pixel_size_range) or None,
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": card.id,
        "geometry": None,
        "properties": {
            "datetime": None,
            "title": card.title,
            **{key: text for key, text in said.items() if text},
            "mlm:name": card.id,
            "mlm:tasks": [card.task] if card.task else None,
            "mlm:input": [_draft_input(entry) for entry in inputs],
            "mlm:output": [_draft_output(output, card) for output in outputs],
            "mlm:hyperparameters": hyper,
        },
        "assets": {},
        "links": [],
    }


def _draft_input(entry) -> dict:
    return {
        "name": entry.name if entry else "image",
        "bands": list(entry.bands) if entry and entry.bands else None,
        "input": {"dim_order": _ORDERS[entry.axes if entry else "NCHW"]},
        "value_scaling": list(entry.scaling) if entry and entry.scaling else None,
    }


def _draft_output(output, card: Card) -> dict:
    return {
        "name": output.name,
        "tasks": [card.task] if card.task else None,
        "result": {"dim_order": _ORDERS[output.axes]},
        "classification:classes": [{"value": c.code, "name": c.name} for c in output.classes]
        or None,
    }
