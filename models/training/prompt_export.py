"""Export a checkpoint of concord-prompt as an ONNX pair in the `segment-anything` contract.

    python models/training/prompt_export.py [CHECKPOINT.pt] [FOLDER] [START]

Default: .build/prompt/last.pt to models/concord-prompt/. With START, the folder of the pair that
the training began with, the weights are the mean of both (Wortsman et al., 2022, Robust
fine-tuning of zero-shot models, arXiv 2109.01903): what a training on gains stays, and less of
what was known before is lost. Batch normalisation is folded into the
convolutions, most of which work in 8 bits (prompt_eight.py, calibrated on the training scenes);
other weights are stored as float16 and widened when the file is opened.
"""

from __future__ import annotations

import copy
import io
import json
import sys
from pathlib import Path

import nets
import prompt_card
import prompt_eight
import prompt_net
import prompt_warm
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

ROOT = Path(__file__).resolve().parents[2]
SIDE, OPSET = 512, 17
TARGET = ROOT / "models" / "concord-prompt"
CARD = {
    "size": SIDE,
    "resize": "longest",
    "scale": 1.0,
    "closer": 0.1,
    "doubt": 0.7,
    "edges": 0.4,
    "mean": [prompt_net.MEAN] * 3,
    "std": [prompt_net.STD] * 3,
}


def load(checkpoint: Path) -> tuple:
    """(encoder, decoder) with the averaged weights of a checkpoint, normalisation folded in."""
    nets = nn.ModuleDict({"encoder": prompt_net.Encoder(), "decoder": prompt_net.Decoder()})
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    nets.load_state_dict(state["slow"])
    nets.eval()
    return tuple(_folded(copy.deepcopy(nets[name])) for name in ("encoder", "decoder"))


def halfway(encoder: nn.Module, decoder: nn.Module, start: Path) -> None:
    """Bring both networks, folded, half of the way back to the pair in ``start``."""
    before = nn.ModuleDict({"encoder": prompt_net.Encoder(), "decoder": prompt_net.Decoder()})
    prompt_warm.load(before, start)
    for name, net in (("encoder", encoder), ("decoder", decoder)):
        old = _folded(before[name].eval()).state_dict()
        net.load_state_dict({k: (v + old[k]) / 2 for k, v in net.state_dict().items()})


def _folded(net: nn.Module) -> nn.Module:
    for part in net.modules():
        if isinstance(part, prompt_net.Conv):
            part[0] = fuse_conv_bn_eval(part[0], part[1])
            part[1] = nn.Identity()
    return net


class Click(nn.Module):
    """The decoder as `segment-anything` exports it: masks, iou_predictions, low_res_masks."""

    def __init__(self, decoder: prompt_net.Decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, image_embeddings, point_coords, point_labels, mask_input, has_mask_input,
                orig_im_size):  # fmt: skip
        low, scores = self.decoder(
            image_embeddings, point_coords, point_labels, mask_input, has_mask_input
        )
        square = nn.functional.interpolate(
            low, size=(SIDE, SIDE), mode="bilinear", align_corners=False
        )
        # The picture lies at the upper left of the square, its longest side fills it.
        rows, cols = orig_im_size[0], orig_im_size[1]
        longest = torch.maximum(rows, cols)
        high = (rows * SIDE / longest + 0.5).to(torch.int64)
        wide = (cols * SIDE / longest + 0.5).to(torch.int64)
        masks = nn.functional.interpolate(
            square[:, :, :high, :wide],
            size=(rows.to(torch.int64), cols.to(torch.int64)),
            mode="bilinear",
            align_corners=False,
        )
        return masks, scores, low


def export(encoder: nn.Module, decoder: nn.Module, folder: Path, texts: dict) -> tuple:
    """Write encoder.onnx and decoder.onnx with ``texts`` in the encoder's metadata; their bytes."""
    high = SIDE // prompt_net.STRIDE
    embedding = torch.zeros(1, prompt_net.EMBEDDING, high, high)
    told = (
        embedding,
        torch.tensor([[[10.0, 12.0], [0.0, 0.0]]]),
        torch.tensor([[1.0, -1.0]]),
        torch.zeros(1, 1, 2 * high, 2 * high),
        torch.zeros(1),
        torch.tensor([400.0, 512.0]),
    )
    names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input",
             "orig_im_size"]  # fmt: skip
    first = _graph(encoder, (torch.zeros(1, 3, SIDE, SIDE),), ["images"], ["image_embeddings"], {})
    second = _graph(
        Click(decoder),
        told,
        names,
        ["masks", "iou_predictions", "low_res_masks"],
        {"point_coords": {1: "points"}, "point_labels": {1: "points"},
         "masks": {2: "rows", 3: "cols"}},
    )  # fmt: skip
    first, second = map(nets.halved, prompt_eight.pair(first, second))
    for key, value in texts.items():
        entry = first.metadata_props.add()
        entry.key, entry.value = key, value
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, graph in (("encoder", first), ("decoder", second)):
        content = graph.SerializeToString(deterministic=True)
        partial = folder / f".{name}.part"
        partial.write_bytes(content)
        partial.replace(folder / f"{name}.onnx")
        written.append(content)
    return tuple(written)


def _graph(net, inputs, names, outputs, axes):
    import onnx

    file = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            net, inputs, file, input_names=names, output_names=outputs, dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return onnx.load_from_string(file.getvalue())


def main(arguments: list | None = None) -> None:
    """Export a checkpoint with its MLM items; card.md is written by hand from the table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    checkpoint = Path(arguments[0]) if arguments else ROOT / ".build" / "prompt" / "last.pt"
    folder = Path(arguments[1]) if len(arguments) > 1 else TARGET
    encoder, decoder = load(checkpoint)
    if len(arguments) > 2:
        halfway(encoder, decoder, Path(arguments[2]))
    written = export(encoder, decoder, folder, {"concord:prompt": json.dumps(CARD)})
    prompt_card.write(folder)
    print(", ".join(f"{len(content) / 1e6:.2f} MB" for content in written))


if __name__ == "__main__":
    main()
