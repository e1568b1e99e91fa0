"""Crops of roofs in other light, turned, of other colours and before other ground, to learn from.

One town has few colours of roof, and a network takes the colour for the roof; so roofs get the
colours of other roofs, the ground other hues, and roofs are pasted where there were none.
"""

from __future__ import annotations

from dataclasses import dataclass

import aerial_views
import cv2
import numpy as np
import prompt_generated

GROUND, ROOF, EDGE = range(3)  # outputs of the network
COLOURS = np.array(  # of sheets, tiles and concrete, red green blue 0-1
    [(.7, .7, .72), (.6, .3, .22), (.45, .4, .36), (.9, .9, .9), (.3, .32, .36), (.55, .45, .3),
     (.35, .45, .6), (.75, .42, .25), (.5, .2, .2), (.35, .45, .35), (.62, .56, .5), (.5, .5, .5)]
)  # fmt: skip


@dataclass(frozen=True)
class Views:
    """How crops differ from the picture; shares are of crops, ``recolour`` and ``paste`` of roofs.

    Args:
        scales: of the 7.5 cm mosaic: 0.5 gives 0.15 m.
        light: strength of ``aerial_views.light``.
    """

    side: int
    scales: tuple
    light: float
    recolour: float
    paste: float
    hue: float
    ground_hue: float
    generated: float
    woods: float = 0.07
    swap: float = 0.12
    grey: float = 0.05


@dataclass(frozen=True)
class Crop:
    """image (rows, cols, 3) 0-1, classes, weight and number of the roof (rows, cols)."""

    image: np.ndarray
    classes: np.ndarray
    weight: np.ndarray
    numbers: np.ndarray


class Source:
    """Draws crops from a part of the mosaic, from pictures of woods and from generated scenes.

    Args:
        mosaic: (3, rows, cols) uint8.
        layers: (rows, cols, 3) float32: class, weight in the loss, number of the roof.
        woods: list of (3, rows, cols) uint8 without a roof.
    """

    def __init__(self, mosaic, layers, woods: list, views: Views, seed: int, scenes: int = 50):
        whole = np.ascontiguousarray(np.moveaxis(mosaic, 0, -1))
        half = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        self.pyramid, self.layers = (whole, half), np.ascontiguousarray(layers)
        self.woods, self.views = woods, views
        self.rng = np.random.default_rng(seed)
        self.scenes = [generated(number) for number in range(scenes)]

    def batch(self, count: int) -> tuple:
        """(images (n, 3, s, s) 0-1, classes (n, s, s), weights (n, s, s)) float32."""
        planes = zip(*(self.one() for _ in range(count)))
        return tuple(np.stack(plane).astype(np.float32) for plane in planes)

    def one(self) -> tuple:
        rng, views = self.rng, self.views
        draw = rng.random()
        if draw < views.woods:
            crop = self._wood()
        elif draw < views.woods + views.generated:
            crop = self._drawn()
        else:
            crop = self._recoloured(self._crop())
        self._pasted(crop)
        image = np.moveaxis(crop.image, -1, 0)
        if rng.random() < views.hue:
            image = spun(image, rng.normal(0, 0.9))
        if rng.random() < views.ground_hue:
            ground = spun(image, rng.uniform(-np.pi, np.pi)) * rng.uniform(0.7, 1.3)
            image = np.where(crop.classes > 0, image, ground)
        image = aerial_views.light(rng, image.astype(np.float32), views.light)
        if rng.random() < views.swap:
            image = image[rng.permutation(3)]
        if rng.random() < views.grey:
            image = np.repeat(image.mean(0, keepdims=True), 3, 0)
        return image, crop.classes, crop.weight

    def _crop(self) -> Crop:
        """A part of the mosaic at any turn and scale, mirrored beyond its rim."""
        rng, side = self.rng, self.views.side
        zoom = np.exp(rng.uniform(*np.log(self.views.scales)))
        angle, stretch = rng.uniform(0, 2 * np.pi), np.exp(rng.normal(0, 0.08, 2))
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = spin @ np.diag([rng.choice([-1, 1]) * stretch[0], stretch[1]]) / zoom
        reach = 0.4 * side / zoom
        centre = [rng.uniform(min(reach, n / 2), max(n - reach, n / 2))
                  for n in self.layers.shape[1::-1]]  # fmt: skip
        shift = np.array(centre) - turn @ np.full(2, side / 2)
        turn = np.hstack([turn, shift[:, None]]).astype(np.float32)
        level = int(zoom < 0.6)
        image = _warped(self.pyramid[level], turn * 0.5**level, side, cv2.INTER_LINEAR)
        planes = _warped(self.layers, turn, side, cv2.INTER_NEAREST)
        return Crop(image.astype(np.float32) / 255, *(planes[..., k].copy() for k in range(3)))

    def _wood(self) -> Crop:
        wood = self.woods[self.rng.integers(len(self.woods))]
        part, _ = aerial_views.window(self.rng, wood.shape, self.views.side, (0.5, 1.0))
        image = aerial_views.resized(wood[part].astype(np.float32) / 255, self.views.side, 1)
        bare = np.zeros(image.shape[1:], np.float32)
        return Crop(np.moveaxis(image, 0, -1).copy(), bare, bare + 1, bare.copy())

    def _drawn(self) -> Crop:
        rng, side = self.rng, self.views.side
        image, classes = self.scenes[rng.integers(len(self.scenes))]
        size = int(min(side * np.exp(rng.uniform(-0.4, 0.4)), len(classes)))
        row, col = (int(n) for n in rng.integers(len(classes) - size + 1, size=2))
        part = (slice(row, row + size), slice(col, col + size))
        image = cv2.resize(image[part], (side, side), interpolation=cv2.INTER_LINEAR)
        classes = cv2.resize(classes[part], (side, side), interpolation=cv2.INTER_NEAREST)
        bare = np.zeros_like(classes)
        return Crop(image.astype(np.float32) / 255, classes, bare + 1, bare)

    def _recoloured(self, crop: Crop) -> Crop:
        """Some roofs get another colour and keep their slopes, ribs and rust."""
        rng = self.rng
        for number in np.unique(crop.numbers):
            if not number or rng.random() > self.views.recolour:
                continue
            roof = crop.numbers == number
            pixels = crop.image[roof]
            if rng.random() < 0.25:
                crop.image[roof] = pixels[:, rng.permutation(3)] * rng.uniform(0.6, 1.3)
                continue
            colour = COLOURS[rng.integers(len(COLOURS))] + rng.normal(0, 0.06, 3)
            grey = pixels.mean(1, keepdims=True)
            plain = (grey / max(float(grey.mean()), 0.05)) ** rng.uniform(0.6, 1.2)
            stained = pixels / np.maximum(pixels.mean(0), 0.05)
            keep = rng.uniform(0, 0.6)
            crop.image[roof] = np.clip((keep * stained + (1 - keep) * plain) * colour, 0, 1)
        return crop

    def _pasted(self, crop: Crop) -> None:
        """Roofs of another crop are laid, with a shadow, where this one has none."""
        rng = self.rng
        if rng.random() > self.views.paste:
            return
        other = self._recoloured(self._crop())
        for number in np.unique(other.numbers):
            roof = other.numbers == number
            if not number or rng.random() < 0.4:
                continue
            if (crop.classes[roof] > 0).any() or (other.weight[roof] == 0).any():
                continue
            shadow = np.roll(roof, rng.integers(-8, 9, 2), (0, 1)) & ~roof
            crop.image[shadow] *= rng.uniform(0.4, 0.9)
            crop.image[roof], crop.classes[roof] = other.image[roof], other.classes[roof]
            crop.weight[roof] = 1


def _warped(planes: np.ndarray, turn: np.ndarray, side: int, how: int) -> np.ndarray:
    flags = how | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(planes, turn, (side, side), flags=flags,
                          borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip


def spun(image: np.ndarray, angle: float) -> np.ndarray:
    """Colours of (3, rows, cols) turned about the grey axis by radians."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3
    return np.clip(np.einsum("ij,jrc->irc", turn.astype(np.float32), image), 0, 1)


def generated(number: int) -> tuple:
    """(image (512, 512, 3) uint8, classes) of fields, roads, trees and roofs, some under trees."""
    rng = np.random.default_rng(9000 + number)
    canvas = prompt_generated.Canvas(rng)
    prompt_generated.ground(canvas)
    for _ in range(int(rng.integers(0, 4))):
        prompt_generated.road(canvas)
    for _ in range(int(rng.integers(0, 25))):
        prompt_generated.tree(canvas, rng.uniform(6, 25))
    sun, size = tuple(rng.uniform(-1, 1, 2)), np.exp(rng.uniform(*np.log((10, 45))))
    canvas.things[:] = 0
    for _ in range(int(rng.integers(5, 26))):
        prompt_generated.roof(canvas, sun, size * rng.uniform(0.6, 1.5))
    roof = (canvas.things > 0).astype(np.uint8)
    for _ in range(int(rng.integers(0, 12))):
        prompt_generated.tree(canvas, rng.uniform(4, 12))
    image = canvas.image[..., :3] + 0.03 * prompt_generated.noise(rng, len(roof), 200)[..., None]
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), float(rng.choice([0.4, 0.7, 1.0])))
    inside = cv2.erode(roof, np.ones((5, 5), np.uint8))
    classes = np.select([inside > 0, roof > 0], [ROOF, EDGE], GROUND).astype(np.float32)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), classes
