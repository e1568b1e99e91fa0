"""Points to chips: a chip around every labelled point, as InstaGeo makes them.

Only the pixels near a point carry its label; everything else is ignore (255), never class 0, so
that a model is not taught that unlabelled land is background.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import rasters, taxonomy
from ..errors import ConcordError
from ..grid import Grid, Window
from ..taxonomy import IGNORE


@dataclass(frozen=True)
class Point:
    """A labelled place in the CRS of the images: x, y, class code."""

    x: float
    y: float
    code: int


class PointLabels:
    """Labels that only points know; stands in for a class raster in ``export.export``.

    Args:
        points: ``Point`` list in the CRS of ``grid``.
        grid: the chips' grid, that of the reference image.
        reach: pixels around the point's own that carry its label too, as a square.
        path: what the points are called, for the datasheet.

    Raises:
        ConcordError: no point lies on the grid, or a code is outside 1-254.
    """

    def __init__(self, points: list, grid: Grid, reach: int = 0, path: str = "points"):
        self.grid, self.path, self._reach = grid, path, reach
        wrong = next((p for p in points if not 0 < p.code < IGNORE), None)
        if wrong is not None:
            raise ConcordError(
                f"The points hold the label {wrong.code}; class codes are 1 to 254, recode them."
            )
        self._pixels = []
        for point in points:
            col, row = (int(np.floor(v)) for v in grid.colrow(point.x, point.y))
            if 0 <= col < grid.width and 0 <= row < grid.height:
                self._pixels.append((col, row, point.code))
        if not self._pixels:
            raise ConcordError("No point lies on the images; check the points' CRS.")

    @property
    def key(self) -> list:
        """What the labels depend on, for resuming a killed run."""
        return [self._pixels, self._reach]

    def windows(self, width: int, height: int) -> list:
        """One window a point, centred on it, inside the grid; points in one window share it."""
        if width > self.grid.width or height > self.grid.height:
            raise ConcordError(
                f"The images are {self.grid.width} x {self.grid.height} pixels, smaller than a "
                f"chip of {width}; choose a smaller CHIP_SIZE."
            )
        found = {}
        for col, row, _ in self._pixels:
            left = min(max(0, col - width // 2), self.grid.width - width)
            top = min(max(0, row - height // 2), self.grid.height - height)
            found[(top, left)] = Window(left, top, width, height)
        return [found[key] for key in sorted(found)]

    def read(self, window: Window) -> np.ndarray:
        """Codes (rows, cols) uint8: the points' labels, 255 elsewhere."""
        label = np.full((window.height, window.width), IGNORE, np.uint8)
        for col, row, code in self._pixels:
            x, y = col - window.col, row - window.row
            right, low = x + self._reach + 1, y + self._reach + 1
            if right > 0 and low > 0:
                label[max(0, y - self._reach) : low, max(0, x - self._reach) : right] = code
        return label

    def taxonomy(self, given: str = ""):
        """The scheme given, else 'class N' for the codes of the points."""
        codes = sorted({code for _, _, code in self._pixels})
        if given:
            scheme = taxonomy.load(given)
            scheme.check(codes, Path(self.path).name)
            return scheme
        classes = tuple(taxonomy.ClassDef(c, f"class {c}", taxonomy.colour_of(c)) for c in codes)
        name = Path(self.path).stem
        return taxonomy.Taxonomy(name, name, classes, "no taxonomy given: classes named by code")


def labels_of(records: list, crs: str, image: str, reach: int, path: str) -> PointLabels:
    """Point labels on the grid of an image from (x, y, code) in any CRS."""
    info = rasters.require_crs(rasters.info(image))
    if not records:
        raise ConcordError("There is no point; choose a layer with labelled points.")
    moved = rasters.transform_points([(x, y) for x, y, _ in records], crs, info.grid.crs)
    points = [Point(x, y, int(record[2])) for (x, y), record in zip(moved, records)]
    return PointLabels(points, info.grid, reach, path)
