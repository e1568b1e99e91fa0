"""The network of concord-landcover-s2: Dynamic World's own, made fast, and started from it.

Brown et al. (2022) publish a small network under Apache-2.0. Its shape and weights are the start
here; what makes it slow on a processor is replaced by what gives nearly the same answer before any
training: Mish (Misra, 2019, arXiv 1908.08681) by a shifted and stretched SiLU, which onnxruntime
computes in one pass and whose four numbers go into the weights around it; the antialiased halving
by one convolution; and the last layer works before the image is doubled, not after.
Dynamic World reads L1C with every band. In front stand lines that put the air back into L2A and
calculate absent bands from the others, and a small network of each pixel that betters those, which
starts as nothing; L1C with every band passes untouched. Which level an image has is read from its
blue: the air alone sends some up, to every pixel of L1C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import s2_scenes as s2
import torch
from torch import nn
from torch.nn import functional as F

HALVING = (1.0, 3.0, 3.0, 1.0)  # a triangle over four pixels
# L1C = SLOPE * L2A + OFFSET, fitted on the only pair of one date (ssl4eo-s12, 2020-06-04). Air 15 %
# thinner changes 16 % of Dynamic World's answers on majortom-199U, 5 % thinner or thicker 5 %.
SLOPE = (0.59, 0.64, 0.74, 0.78, 0.69, 0.75, 0.81, 0.86, 0.87, 0.76)
OFFSET = (0.080, 0.056, 0.037, 0.037, 0.032, 0.042, 0.044, 0.039, 0.007, 0.002)
# Blue less 0.4 of red is above AIR where the air is in a pixel (soils, plants and water alike): on
# 95 % of each L1C scene of s2_scenes at least 0.056, on half of each clear L2A scene at most 0.045.
AIR, AIR_STEP, OF_RED = 0.05, 0.0015, 0.4
FEW, ENOUGH = 0.35, 0.55  # share of the pixels without air: L1C below, L2A above
UNKNOWN = -1.0  # instead of the level: it is read from the image
# (absent bands, bands they are calculated from): red edge with and without SWIR, SWIR likewise.
VISIBLE, EDGE, SWIR = (0, 1, 2, 3), (4, 5, 6, 7), (8, 9)
LINES = (EDGE, VISIBLE + SWIR), (EDGE, VISIBLE), (SWIR, VISIBLE + EDGE), (SWIR, VISIBLE)


@dataclass(frozen=True)
class Curve:
    """An activation f, with Mish(x) = size * f(stretch * (x + shift)) + lift."""

    f: Callable
    stretch: float = 1.0
    shift: float = 0.0
    size: float = 1.0
    lift: float = 0.0


EXACT = Curve(F.mish)
# Off by 0.05 at most and 0.008 in the mean of a normal distribution of deviation 1.4.
FAST = Curve(F.silu, 1.3196, 0.1789, 0.7479, -0.0975)


class Block(nn.Module):
    """1x1 and depthwise 3x3 convolutions in turn, beside a 1x1 shortcut."""

    def __init__(self, width_in: int, width: int, act: Callable):
        super().__init__()
        self.act = act
        self.short = nn.Conv2d(width_in, width, 1)
        widths = (width_in, width, width)
        self.mix = nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths)
        self.near = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, groups=width) for _ in widths)

    def forward(self, x):
        short = self.act(self.short(x))
        for mix, near in zip(self.mix, self.near):
            x = self.act(near(self.act(mix(x))))
        return x + short

    def layers(self) -> list:
        pairs = [layer for pair in zip(self.mix, self.near) for layer in pair]
        return [self.short, *pairs]


class Net(nn.Module):
    """The nine planes that Dynamic World reads to logits of nine classes, any height and width."""

    step = 2

    def __init__(self, curve: Curve = FAST):
        super().__init__()
        self.curve, self.act = curve, curve.f
        self.stem = nn.Conv2d(len(s2.TEACHER), 64, 3)
        widths = ((64, 96), (96, 144), (192, 144))
        self.first, self.second, self.third = (Block(*pair, curve.f) for pair in widths)
        self.side = nn.Conv2d(64, 48, 1)
        self.side_near = nn.Conv2d(48, 48, 3, 1, 1, groups=48)
        self.offset = nn.Parameter(torch.full((1, 144, 1, 1), 2 * curve.lift / curve.size))
        self.head = nn.Conv2d(144, 9, 1)
        taps = torch.tensor(HALVING) / 8
        self.register_buffer("taps", torch.outer(taps, taps).expand(64, 1, 4, 4).clone())
        squares = torch.zeros(10, 144, 1, 1)
        squares[9] = 1
        self.register_buffer("squares", squares)

    def forward(self, x):
        rows, cols = x.shape[-2:]
        # Zeros around the few planes of the image cost less than a rim around the stem's 64.
        x = self.act(self.stem(F.pad(x, (2, 3, 2, 3))))
        half = F.conv2d(x, self.taps.to(x.dtype), None, 2, groups=64)
        deep = self.second(self.first(half))
        near = self.act(self.side_near(self.act(self.side(half))))
        deep = self.third(torch.cat([deep, near], 1))
        said = self._measured(deep)
        # The length of the features divides the answer; both are doubled after the last layer.
        both = torch.cat([said[:, :9], torch.sqrt(said[:, 9:])], 1)
        both = F.interpolate(both, scale_factor=2.0, mode="bilinear", align_corners=False)
        both = both[..., :rows, :cols]
        return both[:, :9] / both[:, 9:] + self.head.bias.reshape(1, -1, 1, 1)

    def _measured(self, deep):
        """(n, 10, h, w): the head's answer to deep + offset without its bias, and the square of
        its length.

        (d + o)² = d² + 2od + o²: an addition of its own would make onnxruntime reorder the planes.
        """
        weight = torch.cat([self.head.weight, 2 * self.offset], 0)
        offset = self.offset.reshape(-1, 1)
        bias = torch.cat([self.head.weight[:, :, 0, 0] @ offset, (offset**2).sum(0)[None] + 1e-6])
        squares = F.conv2d(deep * deep, self.squares.to(deep.dtype))
        return F.conv2d(deep, weight, bias[:, 0]) + squares

    def layers(self) -> list:
        """(convolution, lift of its input) in the order in which Dynamic World lists them.

        A block adds two activations, so what follows it has twice the lift to undo; the third
        reads a block beside a single one.
        """
        lift = self.curve.lift
        joined = torch.cat([torch.full((144,), 2 * lift), torch.full((48,), lift)])
        found = [(self.stem, 0.0)]
        for block, entry in ((self.first, lift), (self.second, 2 * lift)):
            found += [(n, entry if i < 2 else lift) for i, n in enumerate(block.layers())]
        found += [(self.side, lift), (self.side_near, lift)]
        return found + [(n, joined if i < 2 else lift) for i, n in enumerate(self.third.layers())]


class Landcover(nn.Module):
    """Three inputs of reflectance to logits; Dynamic World's normalisation is inside.

    An input of zeros is absent: its planes are calculated from the others.
    """

    hidden = 32, 16

    def __init__(self, curve: Curve = FAST):
        super().__init__()
        self.register_buffer("a", torch.tensor(s2.A).reshape(1, -1, 1, 1))
        self.register_buffer("b", torch.tensor(s2.B).reshape(1, -1, 1, 1))
        self.register_buffer("slope", torch.tensor(SLOPE).reshape(1, -1, 1, 1))
        self.register_buffer("lift", torch.tensor(OFFSET).reshape(1, -1, 1, 1))
        self.line = nn.Conv2d(10, 12, 1)  # what LINES want, one after another
        wide, narrow = self.hidden
        self.fill = nn.Sequential(nn.Conv2d(12, wide, 1), nn.ReLU(), nn.Conv2d(wide, narrow, 1),
                                  nn.ReLU(), nn.Conv2d(narrow, 10, 1))  # fmt: skip
        nn.init.zeros_(self.fill[-1].weight)
        nn.init.zeros_(self.fill[-1].bias)
        self.net = Net(curve)

    def forward(self, reflectance, rededge, swir, ground=None):
        x = self.filled(reflectance, rededge, swir, ground)
        return self.net(torch.cat([x[:, :3], x[:, 4:7], x[:, 3:4], x[:, 8:]], 1))

    def normalised(self, x):
        """Dynamic World's normalisation of ten bands of reflectance."""
        return torch.sigmoid(5 * (torch.log(50 * F.relu(x) + 1) - self.a) / self.b - 1)

    def filled(self, reflectance, rededge, swir, ground=None):
        """(n, 10, ...): the normalised bands as L1C would have them, the absent ones guessed.

        ``ground`` (n, 1, ...) is 1 for L2A and 0 for L1C, read from the image where it is None.
        """
        ground = airless(reflectance) if ground is None else ground
        x = torch.cat([reflectance, rededge, swir], 1)
        x = x + ground * ((self.slope - 1) * x + self.lift)
        no_edge = (rededge.amax(1, keepdim=True) <= 0).to(x.dtype)
        no_swir = (swir.amax(1, keepdim=True) <= 0).to(x.dtype)
        edge, swir = x[:, 4:8] * (1 - no_edge), x[:, 8:] * (1 - no_swir)
        line = self.line(torch.cat([x[:, :4], edge, swir], 1))
        edge = edge + no_edge * (line[:, :4] * (1 - no_swir) + line[:, 4:8] * no_swir)
        swir = swir + no_swir * (line[:, 8:10] * (1 - no_edge) + line[:, 10:] * no_edge)
        x = self.normalised(torch.cat([x[:, :4], edge, swir], 1))
        told = torch.cat([x, no_edge, no_swir], 1)
        return x + self.fill(told) * torch.maximum(no_edge, no_swir)

    @torch.no_grad()
    def fit_line(self, pixels) -> None:
        """Fit ``line`` to pixels (10, n) of L1C by least squares."""
        rows = []
        for wanted, given in LINES:
            known = torch.cat([pixels[list(given)], torch.ones(1, pixels.shape[1])]).double()
            ridge = 1e-6 * pixels.shape[1] * torch.eye(len(known)).double()
            sought = pixels[list(wanted)].double()
            slopes = torch.linalg.solve(known @ known.T + ridge, known @ sought.T).T
            row = torch.zeros(len(wanted), 11).double()
            row[:, [*given, 10]] = slopes
            rows.append(row)
        rows = torch.cat(rows).float()
        self.line.weight.copy_(rows[:, :10, None, None])
        self.line.bias.copy_(rows[:, 10])


class Told(nn.Module):
    """The network as it is exported: a number says L1C (0) or L2A (1), or UNKNOWN, that every
    tile's colours shall tell."""

    def __init__(self, landcover: Landcover):
        super().__init__()
        self.landcover = landcover

    def forward(self, reflectance, rededge, swir, level):
        seen = airless(reflectance)
        ground = torch.where(level < 0, seen, level.reshape(1, 1, 1, 1).expand_as(seen))
        return self.landcover(reflectance, rededge, swir, ground)


@torch.no_grad()
def airless(reflectance):
    """(n, 1, 1, 1): 1 where the air's blue is missing in an image (n, 4, h, w), which is L2A then.

    0 at L1C, between them where clouds hide most of an image; pixels without data count for
    neither. The answer is one for the whole tile.
    """
    known = (reflectance.amin(1, keepdim=True) > 0).to(reflectance.dtype)
    air = reflectance[:, :1] - OF_RED * reflectance[:, 2:3]
    without = torch.sigmoid((AIR - air) / AIR_STEP) * known
    share = without.mean((2, 3), keepdim=True) / (known.mean((2, 3), keepdim=True) + 1e-6)
    return ((share - FEW) / (ENOUGH - FEW)).clamp(0, 1)


def started(curve: Curve = FAST) -> Landcover:
    """The network with Dynamic World's weights.

    With the EXACT curve and all bands at L1C it is Dynamic World, but for two pixels at the rim.
    """
    import onnx
    from onnx import numpy_helper

    path = s2.data() / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
    graph = onnx.load(str(path)).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    given = [[stored[name] for name in node.input[1:]] for node in convolutions]
    model = Landcover(curve)
    layers = model.net.layers()
    if len(layers) + 1 != len(given):
        raise ValueError(f"{path} has {len(given)} convolutions, not Dynamic World's 25")
    with torch.no_grad():
        for (layer, lift), (weight, bias) in zip(layers, given):
            weight, bias = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
            size = 1.0 if layer is model.net.stem else curve.size
            lifted = weight.sum((2, 3)) * lift
            layer.weight.copy_(curve.stretch * size * weight)
            layer.bias.copy_(curve.stretch * (bias + lifted.sum(1) + curve.shift))
        for target, values in zip((model.net.head.weight, model.net.head.bias), given[-1]):
            target.copy_(torch.from_numpy(values.copy()))
    return model
