"""How a promptable model's encoder wants its picture: its own card, else what its graph tells."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConcordError
from .skim import Graph

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
CARD = "concord:prompt"  # key in the encoder's metadata; <encoder>.json beside it serves as well
_NEUTRAL = {"Cast", "Transpose", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Resize", "Pad"}
_CARD = ("size", "resize", "scale", "layout", "closer", "doubt", "edges")


@dataclass(frozen=True)
class Preparation:
    """From bytes to what the encoder takes: (x * scale - mean) / std, on a square of ``size``.

    ``resize`` is ``longest`` (longest side to ``size``, padded with 0 at the right and below) or
    ``stretch`` (both sides to ``size``). ``layout`` is NCHW, NHWC or HWC. ``closer`` is the share
    of the tile's side under which an object is looked at again on a tile of half the side; 0 never.
    ``doubt`` is the expected IoU under which larger tiles are tried as well; 0 never.
    ``edges`` is what the edges along a mask's border weigh when a click may mean several things of
    which the model expects much the same IoU; 0 nothing. ``fill`` is what the padding holds, so
    that it is 0 once the encoder has centred the values; None leaves the padding to the encoder.
    """

    size: int = 1024
    resize: str = "longest"
    scale: float = 1.0
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    layout: str = "NCHW"
    closer: float = 0.0
    doubt: float = 0.0
    edges: float = 0.0
    fill: tuple | None = (0.0,) * 3


def is_second(encoder: Graph) -> bool:
    """True for SAM 2: features of three resolutions."""
    return sum(len(shape) == 4 for shape in encoder.outputs.values()) >= 3


def layout_of(shape: tuple) -> str:
    if len(shape) == 3:
        return "HWC" if shape[2] in (0, 3) else ""
    if shape[1] == 3:
        return "NCHW"
    return "NHWC" if shape[3] == 3 else "NCHW" if shape[1] == 0 else ""


def prepare(encoder: Graph) -> Preparation:
    """How the encoder wants its picture: its own card, else what its first operators tell."""
    ((name, shape),) = encoder.inputs.items()
    layout = layout_of(shape)
    sides = {"NCHW": shape[-2:], "NHWC": shape[1:3], "HWC": shape[:2]}[layout]
    values = {"size": int(sides[0] or 1024), "layout": layout}
    stretched = is_second(encoder) or "batched" in name
    values["resize"] = "stretch" if stretched else "longest"
    values.update(_told_by_operators(encoder, name))
    if layout == "HWC" and not sides[0]:
        values["fill"] = None  # samexporter's encoders take any size and pad what they centred
    values.update(_told_by_card(encoder))
    return Preparation(**values)


def _told_by_operators(encoder: Graph, name: str) -> dict:
    """No mean and deviation from outside when the graph subtracts and divides by itself."""
    scale, normalises, unit, fill = 1.0, False, 1.0, (0.0,) * 3
    for node in encoder.nodes:
        if name not in node.inputs or node.op == "Shape":  # sizes are worked out beside the values
            continue
        constant = next((encoder.constants[i] for i in node.inputs if i in encoder.constants), None)
        if node.op in ("Sub", "Add", "Div", "Mul") and constant is not None and constant.size:
            top = float(abs(constant).max())
            if node.op in ("Div", "Mul") and (top > 200 or top < 0.01):
                normalises = True  # by 255: it takes bytes
                unit *= top if node.op == "Div" else 1 / top
            elif node.op in ("Sub", "Add"):
                scale = 1.0 if top > 2 or normalises else 1 / 255
                normalises = True
                if constant.size in (1, 3):
                    sign = unit if node.op == "Sub" else -unit
                    fill = tuple((np.broadcast_to(constant, 3) * sign).tolist())
                break
        elif node.op not in _NEUTRAL:
            break
        name = node.outputs[0]
    if not normalises:
        return {}
    return {"scale": scale, "mean": (0.0,) * 3, "std": (1.0,) * 3, "fill": fill}


def _told_by_card(encoder: Graph) -> dict:
    text, place = encoder.metadata.get(CARD, ""), "its metadata"
    beside = Path(encoder.path).with_suffix(".json")
    if beside.is_file():
        text, place = beside.read_text(encoding="utf-8"), beside.name
    if not text:
        return {}
    try:
        card = json.loads(text)
        if not isinstance(card, dict):
            raise ValueError
        values = {key: card[key] for key in _CARD if key in card}
        values.update({k: tuple(map(float, card[k])) for k in ("mean", "std") if k in card})
        if "mean" in values:  # the padding is then made here, after the centring
            values["fill"] = (0.0,) * 3
        checked = Preparation(**values)
        if checked.resize not in ("longest", "stretch"):
            raise ValueError
        if checked.layout not in ("NCHW", "NHWC", "HWC"):
            raise ValueError
        if not all(math.isfinite(n) for n in (checked.closer, checked.doubt, checked.edges)):
            raise ValueError
        if len(checked.mean) != 3 or len(checked.std) != 3 or 0 in checked.std:
            raise ValueError
    except (ValueError, TypeError, AttributeError) as error:
        raise ConcordError(
            f"The card of {Path(encoder.path).name} ({place}) cannot be read; give size, resize "
            "(longest or stretch), scale, mean and std of three bands."
        ) from error
    return values
