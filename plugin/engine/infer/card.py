"""A model's card: a STAC MLM item embedded in the ONNX file, mirrored as ``<id>.mlm.json``.

Read in this order: the key ``stac:mlm`` of the file's metadata, the sidecar, the keys of the
Deepness plugin. Source of the format: STAC Machine Learning Model extension 1.5.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files
from ..errors import ConcordError
from ..taxonomy import ClassDef

KEY = "stac:mlm"
_METADATA_PROPS = 14  # field number of ModelProto.metadata_props
_AXES = {
    "batch": "N",
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


@dataclass(frozen=True)
class CardInput:
    """One input: bands by name, axes as letters (NCHW or NHWC), unit, scaling per MLM."""

    name: str
    bands: tuple
    axes: str
    shape: tuple
    unit: str
    scaling: tuple
    value_range: tuple


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
    return letters if sorted(letters) == sorted("NCHW") else fallback


def _band_name(band) -> str:
    return str(band.get("name", "")) if isinstance(band, dict) else str(band)


def _input(raw: dict, hyper: dict) -> CardInput:
    array = raw.get("input") or {}
    bands = tuple(_band_name(band) for band in raw.get("bands") or ())
    scaling = raw.get("value_scaling") or ()
    return CardInput(
        str(raw.get("name", "")),
        bands,
        _axes(array.get("dim_order"), "NCHW"),
        tuple(array.get("shape") or ()),
        str(hyper.get("unit", "")),
        tuple(scaling) if isinstance(scaling, (list, tuple)) else (scaling,),
        tuple((float(low), float(high)) for low, high in hyper.get("value_range") or ()),
    )


def _class(raw: dict) -> ClassDef:
    colour = str(raw.get("color_hint") or "").lstrip("#").lower()
    return ClassDef(
        int(raw["value"]),
        str(raw.get("title") or raw.get("name") or f"class {raw['value']}"),
        f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else "",
    )


def from_item(item: dict, origin: str) -> Card:
    """A card from an MLM item.

    Raises:
        ConcordError: the JSON is no MLM item.
    """
    try:
        properties = item["properties"]
        hyper = properties.get("mlm:hyperparameters") or {}
        outputs = properties.get("mlm:output") or [{}]
        result = outputs[0].get("result") or {}
        tile, halo = hyper.get("tile"), hyper.get("halo")
        card = Card(
            str(item["id"]),
            str(properties.get("mlm:name") or item["id"]),
            str(properties.get("description") or ""),
            str((outputs[0].get("tasks") or properties.get("mlm:tasks") or [""])[0]),
            tuple(_input(raw, hyper) for raw in properties.get("mlm:input") or ()),
            _axes(result.get("dim_order"), "NCHW"),
            tuple(_class(raw) for raw in outputs[0].get("classification:classes") or ()),
            int(tile) if tile is not None else None,
            int(halo) if halo is not None else None,
            str(hyper.get("blend") or "crop"),
            str(hyper.get("activation") or ""),
            tuple(float(size) for size in hyper.get("pixel_size_range_m") or ()),
            tuple(hyper.get("training_sensors") or ()),
            str(properties.get("license") or ""),
            origin,
            max(1, int(hyper.get("alignment") or 1)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ConcordError(
            f"The model card from {origin} is no STAC MLM item ({error}); repair or remove it."
        ) from error
    return _with_missing(card)


def _with_missing(card: Card) -> Card:
    lacks = []
    if not card.inputs or not all(i.bands for i in card.inputs):
        lacks.append("band names")
    if not card.inputs or not all(i.scaling or i.unit for i in card.inputs):
        lacks.append("scaling or unit")
    if len(card.pixel_size_range) != 2:
        lacks.append("resolution")
    if card.tile is None:
        lacks.append("tile size")
    if card.halo is None:
        lacks.append("halo")
    if not card.classes and "segmentation" in card.task:
        lacks.append("classes")
    if not card.activation:
        lacks.append("activation")
    return replace(card, missing=tuple(lacks))


def _from_deepness(meta: dict, path: str) -> Card:
    """Deepness' flat keys; they know no bands, so such a card is never complete."""

    def value(key, default=None):
        try:
            return json.loads(meta[key]) if key in meta else default
        except ValueError:
            return default

    def number(key):
        found = value(key)
        return found if isinstance(found, (int, float)) and found > 0 else None

    names = value("class_names", {})
    if isinstance(names, list):  # newer files list one mapping an output
        names = names[0] if names else {}
    names = names if isinstance(names, dict) else {}
    codes = sorted(int(code) for code in names if code.isdecimal())
    classes = tuple(ClassDef(code, str(names[str(code)]), "") for code in codes)
    resolution = number("resolution")
    size = (resolution / 200.0, resolution / 50.0) if resolution else ()
    task = {"Segmentor": "semantic-segmentation", "Regressor": "regression"}.get(
        str(meta.get("model_type", "")).strip('"'), str(meta.get("model_type", "")).strip('"')
    )
    scaling = [{"type": "scale", "value": 255}]
    try:
        pairs = list(zip(value("standardization_mean", ()), value("standardization_std", ())))
        whole = [{"type": "z-score", "mean": m * 255.0, "stddev": s * 255.0} for m, s in pairs]
        scaling = whole or scaling
    except TypeError:  # not two lists of numbers
        pass
    overlap, tile = number("tiles_overlap"), number("tiles_size")
    halo = int(tile * overlap / 200) if overlap and tile else None
    stem = Path(path).stem
    return _with_missing(
        Card(stem, stem, "", task, (CardInput("", (), "NCHW", (), "DN", tuple(scaling), ()),),
             "NCHW", classes, tile, halo, "crop", "", size, (), "", "Deepness keys")
    )  # fmt: skip


def sidecar(path: str | Path) -> Path:
    """Where the card of a model stands beside it."""
    return Path(path).with_suffix(".mlm.json")


def read(path: str, metadata: dict) -> Card:
    """The card of a model from its own metadata or from its sidecar.

    Args:
        path: the ONNX file.
        metadata: its metadata_props.
    """
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
    if any(key in metadata for key in ("model_type", "class_names", "tiles_size", "resolution")):
        return _from_deepness(metadata, path)
    stem = Path(path).stem
    return _with_missing(
        Card(stem, stem, "", "", (), "NCHW", (), None, None, "crop", "", (), (), "", "nothing")
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def embed(source: str | Path, target: str | Path, item: dict) -> None:
    """Write a copy of an ONNX file with the card in its metadata, and the sidecar.

    Protocol buffers merge by concatenation, so one more ``metadata_props`` entry is appended
    and the ``onnx`` package is not needed. The last entry of a key wins on reading.
    """
    text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    entry = _field(1, KEY.encode()) + _field(2, text.encode())
    content = Path(source).read_bytes() + _field(_METADATA_PROPS, entry)
    with files.atomic_file(target) as temporary:
        Path(temporary).write_bytes(content)
    files.write_json(sidecar(target), item)
