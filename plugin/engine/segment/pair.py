"""Which two ONNX files make a promptable model, and how the encoder wants its picture.

The contract is that of the `segment-anything` package's ONNX export (Kirillov et al. 2023): the
encoder turns a picture into `image_embeddings`, the decoder turns those with points, boxes and a
previous mask into masks. SAM 2 pairs hand high-resolution features over as well. Names and habits
of the public exporters were read in their sources: `segment-anything` and MobileSAM, samexporter
(also SAM 2), onnxruntime's SAM 2 tools, EdgeSAM and EfficientSAM.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConcordError
from .prepare import Preparation, is_second, layout_of, prepare
from .skim import Graph, skim

_KNOWN = {  # decoder inputs that are no features, by what onnxruntime's SAM 2 tools call them
    "orig_im_size": "orig_im_size",
    "has_mask_input": "has_mask_input",
    "mask_input": "mask_input",
    "original_image_size": "orig_im_size",
    "has_input_masks": "has_mask_input",
    "input_masks": "mask_input",
}


@dataclass(frozen=True)
class Pair:
    """An encoder and a decoder that fit each other; ``given`` (decoder input, encoder output).

    ``named`` are the (own name, name in the contract) of the decoder's other inputs. ``pads``: the
    decoder adds the point that stands where there is no box itself.
    """

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
    named: tuple = ()
    pads: bool = False

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
    return len(shape) in (3, 4) and layout_of(shape) != "" and (embeds or deep)


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
        if wanted in (points, labels) or wanted in _KNOWN:
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
    named = tuple((name, _KNOWN[name]) for name in decoder.inputs if name in _KNOWN)
    pads = is_second(encoder) or len(decoder.inputs[points]) == 4  # SAM 2 and EfficientSAM
    return Pair(
        encoder.path, decoder.path, title, preparation, tuple(given), points, labels, masks,
        scores, low_resolution, named, pads,
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
