"""A model's card: a STAC MLM item embedded in the ONNX file, mirrored as ``<id>.mlm.json``.

Read in this order: the key ``stac:mlm`` of the file's metadata, the sidecar, then what other
tools write (``foreign``). Source of the format: STAC Machine Learning Model extension 1.5.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .. import files, wire
from ..errors import ConcordError
from ..taxonomy import ClassDef

KEY = "stac:mlm"
_METADATA_PROPS = 14  # field number of ModelProto.metadata_props
_AXES = {
    "batch": "N",
    "time": "T",
    "bands": "C",
    "channel": "C",
    "channels": "C",
    "class": "C",
    "classes": "C",
    "height": "H",
    "width": "W",
    "y": "H",
    "x": "W",
}
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


def _axes(order, fallback: str) -> str:
    letters = "".join(_AXES.get(str(axis).lower(), "?") for axis in order or ())
    return letters if sorted(letters) in (sorted("NCHW"), sorted("NTCHW")) else fallback


def _band_name(band) -> str:
    return str(band.get("name", "")) if isinstance(band, dict) else str(band)


def _input(raw: dict, hyper: dict, described=()) -> CardInput:
    array = raw.get("input") or {}
    bands = tuple(_band_name(band) for band in raw.get("bands") or ())
    scaling = raw.get("value_scaling") or ()
    more = (hyper.get("inputs") or {}).get(str(raw.get("name", ""))) or {}
    return CardInput(
        str(raw.get("name", "")),
        bands,
        _axes(array.get("dim_order"), "NCHW"),
        tuple(array.get("shape") or ()),
        str(more.get("unit", hyper.get("unit")) or ""),
        tuple(scaling) if isinstance(scaling, (list, tuple)) else (scaling,),
        tuple(
            (float(low), float(high))
            for low, high in more.get("value_range", hyper.get("value_range")) or ()
        ),
        _units(bands, described),
        max(0, int(more.get("date", 0))),
        max(1, int(more.get("stride", 1))),
        bool(more.get("optional", False)),
    )


def _units(bands, described) -> tuple:
    """The unit of each band out of the item's band list; () when none is stated."""
    known = {str(b.get("name")): str(b.get("unit") or "") for b in described if isinstance(b, dict)}
    units = tuple(known.get(name, "") for name in bands)
    return units if any(units) else ()


def _class(raw: dict) -> ClassDef:
    colour = str(raw.get("color_hint") or "").lstrip("#").lower()
    return ClassDef(
        int(raw["value"]),
        str(raw.get("title") or raw.get("name") or f"class {raw['value']}"),
        f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else "",
    )


def _output(raw: dict) -> CardOutput:
    return CardOutput(
        str(raw.get("name", "")),
        _axes((raw.get("result") or {}).get("dim_order"), "NCHW"),
        tuple(_class(entry) for entry in raw.get("classification:classes") or ()),
    )


def from_item(item: dict, origin: str) -> Card:
    """A card from an MLM item.

    Raises:
        ConcordError: the JSON is no MLM item.
    """
    try:
        properties = item["properties"]
        hyper = properties.get("mlm:hyperparameters") or {}
        raw = properties.get("mlm:output") or [{}]
        outputs = tuple(_output(one) for one in raw)
        tile, halo = hyper.get("tile"), hyper.get("halo")
        card = Card(
            str(item["id"]),
            str(properties.get("mlm:name") or item["id"]),
            str(properties.get("description") or ""),
            str((raw[0].get("tasks") or properties.get("mlm:tasks") or [""])[0]),
            tuple(
                _input(one, hyper, properties.get("bands") or ())
                for one in properties.get("mlm:input") or ()
            ),
            outputs[0].axes,
            outputs[0].classes,
            int(tile) if tile is not None else None,
            int(halo) if halo is not None else None,
            str(hyper.get("blend") or "crop"),
            str(hyper.get("activation") or ""),
            tuple(float(size) for size in hyper.get("pixel_size_range_m") or ()),
            tuple(hyper.get("training_sensors") or ()),
            str(properties.get("license") or ""),
            origin,
            max(1, int(hyper.get("alignment") or 1)),
            outputs=outputs,
            hyper=dict(hyper),
            region=tuple(float(v) for v in hyper.get("training_region") or ()),
            places=tuple(
                tuple(float(v) for v in place) for place in hyper.get("training_places") or ()
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ConcordError(
            f"The model card from {origin} is no STAC MLM item ({error}); repair or remove it."
        ) from error
    return with_missing(card)


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


def sidecar(path: str | Path) -> Path:
    """Where the card of a model stands beside it."""
    return Path(path).with_suffix(".mlm.json")


def read(path: str, metadata: dict) -> Card:
    """The card of a model from its own metadata or from what stands beside it.

    Args:
        path: the ONNX file.
        metadata: its metadata_props.
    """
    from . import foreign

    if KEY in metadata:
        try:
            card = from_item(json.loads(metadata[KEY]), "the model file")
        except ValueError as error:
            raise ConcordError(
                f"The card inside {path} is not valid JSON; embed it again."
            ) from error
        # An incomplete card is completed in the sidecar, as the refusal says.
        if not card.missing or not sidecar(path).is_file():
            return card
    if sidecar(path).is_file():
        return from_item(files.read_json(sidecar(path)), sidecar(path).name)
    found = foreign.read(path, metadata)
    if found is not None:
        return with_missing(found)
    stem = Path(path).stem
    return with_missing(
        Card(stem, stem, "", "", (), "NCHW", (), None, None, "crop", "", (), (), "", "nothing")
    )


def embed(source: str | Path, target: str | Path, item: dict) -> None:
    """Write a copy of an ONNX file with the card in its metadata, and the sidecar.

    Protocol buffers merge by concatenation, so one more ``metadata_props`` entry is appended
    and the ``onnx`` package is not needed. The last entry of a key wins on reading.
    """
    text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    entry = wire.field(1, KEY.encode()) + wire.field(2, text.encode())
    content = Path(source).read_bytes() + wire.field(_METADATA_PROPS, entry)
    with files.atomic_file(target) as temporary:
        Path(temporary).write_bytes(content)
    files.write_json(sidecar(target), item)
