"""The weights of an exported concord-prompt back in the trainable networks.

The ONNX pair has batch normalisation folded into its convolutions. Here every convolution gets
its folded weights, and a normalisation that takes away just what it puts back: the networks answer
as the pair does, and each channel can be trained at its own scale.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nets as common
import numpy as np
import prompt_batches
import prompt_generated
import prompt_net
import torch
from torch import nn


def load(nets: nn.ModuleDict, folder: str | Path) -> None:
    """Give ``nets`` ("encoder" and "decoder") the weights of ``folder``'s two ONNX files.

    Raises:
        ValueError: a layer is missing there, or has another shape.
    """
    for name, net in nets.items():
        found = _stored(Path(folder) / f"{name}.onnx", name)
        _fill(net, found, f"{name}.onnx in {folder}")
    for net in nets.values():
        net.eval()
    images, told = _example()
    with torch.no_grad(), common.renormalised(nets):
        nets["decoder"](nets["encoder"](images).repeat_interleave(len(told[0]), 0), *told)


def begun(start: str | Path, folder: Path) -> Path:
    """A copy of the pair in ``start``, kept with the checkpoints in ``folder``.

    The export overwrites the bundled pair, and asked for again it must not average it twice.
    """
    kept, partial = folder / "start", folder / "start.part"
    if not kept.exists():
        if (folder / "last.pt").exists():
            raise SystemExit(f"{folder} holds a training that began otherwise; remove the folder.")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(start, partial)
        partial.rename(kept)
    return kept


def _stored(path: Path, name: str) -> dict:
    """{name in the network: float32 array} of a file's weights."""
    import onnx

    graph = onnx.load(str(path)).graph
    values = common.weights(graph)
    found = {key.removeprefix(f"{name}."): value for key, value in values.items()}
    # The last linear layers work on a row for each mask: products of nameless, turned weights.
    second = [n.input[1] for n in graph.node if n.op_type in ("MatMul", "Gemm")]
    turned = [values[given].T for given in second if given.startswith("onnx::")]
    for key, value in zip(("rate.0.weight", "rate.2.weight"), turned):
        found[key] = value
    return found


def _fill(net: nn.Module, found: dict, source: str) -> None:
    own = net.state_dict()
    for name, part in net.named_modules():
        if isinstance(part, prompt_net.Conv):  # the folded bias belongs to the normalisation
            found[f"{name}.1.bias"] = found.pop(f"{name}.0.bias")
            found[f"{name}.1.weight"] = np.ones_like(found[f"{name}.1.bias"])
    learnt = {name for name, _ in net.named_parameters()}
    for name in learnt:
        values = found.get(name)
        if values is None or values.shape != tuple(own[name].shape):
            raise ValueError(
                f"{source} is of another network: {name} is missing or of another shape"
            )
        own[name] = torch.from_numpy(np.ascontiguousarray(values))
    net.load_state_dict(own)


def _example() -> tuple:
    """Pictures and prompts that show how large each layer's sums are."""
    scenes = [prompt_generated.scene(1900 + k) for k in range(4)]
    source, rng = prompt_batches.Source(scenes), np.random.default_rng(19)
    pictures, _, points, *_ = source.batch(rng, 1, 12, 512)
    images = (torch.from_numpy(pictures).float() - prompt_net.MEAN) / prompt_net.STD
    count, side = len(points), pictures.shape[-1] // 2
    coords = torch.zeros(count, 2, 2)
    coords[:, 0] = torch.from_numpy(points).float()
    labels = torch.tensor([[1.0, -1.0]]).repeat(count, 1)
    return images, (coords, labels, torch.zeros(count, 1, side, side), torch.zeros(count))
