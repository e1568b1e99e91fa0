"""Which two ONNX files make a promptable model, and how the encoder wants its picture.

The contract is that of the `segment-anything` package's ONNX export (Kirillov et al. 2023): the
encoder turns a picture into `image_embeddings`, the decoder turns those with points, boxes and a
previous mask into masks. SAM 2 pairs hand high-resolution features over as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConcordError
from .skim import Graph, skim

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
CARD = "concord:prompt"  # key in the encoder's metadata; <encoder>.json beside it serves as well
_NEUTRAL = {"Cast", "Transpose", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Resize", "Pad"}
_CARD = ("size", "resize", "scale", "layout", "closer", "doubt")
_KNOWN = ("orig_im_size", "has_mask_input", "mask_input")


@dataclass(frozen=True)
class Preparation:
    """From bytes to what the encoder takes: (x * scale - mean) / std, on a square of ``size``.

    ``resize`` is ``longest`` (longest side to ``size``, padded with 0 at the right and below) or
    ``stretch`` (both sides to ``size``). ``layout`` is NCHW, NHWC or HWC. ``closer`` is the share
    of the tile's side under which an object is looked at again on a tile of half the side; 0 never.
    ``doubt`` is the expected IoU under which larger tiles are tried as well; 0 never.
    """

    size: int = 1024
    resize: str = "longest"
    scale: float = 1.0
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    layout: str = "NCHW"
    closer: float = 0.0
    doubt: float = 0.0


@dataclass(frozen=True)
class Pair:
    """An encoder and a decoder that fit each other; ``given`` {decoder input: encoder output}."""

    encoder: str
    decoder: str
    title: str
    preparation: Preparation
    given: tuple
    points: str
    labels: str
    masks: str
    scores: str
    low_resolution: bool

    @property
    def id(self) -> str:
        """The model's name with a hash of both files, as stored with labels and encodings."""
        return f"{self.title}-{_digest(self.encoder)[:8]}{_digest(self.decoder)[:8]}"


_digests: dict = {}


def _digest(path: str) -> str:
    stat = os.stat(path)
    key = (path, stat.st_mtime_ns, stat.st_size)
    if key not in _digests:
        digest = hashlib.blake2b(digest_size=16)
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        _digests[key] = digest.hexdigest()
    return _digests[key]


def find(model: str) -> Pair:
    """The pair that a file (encoder or decoder) or a folder stands for.

    Raises:
        ConcordError: no such file, a half is missing, several fit, or the halves do not.
    """
    path = Path(model)
    if not path.exists():
        raise ConcordError(f"The model {model} does not exist; choose an ONNX file or a folder.")
    folder = path if path.is_dir() else path.parent
    graphs = _graphs(folder, path)
    encoders = [graph for graph in graphs if _is_encoder(graph)]
    decoders = [graph for graph in graphs if _is_decoder(graph)]
    if path.is_file():
        chosen = next(graph for graph in graphs if Path(graph.path) == path)
        if chosen in decoders:
            decoders, encoders = [chosen], _closest(chosen, encoders)
        elif chosen in encoders:
            encoders, decoders = [chosen], _closest(chosen, decoders)
        else:
            raise ConcordError(
                f"{path.name} is neither the encoder nor the decoder of a promptable model (its "
                f"inputs are {', '.join(chosen.inputs)}); run it in the Models panel instead."
            )
    return _matched(folder, encoders, decoders)


def _graphs(folder: Path, wanted: Path) -> list:
    found = []
    for file in sorted(folder.glob("*.onnx")):
        try:
            found.append(skim(file))
        except ConcordError:
            if file == wanted:
                raise
    if wanted.is_file() and not any(Path(graph.path) == wanted for graph in found):
        found.append(skim(wanted))
    if not found:
        raise ConcordError(f"{folder} holds no ONNX model; choose the folder of the two files.")
    return found


def _named(names, ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


def _is_decoder(graph: Graph) -> bool:
    return bool(_named(graph.inputs, "point_coords") and _named(graph.inputs, "point_labels"))


def _is_encoder(graph: Graph) -> bool:
    if len(graph.inputs) != 1:
        return False
    (shape,) = graph.inputs.values()
    embeds = any("embed" in name for name in graph.outputs)
    deep = any(len(s) == 4 and s[1] >= 64 for s in graph.outputs.values())
    return len(shape) in (3, 4) and _layout(shape) != "" and (embeds or deep)


def _layout(shape: tuple) -> str:
    if len(shape) == 3:
        return "HWC" if shape[2] in (0, 3) else ""
    if shape[1] == 3:
        return "NCHW"
    return "NHWC" if shape[3] == 3 else "NCHW" if shape[1] == 0 else ""


def _closest(chosen: Graph, others: list) -> list:
    """The partners whose file names share most of their beginning with the chosen one's."""
    stem = _stem(chosen.path)
    shared = [len(os.path.commonprefix([stem, _stem(other.path)])) for other in others]
    return [other for other, length in zip(others, shared) if length == max(shared)]


def _stem(path: str) -> str:
    name = Path(path).stem.lower()
    for word in ("encoder", "decoder", "enc", "dec"):
        name = name.replace(word, "")
    return name


def _matched(folder: Path, encoders: list, decoders: list) -> Pair:
    for half, other, found in (
        ("decoder", "encoder", encoders),
        ("encoder", "decoder", decoders),
    ):
        if not found:
            raise ConcordError(
                f"{folder} holds the {half} of a promptable model but not its {other}; put both "
                "ONNX files into one folder."
                if encoders or decoders
                else f"{folder} holds no promptable model; it needs an encoder and a decoder."
            )
    fitting, reasons = [], []
    for encoder in encoders:
        for decoder in decoders:
            try:
                fitting.append(_fit(encoder, decoder))
            except ConcordError as error:
                reasons.append(error)
    if not fitting:
        raise reasons[0]
    if len(fitting) > 1:
        raise ConcordError(
            f"{folder} holds several promptable models; choose the encoder file of one of them."
        )
    return fitting[0]


def _fit(encoder: Graph, decoder: Graph) -> Pair:
    name = Path(decoder.path).name
    points, labels = (_named(decoder.inputs, n) for n in ("point_coords", "point_labels"))
    given = []
    for wanted, shape in decoder.inputs.items():
        if wanted in (points, labels, *_KNOWN):
            continue
        given.append((wanted, _source(wanted, shape, encoder, name)))
    if not given:
        raise ConcordError(f"{name} takes no embedding; choose the decoder of a promptable model.")
    low = _named(decoder.outputs, "low_res_masks")
    masks = low or _named(decoder.outputs, "masks")
    scores = _named(decoder.outputs, "iou_predictions") or _named(decoder.outputs, "scores")
    if not masks or not scores:
        raise ConcordError(
            f"{name} gives {', '.join(decoder.outputs)}; Concord needs low_res_masks and "
            "iou_predictions."
        )
    preparation = prepare(encoder)
    size = decoder.outputs[masks][-2:]
    if not low and size != (256, 256) and preparation.resize != "stretch":
        raise ConcordError(
            f"{name} gives masks that were cropped for the picture it was exported with; export "
            "it with the output low_res_masks."
        )
    low_resolution = bool(low) or size == (256, 256)
    title = _title(encoder.path)
    return Pair(
        encoder.path, decoder.path, title, preparation, tuple(given), points, labels, masks,
        scores, low_resolution,
    )  # fmt: skip


def _source(wanted: str, shape: tuple, encoder: Graph, decoder: str) -> str:
    """The encoder output that a decoder input stands for: by name, else by shape."""
    name = Path(encoder.path).name

    def fits(other: tuple) -> bool:
        return len(other) == len(shape) and all(
            a == b or 0 in (a, b) for a, b in zip(other[1:], shape[1:])
        )

    if wanted in encoder.outputs:
        if not fits(encoder.outputs[wanted]):
            raise ConcordError(
                f"{name} gives {wanted} as {_size(encoder.outputs[wanted])} and {decoder} wants "
                f"{_size(shape)}; choose the two halves of one model."
            )
        return wanted
    same = [output for output, other in encoder.outputs.items() if fits(other)]
    if len(same) != 1 or len(shape) != 4:
        raise ConcordError(
            f"{decoder} wants the input {wanted} of {_size(shape)}, which {name} does not give; "
            "choose the two halves of one model."
        )
    return same[0]


def _size(shape: tuple) -> str:
    return " x ".join(str(side) if side else "?" for side in shape) or "a single number"


def _title(path: str) -> str:
    """The encoder's file name, or its folder's where the name says nothing but `encoder`."""
    words = Path(path).stem.lower().replace(".", "-").replace("_", "-").split("-")
    kept = [word for word in words if word not in ("encoder", "enc", "image", "")]
    return "-".join(kept) or Path(path).parent.name


def prepare(encoder: Graph) -> Preparation:
    """How the encoder wants its picture: its own card, else what its first operators tell."""
    ((name, shape),) = encoder.inputs.items()
    layout = _layout(shape)
    sides = {"NCHW": shape[-2:], "NHWC": shape[1:3], "HWC": shape[:2]}[layout]
    values = {"size": int(sides[0] or 1024), "layout": layout}
    stretched = any("high_res" in output for output in encoder.outputs) or "batched" in name
    values["resize"] = "stretch" if stretched else "longest"
    values.update(_told_by_operators(encoder, name))
    values.update(_told_by_card(encoder))
    return Preparation(**values)


def _told_by_operators(encoder: Graph, name: str) -> dict:
    """No mean and deviation from outside when the graph subtracts and divides by itself."""
    scale, normalises = 1.0, False
    for node in encoder.nodes:
        if name not in node.inputs:
            continue
        constant = next((encoder.constants[i] for i in node.inputs if i in encoder.constants), None)
        if node.op in ("Sub", "Add", "Div", "Mul") and constant is not None and constant.size:
            top = float(abs(constant).max())
            if node.op in ("Div", "Mul") and (top > 200 or top < 0.01):
                normalises = True  # by 255: it takes bytes
            elif node.op in ("Sub", "Add"):
                scale = 1.0 if top > 2 or normalises else 1 / 255
                normalises = True
                break
        elif node.op not in _NEUTRAL:
            break
        name = node.outputs[0]
    return {"scale": scale, "mean": (0.0,) * 3, "std": (1.0,) * 3} if normalises else {}


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
        checked = Preparation(**values)
        if checked.resize not in ("longest", "stretch") or checked.layout not in (
            "NCHW", "NHWC", "HWC",
        ) or len(checked.mean) != 3 or len(checked.std) != 3 or 0 in checked.std:  # fmt: skip
            raise ValueError
    except (ValueError, TypeError, AttributeError) as error:
        raise ConcordError(
            f"The card of {Path(encoder.path).name} ({place}) cannot be read; give size, resize "
            "(longest or stretch), scale, mean and std of three bands."
        ) from error
    return values
