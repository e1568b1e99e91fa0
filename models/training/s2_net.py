"""The network of concord-landcover-s2: Dynamic World's own, made fast, and started from it.

Brown et al. (2022) publish a small network under Apache-2.0. Its shape and weights are the start
here; what makes it slow on a processor is replaced and then trained to give the same answer:
Mish (Misra, 2019, arXiv 1908.08681) by ReLU, the antialiased halving by one convolution, and the
last layer works before the image is doubled, not after.
"""

from __future__ import annotations

import numpy as np
import s2_scenes as s2
import torch
from torch import nn
from torch.nn import functional as F

HALVING = (1.0, 3.0, 3.0, 1.0)  # a triangle over four pixels
MEAN = 0.269  # of a normalised band; stands for a band that is absent


class Block(nn.Module):
    """1x1 and depthwise 3x3 convolutions in turn, beside a 1x1 shortcut."""

    def __init__(self, width_in: int, width: int):
        super().__init__()
        self.short = nn.Conv2d(width_in, width, 1)
        widths = (width_in, width, width)
        self.mix = nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths)
        self.near = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, groups=width) for _ in widths)

    def forward(self, x):
        short = F.relu(self.short(x))
        for mix, near in zip(self.mix, self.near):
            x = F.relu(near(F.relu(mix(x))))
        return x + short

    def layers(self) -> list:
        pairs = [layer for pair in zip(self.mix, self.near) for layer in pair]
        return [self.short, *pairs]


class Net(nn.Module):
    """12 planes to logits of nine classes, any height and width."""

    step = 2

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(12, 64, 3, 1, 1)
        self.first, self.second, self.third = Block(64, 96), Block(96, 144), Block(192, 144)
        self.side = nn.Conv2d(64, 48, 1)
        self.side_near = nn.Conv2d(48, 48, 3, 1, 1, groups=48)
        self.head = nn.Conv2d(144, 9, 1)
        taps = torch.tensor(HALVING) / 8
        self.register_buffer("taps", torch.outer(taps, taps).expand(64, 1, 4, 4).clone())

    def forward(self, x):
        rows, cols = x.shape[-2:]
        x = F.pad(F.relu(self.stem(x)), (1, 2, 1, 2), mode="replicate")
        half = F.conv2d(x, self.taps.to(x.dtype), None, 2, groups=64)
        deep = self.second(self.first(half))
        near = F.relu(self.side_near(F.relu(self.side(half))))
        deep = self.third(torch.cat([deep, near], 1))
        # The length of the features divides the answer; both are doubled after the last layer.
        length = torch.sqrt((deep * deep).sum(1, keepdim=True) + 1e-6)
        said = F.conv2d(deep, self.head.weight)
        both = torch.cat([said, length], 1)
        both = F.interpolate(both, scale_factor=2.0, mode="bilinear", align_corners=False)
        both = both[..., :rows, :cols]
        return both[:, :9] / both[:, 9:] + self.head.bias.reshape(1, -1, 1, 1)

    def layers(self) -> list:
        """The convolutions in the order in which Dynamic World's graph lists them."""
        return [self.stem, *self.first.layers(), *self.second.layers(), self.side, self.side_near,
                *self.third.layers(), self.head]  # fmt: skip


class Landcover(nn.Module):
    """Three inputs of reflectance to logits; Dynamic World's normalisation is inside.

    An input of zeros is absent: its planes become the mean, and two more planes say so.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.tensor(s2.A).reshape(1, -1, 1, 1))
        self.register_buffer("b", torch.tensor(s2.B).reshape(1, -1, 1, 1))
        self.net = Net()

    def forward(self, reflectance, rededge, swir):
        x = torch.cat([reflectance, rededge, swir], 1)
        x = torch.sigmoid(5 * (torch.log(50 * F.relu(x) + 1) - self.a) / self.b - 1)
        no_edge = (rededge.amax(1, keepdim=True) <= 0).to(x.dtype)
        no_swir = (swir.amax(1, keepdim=True) <= 0).to(x.dtype)
        edge = x[:, 4:8] + (MEAN - x[:, 4:8]) * no_edge
        swir = x[:, 8:] + (MEAN - x[:, 8:]) * no_swir
        return self.net(torch.cat([x[:, :4], edge, swir, no_edge, no_swir], 1))


def started() -> Landcover:
    """The network with Dynamic World's weights; the plane it does not read starts at zero."""
    import onnx
    from onnx import numpy_helper

    path = s2.data() / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
    graph = onnx.load(str(path)).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    given = [[stored[name] for name in node.input[1:]] for node in convolutions]
    model = Landcover()
    layers = model.net.layers()
    if len(layers) != len(given):
        raise ValueError(f"{path} has {len(given)} convolutions, not Dynamic World's {len(layers)}")
    with torch.no_grad():
        for place, (layer, (weight, bias)) in enumerate(zip(layers, given)):
            if place == 0:
                wide = np.zeros(layer.weight.shape, np.float32)
                wide[:, list(s2.TEACHER)] = weight
                weight = wide
            layer.weight.copy_(torch.from_numpy(weight.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))
    return model
