"""The two networks of concord-prompt, in torch.

The encoder is a residual network with a top-down path back to a quarter of the picture's side.
The decoder is a small U-Net over that embedding and maps of the prompt. No attention: what the
prompt says is painted onto the grid (distances, the box, the last mask) together with how alike
every cell is to the cells that were clicked on, so that a few thousand pictures teach enough.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

STRIDE = 4  # pixels of the picture in a cell of the embedding
DEEP, FINE = 40, 6  # channels of the embedding: deep ones, and those of half the picture's side
EMBEDDING = DEEP + 4 * FINE
HEADS, HEAD = 4, 6  # similarity: independent projections and their channels
MASKS = 3
MEAN, STD = 127.5, 64.0  # the encoder's input is (byte - MEAN) / STD
_MAPS = 4 + 2 + 2 + 1 + 4 * HEADS
_STRIP = 4.0  # cells outside each side of a box, which show what the object is not


class Conv(nn.Sequential):
    """Convolution, batch normalisation, and a rectifier unless ``plain``."""

    def __init__(self, a: int, b: int, size: int = 3, step: int = 1, plain: bool = False):
        layers = [nn.Conv2d(a, b, size, step, size // 2, bias=False), nn.BatchNorm2d(b)]
        super().__init__(*layers, *([] if plain else [nn.ReLU(inplace=True)]))


class Block(nn.Module):
    """Two convolutions around which the input is carried."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = Conv(width, width), Conv(width, width, plain=True)
        nn.init.constant_(self.second[1].weight, 0.3)

    def forward(self, x):
        return F.relu(x + self.second(self.first(x)))


class Encoder(nn.Module):
    """(n, 3, s, s) to (n, EMBEDDING, s / 4, s / 4); ``s`` is a multiple of 32."""

    def __init__(self, widths=(24, 48, 96, 144, 160), depths=(1, 2, 2, 2, 2)):
        super().__init__()
        stages, before = [], 3
        for width, depth in zip(widths, depths):
            stages.append(
                nn.Sequential(Conv(before, width, 3, 2), *(Block(width) for _ in range(depth)))
            )
            before = width
        self.stages = nn.ModuleList(stages)
        self.mix = nn.ModuleList(
            nn.Conv2d(deep, wide, 1) for deep, wide in zip(widths[2:], widths[1:])
        )
        self.smooth = nn.ModuleList(Block(wide) for wide in widths[1:-1])
        self.edge = Conv(widths[0], FINE)
        self.out = nn.Conv2d(widths[1], DEEP, 1)

    def forward(self, images):
        kept, x = [], images
        for stage in self.stages:
            x = stage(x)
            kept.append(x)
        for level in (3, 2, 1):
            up = F.interpolate(self.mix[level - 1](x), scale_factor=2.0, mode="nearest")
            x = self.smooth[level - 1](F.relu(kept[level] + up))
        fine = F.pixel_unshuffle(self.edge(kept[0]), 2)
        return torch.cat([self.out(x), fine], 1)


class Decoder(nn.Module):
    """Embedding and prompt to MASKS logits at half the picture's side, with predicted IoU.

    ``embedding`` is (t, EMBEDDING, h, w) with one row a target; ``coords`` (t, n, 2) pixels as
    `segment-anything` counts them (0 is the centre of the first pixel), ``labels`` (t, n): 1 on
    the object, 0 not, 2 and 3 a box's corners, -1 nothing; ``mask`` (t, 1, 2h, 2w) logits;
    ``has_mask`` (t,) 0 or 1.
    """

    def __init__(self, widths=(32, 48, 80, 128), fine=16):
        super().__init__()
        a, b, c, d = widths
        self.project = nn.Conv2d(DEEP, HEADS * HEAD, 1)
        self.sharpness = nn.Parameter(torch.zeros(HEADS))
        self.see = nn.Conv2d(EMBEDDING, a, 1)
        self.told = Conv(_MAPS, a, plain=True)
        self.down1 = nn.Sequential(Conv(a, b, 3, 2), Block(b))
        self.down2 = nn.Sequential(Conv(b, c, 3, 2), Block(c))
        self.down3 = nn.Sequential(Conv(c, d, 3, 2), Block(d))
        self.whole = nn.Linear(d, d)
        self.up3, self.up2, self.up1 = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.join3, self.join2, self.join1 = Conv(c, c), Conv(b, b), Conv(a, a)
        self.spread = nn.Conv2d(a, fine * 4, 1)
        self.edge = nn.Conv2d(FINE, fine, 3, 1, 1)
        self.last = Conv(fine, fine)
        self.masks = nn.Conv2d(fine, MASKS, 3, 1, 1)
        self.rate = nn.Sequential(nn.Linear(a + d + 3, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, embedding, coords, labels, mask, has_mask):
        told = self.maps(embedding, coords, labels, mask, has_mask)
        x1 = F.relu(self.see(embedding) + self.told(told))
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        pooled = x4.mean((2, 3))
        x4 = x4 + F.relu(self.whole(pooled))[:, :, None, None]
        x3 = self.join3(F.relu(x3 + _double(self.up3(x4))))
        x2 = self.join2(F.relu(x2 + _double(self.up2(x3))))
        x1 = self.join1(F.relu(x1 + _double(self.up1(x2))))
        fine = F.pixel_shuffle(embedding[:, DEEP:], 2)
        y = F.relu(F.pixel_shuffle(self.spread(x1), 2) + self.edge(fine))
        logits = self.masks(self.last(y)).float()
        return logits, self._scores(logits, x1, pooled)

    def _scores(self, logits, features, pooled):
        """(t, MASKS) of the IoU each mask is expected to reach."""
        share = torch.sigmoid(F.avg_pool2d(logits, 2).detach())  # as coarse as the features
        area = share.mean((2, 3)) + 1e-4
        sure = ((share - 0.5).abs() * share).mean((2, 3)) / area
        under = torch.einsum("tmhw,tchw->tmc", share, features.float())
        under = under / (area * share.shape[2] * share.shape[3])[:, :, None]
        doubt = (0.5 - (share - 0.5).abs()).mean((2, 3)) / area
        facts = torch.stack([torch.log(area), sure, doubt.clamp(max=3.0)], 2)
        both = pooled.float()[:, None].expand(-1, MASKS, -1)
        return torch.sigmoid(self.rate(torch.cat([under, both, facts], 2))[..., 0])

    def maps(self, embedding, coords, labels, mask, has_mask):
        """(t, maps, h, w): what the prompt says about every cell."""
        high, wide = embedding.shape[2], embedding.shape[3]
        spots = (coords + 0.5) / STRIDE - 0.5
        rows = torch.arange(high, device=coords.device, dtype=coords.dtype)
        cols = torch.arange(wide, device=coords.device, dtype=coords.dtype)
        dx = cols - spots[:, :, 0:1]  # (t, n, w)
        dy = rows - spots[:, :, 1:2]
        distance = (dy[:, :, :, None] ** 2 + dx[:, :, None, :] ** 2 + 1e-6).sqrt()
        yes, no = (labels == 1).to(coords.dtype), (labels == 0).to(coords.dtype)
        found = []
        for weight in (yes, no):
            weight = weight[:, :, None, None]
            for reach in (1.5, 12.0):
                found.append((torch.exp(-distance / reach) * weight).amax(1))
        inside, border, core, strips = _box(spots, labels, rows, cols)
        told = has_mask[:, None, None, None]
        last = torch.sigmoid(F.avg_pool2d(mask, 2)) * told
        found += [inside, border, last[:, 0], told[:, 0].expand(-1, high, wide)]
        first = ((yes.sum(1) + no.sum(1)) <= 1).to(coords.dtype)[:, None, None]
        found.append(first.expand(-1, high, wide))
        region = torch.maximum(last[:, 0], core * (1 - told[:, 0]))
        with torch.autocast(embedding.device.type, enabled=False):  # small differences count here
            alike = self.similar(embedding.float(), dx, dy, yes, no, region, strips)
        return torch.cat([torch.stack(found, 1), alike], 1).to(embedding.dtype)

    def similar(self, embedding, dx, dy, yes, no, region, strips):
        """(t, 4 * HEADS, h, w): likeness to clicks on, to clicks off, to the region (the last mask
        or the middle of the box), and to the strips round the box (t, 4, h, w).
        """
        keys = self.project(embedding[:, :DEEP])
        targets, _, high, wide = keys.shape
        keys = keys.reshape(targets, HEADS, HEAD, high * wide)
        # Bilinear reading at the points as a product, so that any number of points is one shape.
        tents = (1 - dy.abs()).clamp(min=0)[:, :, :, None] * (1 - dx.abs()).clamp(min=0)[:, :, None]
        areas = torch.cat([region[:, None], strips], 1).flatten(2)
        areas = areas / (areas.sum(2, keepdim=True) + 1e-3)
        given = (areas.amax(2) > 0).to(areas.dtype)
        read = torch.cat([tents.flatten(2), areas], 1)  # (t, n + 5, hw)
        values = torch.einsum("tnp,tkcp->tnkc", read, keys)
        cross = torch.einsum("tnkc,tkcp->tnkp", values, keys)
        lengths = (keys**2).sum(2)[:, None]
        apart = lengths + (values**2).sum(3)[..., None] - 2 * cross
        alike = torch.exp(-apart.clamp(min=0) * torch.exp(self.sharpness)[:, None])
        count = tents.shape[1]
        parts = [
            (alike[:, :count] * yes[:, :, None, None]).amax(1),
            (alike[:, :count] * no[:, :, None, None]).amax(1),
            alike[:, count] * given[:, :1, None],
            (alike[:, count + 1 :] * given[:, 1:, None, None]).amax(1),
        ]
        return torch.cat(parts, 1).reshape(targets, 4 * HEADS, high, wide)


def _double(x):
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _box(spots, labels, rows, cols):
    """Maps of a box, all 0 without one: inside it (0 to 1 over a cell at its border), how near
    its border is, its middle (t, h, w), and the strips outside its four sides (t, 4, h, w).
    """
    first = (labels == 2).to(spots.dtype)
    second = (labels == 3).to(spots.dtype)
    given = (first.amax(1) * second.amax(1))[:, None, None]
    near = (spots * first[:, :, None]).sum(1)
    far = (spots * second[:, :, None]).sum(1)
    left, right = cols - near[:, 0:1], far[:, 0:1] - cols  # (t, w), below 0 outside
    top, bottom = rows - near[:, 1:2], far[:, 1:2] - rows
    across, down = torch.minimum(left, right), torch.minimum(top, bottom)
    depth = torch.minimum(across[:, None, :], down[:, :, None])
    inside = (depth + 0.5).clamp(0, 1) * given
    border = torch.exp(-depth.abs() / 3.0) * given
    half = ((far - near) / 2).clamp(min=0.5)
    u, v = (left - right) / 2 / half[:, 0:1], (top - bottom) / 2 / half[:, 1:2]
    core = torch.exp(-2 * (u**2)[:, None, :] - 2 * (v**2)[:, :, None]) * inside
    between_x = ((across + 0.5).clamp(0, 1) * given[:, 0])[:, None, :]
    between_y = ((down + 0.5).clamp(0, 1) * given[:, 0])[:, :, None]
    strips = [between_y * _outside(side)[:, None, :] for side in (left, right)]
    strips += [between_x * _outside(side)[:, :, None] for side in (top, bottom)]
    return inside, border, core, torch.stack(strips, 1)


def _outside(depth):
    """1 from half a cell to _STRIP cells outside a side, 0 elsewhere."""
    return ((-depth + 0.5).clamp(0, 1)) * ((depth + _STRIP + 0.5).clamp(0, 1))
