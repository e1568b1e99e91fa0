"""What a user points at and what a provider answers, the same for every kind of model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..errors import ConcordError


@dataclass(frozen=True)
class Prompt:
    """Points and a box for one object, in pixels of the image they are used on.

    Args:
        points: (n, 2) columns and rows, 0.5 is the centre of the first pixel.
        labels: n values, 1 belongs to the object, 0 does not.
        box: (left, top, right, bottom) or None.
        mask: where the object is thought to be, as the image is shaped: bool (an old outline),
            or the logits of an earlier answer on the same image.
    """

    points: tuple = ()
    labels: tuple = ()
    box: tuple | None = None
    mask: np.ndarray | None = field(default=None, compare=False)

    def __post_init__(self):
        if len(self.points) != len(self.labels):
            raise ConcordError("Every prompt point needs a label of 1 or 0; complete the labels.")
        if self.box is None and self.mask is None and 1 not in self.labels:
            raise ConcordError(
                "A prompt needs a point with label 1 or a box; click on the object first."
            )

    def moved(self, col: float, row: float, wide: float = 1.0, high: float = 1.0) -> Prompt:
        """The prompt seen from a window at (col, row), decimated by ``wide`` and ``high``."""
        points = tuple(((x - col) / wide, (y - row) / high) for x, y in self.points)
        box = self.box
        if box is not None:
            left, top, right, bottom = box
            box = (
                (left - col) / wide,
                (top - row) / high,
                (right - col) / wide,
                (bottom - row) / high,
            )
        return Prompt(points, self.labels, box, self.mask)

    @property
    def is_ambiguous(self) -> bool:
        """One click may mean a part, a whole or a group; anything more says which."""
        return len(self.points) == 1 and self.box is None and self.mask is None

    @property
    def bounds(self) -> tuple:
        """(left, top, right, bottom) around everything pointed at."""
        xs = [x for x, _ in self.points]
        ys = [y for _, y in self.points]
        if self.box is not None:
            xs += [self.box[0], self.box[2]]
            ys += [self.box[1], self.box[3]]
        return (min(xs), min(ys), max(xs), max(ys))


@dataclass(frozen=True)
class Candidate:
    """One proposed mask (rows, cols) of bool with the provider's own score 0-1.

    ``logits`` is what the provider wants back as a mask prompt, None when it takes none;
    ``stability`` is the IoU of the masks at a lower and a higher threshold.
    """

    mask: np.ndarray
    score: float
    logits: np.ndarray | None = None
    stability: float | None = None


@dataclass
class Encoding:
    """What a provider keeps of an image so that further prompts are quick."""

    shape: tuple
    content: dict = field(default_factory=dict)  # arrays by name


class Prompter(Protocol):
    """The interface of every provider: encode an image once, then answer prompts on it.

    ``tile`` is the side in pixels of the images it likes; ``takes_masks`` tells whether a mask
    prompt changes its answer.
    """

    id: str
    tile: int
    takes_masks: bool

    def encode(self, image: np.ndarray, valid: np.ndarray) -> Encoding:
        """Prepare a composite (rows, cols, 3) of uint8; ``valid`` is False without data."""

    def predict(self, encoding: Encoding, prompt: Prompt) -> list:
        """Candidates for one object, the best one first."""
