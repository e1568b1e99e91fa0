"""Generated scenes: fields with rows and tracks, roofs with ridge and shadow, roads, ponds, trees.

They carry variety that a handful of real scenes does not have: every colour, light, blur and
noise. Each scene is drawn from its own seed.
"""

from __future__ import annotations

import numpy as np
from prompt_scenes import Scene
from scipy import ndimage
from skimage.draw import disk, line, polygon

SIDE = 512


def noise(rng, side: int, smooth: float) -> np.ndarray:
    """(side, side) smooth noise of mean 0 and deviation 1."""
    small = max(4, int(side / max(1.0, smooth)))
    field = ndimage.zoom(rng.normal(size=(small + 2, small + 2)), side / small, order=1)
    field = field[:side, :side]
    return (field - field.mean()) / (field.std() + 1e-6)


class Canvas:
    """A scene being drawn: ``image`` (rows, cols, 4) 0 to 1, and numbered ``fields``, ``things``.

    The functions of this module draw on it; ``things`` lie on top of the fields.
    """

    def __init__(self, rng):
        self.rng = rng
        self.image = np.zeros((SIDE, SIDE, 4), np.float32)
        self.fields = np.zeros((SIDE, SIDE), np.int32)
        self.things = np.zeros((SIDE, SIDE), np.int32)
        self.count = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def paint(self, mask, colour, texture=None):
        shade = 0.0 if texture is None else texture[mask][:, None]
        self.image[mask] = np.asarray(colour, np.float32) + shade

    def thing(self, mask, colour, texture=None):
        self.paint(mask, colour, texture)
        self.things[mask] = self.number()


def _colour(rng, kind: str) -> np.ndarray:
    """A colour in four planes (red, green, blue, near infrared), 0 to 1."""
    base = {
        "field": [(0.25, 0.38, 0.18, 0.6), (0.5, 0.42, 0.3, 0.4), (0.6, 0.55, 0.35, 0.5),
                  (0.2, 0.3, 0.15, 0.7), (0.4, 0.3, 0.2, 0.3), (0.35, 0.45, 0.25, 0.65)],
        "roof": [(0.7, 0.7, 0.72, 0.6), (0.6, 0.3, 0.22, 0.5), (0.45, 0.4, 0.36, 0.4),
                 (0.85, 0.85, 0.85, 0.8), (0.3, 0.32, 0.36, 0.3), (0.55, 0.45, 0.3, 0.5),
                 (0.35, 0.45, 0.6, 0.4)],
        "road": [(0.45, 0.45, 0.46, 0.35), (0.65, 0.58, 0.48, 0.5), (0.3, 0.3, 0.32, 0.25)],
        "water": [(0.1, 0.16, 0.22, 0.05), (0.2, 0.25, 0.22, 0.1), (0.3, 0.36, 0.3, 0.12)],
        "tree": [(0.12, 0.22, 0.1, 0.55), (0.2, 0.3, 0.12, 0.65), (0.3, 0.28, 0.12, 0.5)],
    }[kind]  # fmt: skip
    return np.clip(np.array(base[rng.integers(len(base))]) + rng.normal(0, 0.06, 4), 0.02, 0.98)


def ground(canvas, alike: float = 0.0) -> None:
    """Fields as cells of a plane split by bent cuts, with rows and patches, tracks between them.

    A share ``alike`` bears what a neighbour bears: only the track between them tells them apart.
    """
    rng = canvas.rng
    yy, xx = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    bend = rng.uniform(0, 14)
    xx2 = xx + bend * noise(rng, SIDE, 120)
    yy2 = yy + bend * noise(rng, SIDE, 120)
    parts = [np.ones((SIDE, SIDE), bool)]
    main = rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(2, 40))):
        parts.sort(key=lambda part: -part.sum())
        part = parts.pop(0 if rng.random() < 0.7 else int(rng.integers(len(parts))))
        if part.sum() < 900:
            parts.append(part)
            continue
        angle = main + rng.integers(2) * np.pi / 2 + rng.normal(0, 0.12)
        along = xx2 * np.cos(angle) + yy2 * np.sin(angle)
        cut = rng.uniform(*np.percentile(along[part], (25, 75)))
        parts += [part & (along < cut), part & (along >= cut)]
    gap = int(rng.integers(0, 4)) if not alike else 1
    canvas.paint(np.ones((SIDE, SIDE), bool), _colour(rng, "road" if gap else "field"))
    grown = None
    for part in parts:
        if gap:
            part = ndimage.binary_erosion(part, iterations=int(rng.integers(1, gap + 1)))
        if part.sum() < 60:
            continue
        angle, period = main + rng.normal(0, 0.1), rng.uniform(2.5, 12)
        rows = np.sin((xx * np.cos(angle) + yy * np.sin(angle)) * 2 * np.pi / period)
        texture = rng.choice([0, 0.01, 0.03, 0.06]) * rows
        texture = texture + rng.uniform(0, 0.05) * noise(rng, SIDE, rng.uniform(2, 60))
        if grown is None or not alike or rng.random() >= alike:
            grown = _colour(rng, "field")
        elif rng.random() < 0.5:
            grown = np.clip(grown + rng.normal(0, 0.02, 4), 0.02, 0.98)
        canvas.paint(part, grown, texture.astype(np.float32))
        canvas.fields[part] = canvas.number()


def road(canvas) -> None:
    """A road across the scene."""
    rng = canvas.rng
    ends = rng.integers(0, SIDE, 4)
    mask = np.zeros((SIDE, SIDE), bool)
    rr, cc = line(*(int(v) for v in ends))
    shift = (noise(rng, SIDE, 90)[0] * rng.uniform(0, 20)).astype(int)
    mask[np.clip(rr + shift[cc], 0, SIDE - 1), cc] = True
    wide = rng.uniform(1.5, 9)
    mask = ndimage.distance_transform_edt(~mask) < wide
    canvas.thing(mask, _colour(rng, "road"), 0.02 * noise(rng, SIDE, 3))


def _pond(canvas, kind: str = "water") -> None:
    rng = canvas.rng
    size = np.exp(rng.uniform(np.log(6), np.log(90)))
    row, col = rng.uniform(0, SIDE, 2)
    yy, xx = np.mgrid[:SIDE, :SIDE]
    far = np.hypot((yy - row) * rng.uniform(0.6, 1.6), xx - col) / size
    mask = far + rng.uniform(0.05, 0.35) * noise(rng, SIDE, size * rng.uniform(0.3, 1)) < 1
    parts, count = ndimage.label(mask)
    if not count:
        return
    mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    if rng.random() < 0.5:  # a rim of wet ground or reed
        rim = ndimage.binary_dilation(mask, iterations=int(rng.integers(1, 7)))
        canvas.paint(rim, _colour(rng, "field" if rng.random() < 0.5 else "tree"))
    texture = rng.uniform(0, 0.04) * noise(rng, SIDE, 20) + rng.uniform(0, 0.03) * noise(
        rng, SIDE, 2
    )
    canvas.thing(mask, _colour(rng, kind), texture)


def roof(canvas, sun: tuple, size: float) -> None:
    """A rectangle or an L, its two or four slopes lit by the sun, its shadow on the ground."""
    rng = canvas.rng
    row, col, turn = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(0, np.pi)
    long, short = size * rng.uniform(0.8, 1.8), size * rng.uniform(0.5, 0.9)
    corners = [(-long, -short), (long, -short), (long, short), (-long, short)]
    if rng.random() < 0.35:
        a, b = rng.uniform(-0.3, 0.5) * long, rng.uniform(-0.4, 0.4) * short
        corners = [(-long, -short), (long, -short), (long, b), (a, b), (a, short), (-long, short)]
    turned = np.array(
        [(x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn))
         for x, y in corners]
    )  # fmt: skip
    mask = np.zeros((SIDE, SIDE), bool)
    rr, cc = polygon(turned[:, 1] + row, turned[:, 0] + col, mask.shape)
    mask[rr, cc] = True
    if mask.sum() < 30 or (canvas.things[mask] > 0).mean() > 0.02:
        return
    high = size * rng.uniform(0.1, 0.9)
    shadow = np.zeros_like(mask)
    for step in np.linspace(0, 1, 6):
        shadow |= ndimage.shift(mask, (sun[0] * high * step, sun[1] * high * step), order=0)
    canvas.image[shadow & ~mask] *= rng.uniform(0.35, 0.7)
    yy, xx = np.nonzero(mask)
    across = -(xx - col) * np.sin(turn) + (yy - row) * np.cos(turn)
    along = (xx - col) * np.cos(turn) + (yy - row) * np.sin(turn)
    light = np.sign(across) * rng.uniform(0, 0.16)
    if rng.random() < 0.4:  # hipped
        end = np.abs(along) > long - short + np.abs(across)
        light = np.where(end, np.sign(along) * rng.uniform(0, 0.14), light)
    sheets = rng.choice([0, 0.03]) * np.sign(np.sin(along * 2 * np.pi / rng.uniform(3, 9)))
    rust = rng.uniform(0, 0.07) * noise(rng, SIDE, rng.uniform(2, 25))[mask]
    cover = _colour(rng, "roof") + (light + sheets + rust)[:, None]
    if rng.random() < 0.3:
        _patch(rng, cover, along / long, across / short)
    canvas.image[mask] = cover
    canvas.things[mask] = canvas.number()


def _patch(rng, cover: np.ndarray, along: np.ndarray, across: np.ndarray) -> None:
    """Sheets of other age or paint, an annexe's roof, skylights: parts of other colours."""
    for _ in range(int(rng.integers(1, 7))):
        a, b = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, 2)
        part = (along > a.min()) & (along < a.max())
        if rng.random() < 0.7:
            part &= (across > b.min()) & (across < b.max())
        if rng.random() < 0.4:
            cover[part] = _colour(rng, "roof")
        else:
            cover[part] *= np.exp(rng.normal(0, 0.3)) * (1 + rng.normal(0, 0.08, 4))


def tree(canvas, size: float) -> None:
    """A tree of about ``size`` pixels."""
    rng = canvas.rng
    row, col, size = rng.uniform(0, SIDE), rng.uniform(0, SIDE), size * rng.uniform(0.6, 1.5)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[disk((row, col), size, shape=mask.shape)] = True
    if mask.sum() < 12:
        return
    shadow = ndimage.shift(mask, (size * 0.5, size * 0.4), order=0)
    canvas.image[shadow & ~mask] *= 0.6
    canvas.thing(mask, _colour(rng, "tree"), 0.06 * noise(rng, SIDE, max(2.0, size / 3)))


def scene(seed: int, alike: float = 0.0) -> Scene:
    """One generated scene; of ``alike`` neighbouring fields see `ground`."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(rng)
    ground(canvas, alike)
    for _ in range(int(rng.integers(0, 4))):
        road(canvas)
    for _ in range(int(rng.integers(0, 7))):
        _pond(canvas, "tree" if rng.random() < 0.2 else "water")
    sun = (float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1)))
    size = np.exp(rng.uniform(np.log(6), np.log(40)))
    for _ in range(int(rng.integers(0, 45 if size < 15 else 18))):
        roof(canvas, sun, size * rng.uniform(0.6, 1.5))
    for _ in range(int(rng.integers(0, 60))):
        tree(canvas, min(size, 14) * rng.uniform(0.3, 1.0))
    image = canvas.image + 0.03 * noise(rng, SIDE, 200)[..., None]
    blur = rng.choice([0.4, 0.7, 1.0, 1.5])
    image = ndimage.gaussian_filter(image, (blur, blur, 0))
    image = image * rng.uniform(0.7, 1.2) + rng.uniform(-0.05, 0.15)  # light and haze
    image = image + rng.normal(0, rng.uniform(0.002, 0.03), image.shape)
    planes = np.clip(image * 255, 0, 255).astype(np.uint8)
    fields = np.where(canvas.things > 0, 0, canvas.fields)
    layers = [(canvas.things, 2.0), (fields.astype(np.int32), 1.0)]
    return Scene(f"generated {seed}", planes, layers, ((0, 1, 2), (3, 0, 1)), (0.5, 1.6), 1.0)
