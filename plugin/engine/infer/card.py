"""A model's card as values: what it reads and answers, and what it forgot to say.

``item`` makes one out of a STAC MLM item and finds that in a model's file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..errors import ConcordError
from ..taxonomy import ClassDef

# What a task of MLM is run as; tasks that are not listed are refused by name.
KINDS = {
    "semantic-segmentation": "classes",
    "segmentation": "classes",
    "change-detection": "classes",
    "multi-label-segmentation": "multilabel",
    "regression": "regression",
    "super-resolution": "superresolution",
    "object-detection": "boxes",
    "detection": "boxes",
    "instance-segmentation": "instances",
    "scene-classification": "chips",
    "classification": "chips",
    "similarity-search": "embeddings",
}
DENSE = ("classes", "multilabel", "regression", "superresolution")


@dataclass(frozen=True)
class CardInput:
    """One input: bands by name, axes as letters (NCHW, NHWC, NTCHW), unit, scaling per MLM.

    Args:
        units: one a band, where the bands are not all in one unit.
        date: which date of the images feeds it; a band named twice is of the next date.
        stride: one of its pixels is so many of the image's (for inputs of coarser resolution).
        optional: zeros are given when the image lacks its bands.
    """

    name: str
    bands: tuple
    axes: str
    shape: tuple
    unit: str
    scaling: tuple
    value_range: tuple
    units: tuple = ()
    date: int = 0
    stride: int = 1
    optional: bool = False

    @property
    def channels(self) -> list:
        """[(band, date)] in the order of the graph's channels."""
        seen: dict = {}
        found = []
        for band in self.bands:
            found.append((band, self.date + seen.get(band, 0)))
            seen[band] = seen.get(band, 0) + 1
        return found


@dataclass(frozen=True)
class CardOutput:
    """One output: its name, axes and classes."""

    name: str
    axes: str
    classes: tuple


@dataclass(frozen=True)
class Card:
    """What a model says of itself; ``missing`` lists what it should say and does not."""

    id: str
    title: str
    description: str
    task: str
    inputs: tuple
    output_axes: str
    classes: tuple
    tile: int | None
    halo: int | None
    blend: str
    activation: str
    pixel_size_range: tuple
    sensors: tuple
    licence: str
    origin: str
    alignment: int = 1  # tiles start at multiples of this, for graphs that stride
    missing: tuple = field(default_factory=tuple)
    outputs: tuple = ()
    hyper: dict = field(default_factory=dict)  # the rest of mlm:hyperparameters
    region: tuple = ()  # west, south, east, north of the training data; () for anywhere
    places: tuple = ()  # the same of each place of it, when it lies apart
    constants: dict = field(default_factory=dict)  # what inputs of one number get, see ``levels``
    summary: str = ""  # one line on what the model is good for

    @property
    def kind(self) -> str:
        """How the task is run, '' when Concord does not know it."""
        return KINDS.get(self.task, "")

    def number(self, name: str, default: float) -> float:
        """A number out of the hyperparameters."""
        value = self.hyper.get(name)
        return float(value) if isinstance(value, (int, float)) else default

    def require_complete(self, path: str) -> Card:
        """The card itself, or a refusal that names what it lacks."""
        if self.missing:
            raise ConcordError(
                f"The card of {Path(path).name} lacks {', '.join(self.missing)}; complete it in "
                f"{Path(path).stem}.mlm.json beside the model (concord:modelcard writes a draft)."
            )
        return self


def with_missing(card: Card) -> Card:
    """The card with ``missing`` worked out; tasks ask for different things."""
    lacks = [] if card.task else ["task"]
    if not card.inputs or not all(i.bands for i in card.inputs):
        lacks.append("band names")
    if not card.inputs or not all(i.scaling or i.unit or i.units for i in card.inputs):
        lacks.append("scaling or unit")
    if len(card.pixel_size_range) != 2:
        lacks.append("resolution")
    if card.tile is None:
        lacks.append("tile size")
    if card.halo is None and card.blend != "hann" and card.kind in ("", *DENSE):
        lacks.append("halo")
    wants_classes = not card.task or card.kind in (
        "classes",
        "multilabel",
        "boxes",
        "instances",
        "chips",
    )
    if wants_classes and not all(o.classes for o in card.outputs[:1] or (card,)):
        lacks.append("classes")
    if not card.activation and (
        card.kind in ("classes", "multilabel", "chips", "") or not card.task
    ):
        lacks.append("activation")
    return replace(card, missing=tuple(lacks))


def as_values(card: Card) -> dict:
    """The card as plain values, for another process."""
    return asdict(card)


def from_values(values: dict) -> Card:
    """The card that ``as_values`` took apart."""
    made = dict(values)
    made["inputs"] = tuple(_rebuilt(CardInput, one) for one in values["inputs"])
    made["classes"] = tuple(ClassDef(**one) for one in values["classes"])
    made["outputs"] = tuple(
        CardOutput(o["name"], o["axes"], tuple(ClassDef(**c) for c in o["classes"]))
        for o in values["outputs"]
    )
    return _rebuilt(Card, made)


def _rebuilt(kind, values: dict):
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
