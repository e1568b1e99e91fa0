"""A model's card in its file: a STAC MLM item inside the ONNX, mirrored as ``<id>.mlm.json``.

Read in this order: the key ``stac:mlm`` of the file's metadata, the sidecar, then what other
tools write (``foreign``). Source of the format: STAC Machine Learning Model extension 1.5.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from .. import files, wire
from ..errors import ConcordError
from ..taxonomy import ClassDef
from .card import Card, CardInput, CardOutput, with_missing

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
            str(properties.get("title") or properties.get("mlm:name") or item["id"]),
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
            summary=str(properties.get("summary") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ConcordError(
            f"The model card from {origin} is no STAC MLM item ({error}); repair or remove it."
        ) from error
    return with_missing(card)


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
