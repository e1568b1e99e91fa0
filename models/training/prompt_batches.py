"""Crops, targets and clicks to train concord-prompt on; every batch follows from seed and step."""

from __future__ import annotations

import numpy as np
from prompt_scenes import Scene
from scipy import ndimage

LEAST, MOST = 60, 0.6  # pixels, and share of the picture, of a target
OTHERS, APART = 2, 0.75  # other things a click may mean, and how alike (IoU) they are at most


class Source:
    """Draws crops from scenes and objects in them."""

    def __init__(self, scenes: list):
        self.scenes = scenes
        self.weights = np.array([scene.weight for scene in scenes], float)
        self.weights /= self.weights.sum()
        self.boxes = [[_boxes(layer) for layer, _ in scene.layers] for scene in scenes]
        self.pyramids = [_pyramid(scene.planes) for scene in scenes]

    def batch(self, rng, crops: int, targets: int, side: int) -> tuple:
        """(pictures (c, 3, s, s) uint8, masks (c, t, s, s) bool, points (c*t, 2), boxes (c*t, 4),
        others (c*t, OTHERS, s, s) bool).

        ``crops`` of ``side`` pixels, ``targets`` objects of each. Points are first clicks, boxes
        are as a hand would draw them; both in pixels where 0 is the centre of the first. Others
        are what the same click may mean too: a part of the object, or what it is a part of;
        empty where there are fewer.
        """
        pictures, masks, points, boxes, others = [], [], [], [], []
        while len(pictures) < crops:
            found = self.crop(rng, targets, side)
            if found is None:
                continue
            picture, things, views = found
            pictures.append(picture.transpose(2, 0, 1))
            masks.append(things)
            clicks = [first_click(mask, rng) for mask in things]
            points += clicks
            boxes += [drawn_box(mask, rng) for mask in things]
            others += [_others(mask, spot, views, rng) for mask, spot in zip(things, clicks)]
        points, boxes = np.array(points), np.array(boxes)
        return np.stack(pictures), np.stack(masks), points, boxes, np.stack(others)

    def crop(self, rng, most: int, side: int):
        """(picture (s, s, 3) uint8, masks (t, s, s), layers [(s, s)]), None without an object."""
        k = int(rng.choice(len(self.scenes), p=self.weights))
        scene: Scene = self.scenes[k]
        weights = np.array([w if len(b) else 0 for (_, w), b in zip(scene.layers, self.boxes[k])])
        if not weights.any():
            return None
        chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
        boxes = self.boxes[k][chosen]
        number, top, left, bottom, right = boxes[int(rng.integers(len(boxes)))]
        longest = max(bottom - top, right - left)
        wanted = np.exp(rng.uniform(np.log(14), np.log(side * 0.85)))
        zoom = float(np.clip(wanted / longest, *scene.zoom))
        slack = max(0.0, (side - longest * zoom) / 2) / zoom
        row = (top + bottom) / 2 + rng.uniform(-0.9, 0.9) * slack
        col = (left + right) / 2 + rng.uniform(-0.9, 0.9) * slack
        row, col = (
            float(np.clip(at, side / 2 / zoom, most - side / 2 / zoom))
            if most > side / zoom
            else most / 2
            for at, most in zip((row, col), scene.planes.shape)
        )
        turn = _turn(rng, zoom)
        targets, views, own = [], [], None
        for j, (layer, weight) in enumerate(scene.layers):
            view = _nearest(layer, row, col, turn, side)
            views.append(view)
            if j == chosen:
                own = view == number
            targets += [
                (view, n, weight * size**0.5)
                for n, size in _useful(view)
                if (j, n) != (chosen, number)
            ]
        if own is None or not LEAST <= own.sum() <= MOST * side * side:
            return None
        masks = [own]
        if targets:
            share = np.array([target[2] for target in targets])
            count = min(len(targets), most - 1)
            for i in rng.choice(len(targets), count, replace=False, p=share / share.sum()):
                masks.append(targets[i][0] == targets[i][1])
        while len(masks) < most:  # the same object asked for in another way
            masks.append(masks[int(rng.integers(len(masks)))])
        picture = _bilinear(self.pyramids[k], row, col, turn, zoom, side)
        return coloured(picture, scene, rng), np.stack(masks), views


def _others(mask: np.ndarray, click: tuple, views: list, rng) -> np.ndarray:
    """(OTHERS, s, s): what else lies under a click, unlike the mask and unlike each other."""
    found, (col, row) = [mask], (int(v) for v in click)
    for k in rng.permutation(len(views)):
        number = views[k][row, col]
        if not number or len(found) > OTHERS:
            continue
        other = views[k] == number
        if LEAST <= other.sum() <= MOST * other.size:
            if all((other & m).sum() < APART * (other | m).sum() for m in found):
                found.append(other)
    found += [np.zeros_like(mask)] * (1 + OTHERS - len(found))
    return np.stack(found[1:])


def _boxes(layer: np.ndarray) -> np.ndarray:
    """(objects, 5): number, top, left, bottom, right; those that fit neither size are left out."""
    found = []
    for number, place in enumerate(ndimage.find_objects(layer), 1):
        if place is not None:
            (rows, cols) = place
            if rows.stop - rows.start >= 3 and cols.stop - cols.start >= 3:
                found.append((number, rows.start, cols.start, rows.stop, cols.stop))
    return np.array(found, int).reshape(-1, 5)


def _pyramid(planes: np.ndarray) -> list:
    found = [planes]
    while min(found[-1].shape[:2]) > 128 and len(found) < 3:
        last = found[-1]
        rows, cols = last.shape[0] // 2 * 2, last.shape[1] // 2 * 2
        blocks = last[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2, -1)
        found.append(blocks.mean((1, 3)).astype(np.uint8))
    return found


def _turn(rng, zoom: float) -> np.ndarray:
    """(2, 2) from picture steps to scene steps: any turn, perhaps mirrored, a stretch."""
    angle = rng.integers(4) * np.pi / 2 + (rng.uniform(-0.8, 0.8) if rng.random() < 0.6 else 0)
    flip = np.diag([1.0, rng.choice([-1.0, 1.0])])
    stretch = np.diag(np.exp(rng.normal(0, 0.06, 2)))
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return spin @ flip @ stretch / zoom


def _spots(row: float, col: float, turn: np.ndarray, side: int) -> tuple:
    steps = np.arange(side) - (side - 1) / 2
    rows = row + turn[0, 0] * steps[:, None] + turn[0, 1] * steps[None]
    cols = col + turn[1, 0] * steps[:, None] + turn[1, 1] * steps[None]
    return rows, cols


def _nearest(layer: np.ndarray, row: float, col: float, turn: np.ndarray, side: int):
    """(side, side) numbers, 0 outside."""
    rows, cols = _spots(row, col, turn, side)
    ri, ci = np.floor(rows).astype(int), np.floor(cols).astype(int)
    good = (ri >= 0) & (ri < layer.shape[0]) & (ci >= 0) & (ci < layer.shape[1])
    ri, ci = np.clip(ri, 0, layer.shape[0] - 1), np.clip(ci, 0, layer.shape[1] - 1)
    return np.where(good, layer[ri, ci], 0)


def _bilinear(pyramid: list, row: float, col: float, turn: np.ndarray, zoom: float, side: int):
    """(s, s, planes) float32, 0 outside, read from the level that is about as fine as asked."""
    level = int(np.clip(np.floor(np.log2(1 / zoom) + 0.3), 0, len(pyramid) - 1))
    planes, shrink = pyramid[level], 2.0**level
    rows, cols = _spots(row, col, turn, side)
    rows, cols = rows / shrink - 0.5, cols / shrink - 0.5
    good = (rows > -1) & (rows < planes.shape[0]) & (cols > -1) & (cols < planes.shape[1])
    high, wide = planes.shape[:2]
    rows, cols = np.clip(rows, 0, high - 1), np.clip(cols, 0, wide - 1)
    r0, c0 = rows.astype(np.int32), cols.astype(np.int32)
    y, x = (rows - r0).astype(np.float32)[..., None], (cols - c0).astype(np.float32)[..., None]
    right = c0 + (c0 < wide - 1)
    above, below = r0 * wide, np.minimum(r0 + 1, high - 1) * wide
    flat = planes.reshape(high * wide, -1)
    top = flat[above + c0] * (1 - x) + flat[above + right] * x
    bottom = flat[below + c0] * (1 - x) + flat[below + right] * x
    return (top * (1 - y) + bottom * y) * good[..., None]


def _useful(view: np.ndarray) -> list:
    sizes = np.bincount(view.ravel())
    sizes[0] = 0
    fitting = np.flatnonzero((sizes >= LEAST) & (sizes <= MOST * view.size))
    return [(n, sizes[n]) for n in fitting]


def coloured(planes: np.ndarray, scene: Scene, rng) -> np.ndarray:
    """Three planes as a user might show them: a composite, its stretch, light, haze, noise."""
    if rng.random() < 0.7:
        chosen = list(scene.composites[int(rng.integers(len(scene.composites)))])
    else:
        chosen = list(rng.choice(planes.shape[2], 3, replace=planes.shape[2] < 3))
    if rng.random() < 0.25:
        rng.shuffle(chosen)
    if rng.random() < 0.06:
        chosen = [chosen[0]] * 3
    empty = planes.max(axis=2) == 0
    picture = planes[..., chosen].astype(np.float32) * np.float32(1 / 255)
    if rng.random() < 0.8:
        same = rng.random() < 0.5
        gain = np.exp(rng.normal(0, 0.25, 1 if same else 3)).astype(np.float32)
        shift = rng.normal(0, 0.08, 1 if same else 3).astype(np.float32)
        picture = np.clip((picture - 0.5) * gain + 0.5 + shift, 0, 1)
        picture = picture ** np.float32(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.04:
        picture = 1 - picture
    if rng.random() < 0.25:
        blur = rng.uniform(0.3, 1.3)
        picture = ndimage.gaussian_filter(picture, (blur, blur, 0))
    if rng.random() < 0.3:
        sigma = rng.uniform(0.005, 0.05)
        picture = picture + sigma * rng.standard_normal(picture.shape, np.float32)
    if rng.random() < 0.1:  # as blocks of a compressed picture
        rough = picture[::8, ::8].repeat(8, 0).repeat(8, 1)
        picture = picture + rng.uniform(0.1, 0.4) * (
            ndimage.uniform_filter(picture, (8, 8, 1))[4::8, 4::8].repeat(8, 0).repeat(8, 1) - rough
        )
    picture = np.clip(picture * 255, 0, 255).astype(np.uint8)
    picture[empty] = 0
    return picture


# --- prompts ----------------------------------------------------------------------------------


def innermost(mask: np.ndarray) -> tuple:
    """(row, col) of the pixel farthest from the mask's border, and how far."""
    far = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.unravel_index(int(far.argmax()), mask.shape), far


def _window(mask: np.ndarray) -> tuple:
    """(top, left, the part of the mask that is not empty)."""
    rows, cols = np.any(mask, 1).nonzero()[0], np.any(mask, 0).nonzero()[0]
    return rows[0], cols[0], mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def _largest(mask: np.ndarray) -> np.ndarray:
    parts, count = ndimage.label(mask)
    return mask if count <= 1 else parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))


def first_click(mask: np.ndarray, rng) -> tuple:
    """(x, y): the middle of the largest part, or somewhere inside away from the border."""
    part = _largest(mask)
    top, left, window = _window(part)
    (row, col), far = innermost(window)
    if rng.random() < 0.4:
        rows, cols = np.nonzero(far >= rng.uniform(0.15, 0.7) * far.max())
        pick = int(rng.integers(len(rows)))
        row, col = rows[pick], cols[pick]
    return float(col + left), float(row + top)


def drawn_box(mask: np.ndarray, rng) -> tuple:
    """(left, top, right, bottom) edges about the mask, each off by some hundredths of a side."""
    rows, cols = np.any(mask, 1).nonzero()[0], np.any(mask, 0).nonzero()[0]
    high, wide = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
    off = rng.normal(0, 0.04, 4) * (wide, high, wide, high) + rng.normal(0, 0.7, 4)
    edges = np.array([cols[0] - 0.5, rows[0] - 0.5, cols[-1] + 0.5, rows[-1] + 0.5]) + off
    return tuple(np.clip(edges, -0.5, np.array(mask.shape * 2)[[1, 0, 3, 2]] - 0.5))


def correction(found: np.ndarray, truth: np.ndarray, rng) -> tuple:
    """(x, y, label) in the middle of the largest error, (nan, nan, -1) when there is none."""
    wrong = found ^ truth
    if not wrong.any():
        return np.nan, np.nan, -1.0
    top, left, window = _window(_largest(wrong))
    (row, col), far = innermost(window)
    if rng.random() < 0.3:
        inside = np.argwhere(far >= 0.5 * far.max())
        row, col = inside[int(rng.integers(len(inside)))]
    row, col = row + top, col + left
    return float(col), float(row), float(truth[row, col])
