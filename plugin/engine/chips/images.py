"""All images of an export, opened; several dates of one sensor as one where that is wished."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ConcordError
from ..grid import Grid, Window
from .sources import Cut, Image
from .stac import asset_name


class Median:
    """Several dates of one sensor as one image: the median of the valid values a pixel."""

    def __init__(self, images: list, name: str):
        first = images[0]
        self.name, self.images = name, images
        self.recognised, self.info, self.path = first.recognised, first.info, first.path
        self.nodata, self.dtype = np.nan, "float32"
        self.native, self.is_resampled = first.native, first.is_resampled
        self.moved, self.resampling = first.moved, first.resampling
        self.date = ""

    bands = Image.bands
    stretch = Image.stretch
    picture = Image.picture
    encode = Image.encode

    @property
    def indexes(self) -> list:
        return self.images[0].indexes

    @property
    def inputs(self) -> list:
        return [image.path for image in self.images]

    @property
    def dates(self) -> list:
        return sorted(d for image in self.images for d in image.dates)

    def touches(self, bounds: tuple) -> bool:
        return any(image.touches(bounds) for image in self.images)

    def cut(self, window: Window, grid: Grid) -> Cut | None:
        cuts = [c for c in (image.cut(window, grid) for image in self.images) if c is not None]
        if not cuts:
            return None
        stack = np.stack([np.where(c.valid, c.array, np.nan).astype(np.float32) for c in cuts])
        known = ~np.isnan(stack).all(axis=0)
        middle = np.full(stack.shape[1:], np.nan, np.float32)
        middle[known] = np.nanmedian(stack[:, known], axis=0)
        return Cut(self.name, middle, cuts[0].grid, self)

    def close(self) -> None:
        for image in self.images:
            image.close()


def open_images(stack, imagery, grid: Grid, wish, dates: list) -> list:
    """Every image, opened; ``stack`` closes them. Dates of one sensor become one with median."""
    images, taken = [], set()
    for path, date in zip(imagery, dates):
        name = asset_name(path, taken)
        taken.add(name)
        image = Image(path, grid, name, wish.resolution == "native", date)
        stack.callback(image.close)
        if not image.touches(grid.bounds):
            raise ConcordError(
                f"No chip holds image data of {Path(path).name}, which does not overlap the "
                "labels; leave it out or choose another."
            )
        images.append(image)
    if wish.dates == "median":
        images = _medians(images, taken)
    return images


def _medians(images: list, taken: set) -> list:
    groups: dict = {}
    for image in images:
        key = (image.recognised.sensor, tuple(b.name for b in image.bands), image.info.grid)
        groups.setdefault(key, []).append(image)
    merged = []
    for (sensor, _, _), members in groups.items():
        if len(members) == 1:
            merged += members
            continue
        name = asset_name(f"{sensor}_median", taken)
        taken.add(name)
        merged.append(Median(members, name))
    return merged
