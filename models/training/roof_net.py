"""The network of concord-buildings: the encoder of concord-prompt with a dense head.

The encoder has seen far more kinds of outline than the roofs of one town can teach. Its fifth and
coarsest grid is left out: it costs most of the weights and would double the halo. No layer looks
at the whole tile, so tiles agree with the whole image.
"""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import nets
import torch
from torch import nn
from torch.nn import functional as F

START = Path(__file__).resolve().parents[1] / "concord-prompt" / "encoder.onnx"
# The encoder after 15,000 steps, in the history of this repository: roofs that begin with a later
# one, which knows more of everything else, come out worse (IoU 0.53 instead of 0.59).
EARLIER = "0b208a859418b67729667b1c600e1626d7b69e91"
WIDTHS, DEPTHS = (24, 48, 96, 144), (1, 2, 2, 2)  # of the encoder's first four grids
FINE = 12  # planes on the image's own grid
CLASSES = 3
SURE = 0.3  # a pixel is roof from this chance on; see `Twice`


class Conv(nn.Sequential):
    """Convolution, batch normalisation, and a rectifier unless ``plain``."""

    def __init__(self, a: int, b: int, size: int = 3, step: int = 1, plain: bool = False):
        layers = [nn.Conv2d(a, b, size, step, size // 2), nn.BatchNorm2d(b)]
        super().__init__(*layers, *([] if plain else [nn.ReLU(inplace=True)]))


class Block(nn.Module):
    """Two convolutions around which the input is carried."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = Conv(width, width), Conv(width, width, plain=True)

    def forward(self, x):
        return F.relu(x + self.second(self.first(x)))


class Net(nn.Module):
    """Planes (n, 3, rows, cols) around -2 to 2 to logits of three classes, any height and width.

    ``stages``, ``mix`` and ``smooth`` are named as in ``prompt_net.Encoder``, so that its weights
    find their places; the rest is new.
    """

    step = 16

    def __init__(self):
        super().__init__()
        stages, before = [], 3
        for width, depth in zip(WIDTHS, DEPTHS):
            blocks = (Block(width) for _ in range(depth))
            stages.append(nn.Sequential(Conv(before, width, 3, 2), *blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        pairs = list(zip(WIDTHS[2:], WIDTHS[1:]))
        self.mix = nn.ModuleList(nn.Conv2d(deep, wide, 1) for deep, wide in pairs)
        self.smooth = nn.ModuleList(Block(wide) for wide in WIDTHS[1:-1])
        self.lift = nn.Conv2d(WIDTHS[1], WIDTHS[0], 1)
        self.edge = nets.block(WIDTHS[0], WIDTHS[0])
        self.last = nets.block(WIDTHS[0], WIDTHS[0])
        self.full = nets.block(3, FINE)
        self.head = nn.ConvTranspose2d(WIDTHS[0], FINE, 2, 2)
        self.said = nn.Conv2d(FINE, CLASSES, 3, 1, 1)

    def forward(self, x):
        full, kept = self.full(x), []
        for stage in self.stages:
            x = stage(x)
            kept.append(x)
        for level in range(len(WIDTHS) - 2, 0, -1):
            up = _doubled(self.mix[level - 1](x), kept[level])
            x = self.smooth[level - 1](F.relu(kept[level] + up))
        x = self.last(F.relu(self.edge(kept[0]) + _doubled(self.lift(x), kept[0])))
        x = self.head(x)[..., : full.shape[-2], : full.shape[-1]]
        return self.said(F.relu(x + full))

    def groups(self) -> tuple:
        """(parameters that were trained before, new ones)."""
        old, new = [], []
        for name, weight in self.named_parameters():
            (old if name.split(".")[0] in ("stages", "mix", "smooth") else new).append(weight)
        return old, new


class Twice(nn.Module):
    """What a trained model says of a picture and of the same picture upside down, averaged.

    Roofs have no up and down, so the two answers err apart; the mean finds more roofs for twice the
    time. Whether a pixel is roof at all is asked before inside or rim: its ground is lowered where
    the two share what speaks for a roof, so that the largest logit answers that question.

    A network that knows one town by heart doubts the roofs of another, so less than a half is
    enough. Two trainings without the western 640 columns of the mosaic reached IoU 0.655 and 0.630
    there at 0.3 (0.643 and 0.619 at a half), and 0.628 and 0.606 at 0.3 m (0.595 and 0.551).
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.net = model.net

    def forward(self, rgb):
        rows, cols = rgb.shape[-2:]
        step = self.net.step  # both views on the same grid
        whole = F.pad(rgb, (0, -cols % step, 0, -rows % step), mode="replicate")
        turned = self.model(whole.flip((2, 3))).flip((2, 3))
        odds = F.softmax(self.model(whole), 1) + F.softmax(turned, 1)
        said = torch.log((odds / 2).clamp(min=1e-6))[..., :rows, :cols]
        roof = said[:, 1:]
        shared = torch.logsumexp(roof, 1, keepdim=True) - roof.amax(1, keepdim=True)
        ground = said[:, :1] - shared + math.log(SURE / (1 - SURE))
        return torch.cat([ground, roof], 1)


def _doubled(x, fine):
    # An odd side is one pixel too long after halving and doubling.
    x = F.interpolate(x, scale_factor=2.0, mode="nearest")
    return x[..., : fine.shape[-2], : fine.shape[-1]]


def earlier() -> bytes:
    """The encoder to begin with; the bundled one in a copy without history, and says so."""
    asked = ["git", "-C", str(START.parent), "cat-file", "blob", EARLIER]
    found = subprocess.run(asked, capture_output=True)
    if found.returncode == 0:
        return found.stdout
    print("The encoder of 15,000 steps is in the history of the repository only; beginning with "
          "the bundled one, from which roofs come out worse.")  # fmt: skip
    return START.read_bytes()


def started(planes) -> Net:
    """A network that begins with the weights of ``earlier`` and gives the same features.

    That encoder has batch normalisation folded into its convolutions; training goes slowly
    without.

    Args:
        planes: pictures (n, 3, rows, cols) as ``Net`` reads them; they show how large its sums are.

    Raises:
        ValueError: when the encoder has not every layer that is wanted.
    """
    import onnx

    net = Net()
    own = net.state_dict()
    known = {name for name, part in net.named_modules() if isinstance(part, nn.Conv2d)}
    known = {name for name in known if name.split(".")[0] in ("stages", "mix", "smooth")}
    wanted = {f"{name}.{part}" for name in known for part in ("weight", "bias")}
    for name, values in nets.weights(onnx.load_from_string(earlier()).graph).items():
        if name in wanted and own[name].shape == values.shape:
            own[name] = torch.from_numpy(values)
            wanted.discard(name)
    if wanted:
        raise ValueError(f"The encoder is another one: it lacks {sorted(wanted)[0]}.")
    net.load_state_dict(own)
    net.eval()
    old = nn.ModuleList([net.stages, net.mix, net.smooth])
    with torch.no_grad(), nets.renormalised(old):
        net(planes)
    return net
