"""What answers prompts without weights: the rivals in concord-prompt's table.

Each is a provider as the plugin knows them (`plugin/engine/segment/prompts.py`).
"""

from __future__ import annotations

import numpy as np
from prompt_split import concord
from scipy import ndimage

prompts = concord("prompts")
DISC = 3.0  # pixels around a click that are taken for certain
ROOM = 90.0  # pixels around the clicks in which an object without a box is looked for


class _Rival:
    tile, takes_masks, box_only = 512, False, False

    def encode(self, image, valid):
        return prompts.Encoding(image.shape[:2], {"image": image, "valid": valid})

    def predict(self, encoding, prompt) -> list:
        mask = self.mask(encoding, prompt)
        return [prompts.Candidate(mask, 0.5)] if mask.any() else []


def _near(shape: tuple, prompt, label: int) -> np.ndarray:
    """Pixels within DISC of the clicks with a label."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for (x, y), own in zip(prompt.points, prompt.labels):
        if own == label:
            mask |= np.hypot(cols + 0.5 - x, rows + 0.5 - y) <= DISC
    return mask


def _room(shape: tuple, prompt) -> np.ndarray:
    """The box, or everything within ROOM of the clicks."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    if prompt.box is not None:
        left, top, right, bottom = prompt.box
    else:
        left, top, right, bottom = prompt.bounds
        left, top, right, bottom = left - ROOM, top - ROOM, right + ROOM, bottom + ROOM
    return (cols >= left) & (cols <= right) & (rows >= top) & (rows <= bottom)


def _clicked(mask: np.ndarray, prompt) -> np.ndarray:
    """The parts that hang together with a click on the object; all of them for a box."""
    seeds = _near(mask.shape, prompt, 1) & mask
    parts, _ = ndimage.label(mask)
    return np.isin(parts, np.unique(parts[seeds])) & mask if seeds.any() else mask


class Felzenszwalb(_Rival):
    """Segments of Felzenszwalb and Huttenlocher (2004) that are clicked on, or fill the box."""

    id = "felzenszwalb"

    def encode(self, image, valid):
        from skimage import segmentation

        parts = segmentation.felzenszwalb(image, scale=600, sigma=0.8, min_size=40, channel_axis=-1)
        return prompts.Encoding(image.shape[:2], {"parts": parts})

    def mask(self, encoding, prompt):
        parts = encoding.content["parts"]
        if prompt.box is not None:
            inside = _room(parts.shape, prompt)
            share = np.bincount(parts[inside], minlength=parts.max() + 1)
            chosen = set(np.flatnonzero(share > 0.5 * np.bincount(parts.ravel())))
        else:
            chosen = set()
        for wanted in (0, 1):  # what was clicked on stays, whatever was clicked off in it
            for (x, y), label in zip(prompt.points, prompt.labels):
                if label == wanted:
                    row = int(np.clip(y, 0, parts.shape[0] - 1))
                    col = int(np.clip(x, 0, parts.shape[1] - 1))
                    (chosen.add if label else chosen.discard)(parts[row, col])
        return np.isin(parts, list(chosen))


class GrabCut(_Rival):
    """OpenCV's GrabCut (Rother et al. 2004), started from the clicks' surroundings or the box."""

    id = "grabcut"

    def mask(self, encoding, prompt):
        import cv2

        image = encoding.content["image"]
        room = _room(image.shape[:2], prompt)
        marks = np.where(room, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        if prompt.box is None:
            far = ndimage.distance_transform_edt(~_near(room.shape, prompt, 1))
            marks[room & (far > ROOM / 3)] = cv2.GC_PR_BGD
        marks[_near(room.shape, prompt, 1)] = cv2.GC_FGD
        marks[_near(room.shape, prompt, 0)] = cv2.GC_BGD
        cv2.setRNGSeed(1)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        try:
            cv2.grabCut(np.ascontiguousarray(image[..., ::-1]), marks, None, *models, 4,
                        cv2.GC_INIT_WITH_MASK)  # fmt: skip
        except cv2.error:  # too few pixels of one kind
            return _near(room.shape, prompt, 1)
        return _clicked((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), prompt)


class RandomWalker(_Rival):
    """Grady's random walker (2006) as scikit-image has it, on pixels of twice the size."""

    id = "random walker"

    def mask(self, encoding, prompt):
        from skimage.segmentation import random_walker

        image = encoding.content["image"]
        step = 2 if max(image.shape) > 128 else 1
        room = _room(image.shape[:2], prompt)
        seeds = np.zeros(room.shape, np.uint8)
        seeds[~room] = 2
        if room.all() or (~room).sum() < 40:
            seeds[:2], seeds[-2:], seeds[:, :2], seeds[:, -2:] = 2, 2, 2, 2
        if prompt.box is not None and 1 not in prompt.labels:
            left, top, right, bottom = prompt.box
            prompt = prompts.Prompt((((left + right) / 2, (top + bottom) / 2),), (1,), prompt.box)
        seeds[_near(room.shape, prompt, 1)] = 1
        seeds[_near(room.shape, prompt, 0)] = 2
        small = seeds[::step, ::step]
        if not (small == 1).any() or not (small == 2).any():
            return seeds == 1
        found = random_walker(image[::step, ::step] / 255.0, small, beta=900, mode="cg_j",
                              tol=1e-2, channel_axis=-1)  # fmt: skip
        found = (found == 1).repeat(step, 0).repeat(step, 1)
        return _clicked(found[: room.shape[0], : room.shape[1]], prompt)


class FilledBox(_Rival):
    """The box itself."""

    id, box_only = "filled box", True

    def mask(self, encoding, prompt):
        return _room(encoding.shape, prompt)


ALL = (Felzenszwalb, GrabCut, RandomWalker, FilledBox)
