"""The sample scene: everything a first run of Concord needs, made from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError
from ..grid import Grid
from ..progress import SILENT, Progress
from . import annotators, landscape, prompts, sensors

SMALLEST = 128
PIXEL = 10.0  # metres
CRS = "EPSG:32632"
CORNER = (584000.0, 5402000.0)  # upper left corner; the place means nothing


@dataclass
class Sample:
    """A synthetic scene of (size, size) pixels of 10 m in EPSG:32632.

    optical: (4, size, size) float32 reflectance, blue green red nir;
    radar: (2, size, size) float32 dB, VV VH;
    elevation: (size // 2, size // 2) float32 metres, 20 m pixels;
    truth, noisy: uint8 class codes of the taxonomy concord-sample;
    annotators: name -> uint8 class codes, 0 = unlabelled;
    prompts: list of Prompt; objects: uint8, the true mask of each prompt's object.
    """

    seed: int
    size: int
    optical: np.ndarray
    radar: np.ndarray
    elevation: np.ndarray
    truth: np.ndarray
    noisy: np.ndarray
    annotators: dict
    prompts: list
    objects: np.ndarray

    @property
    def grid(self) -> Grid:
        """The 10 m grid of all rasters but the elevation."""
        return Grid(CRS, (PIXEL, 0.0, CORNER[0], 0.0, -PIXEL, CORNER[1]), self.size, self.size)

    @property
    def elevation_grid(self) -> Grid:
        step = 2 * PIXEL
        half = self.elevation.shape[0]
        return Grid(CRS, (step, 0.0, CORNER[0], 0.0, -step, CORNER[1]), half, half)


def generate(seed: int = 1, size: int = 1024, progress: Progress = SILENT) -> Sample:
    """Make the scene of a seed; the same seed and size give the same values.

    Args:
        seed: 0 or more.
        size: rows and columns, 128 or more.

    Raises:
        ConcordError: a size below 128 or a negative seed.
        Cancelled: the user stopped the run.
    """
    if size < SMALLEST:
        raise ConcordError(
            f"A sample scene of {size} pixels is too small; ask for {SMALLEST} or more."
        )
    if seed < 0:
        raise ConcordError(f"The seed {seed} is negative; give 0 or a positive whole number.")
    steps = 4 + len(annotators.PEOPLE)
    progress.report(0, steps, "sample scene: land", "steps")
    land = landscape.build(seed, size)
    progress.report(1, steps, "sample scene: images", "steps")
    optical = sensors.optical(seed, land)
    radar = sensors.radar(seed, land)
    height = sensors.elevation(seed, land)
    progress.report(2, steps, "sample scene: noisy map", "steps")
    noisy = annotators.product(seed, land)
    people = {}
    for number, name in enumerate(annotators.PEOPLE):
        progress.report(3 + number, steps, f"sample scene: {name}'s labels", "steps")
        people[name] = annotators.annotate(seed, land, name)
    clicks, objects = prompts.choose(seed, land)
    progress.report(steps, steps, "sample scene", "steps")
    return Sample(seed, size, optical, radar, height, land.truth, noisy, people, clicks, objects)
