"""The one grid of a scene: CRS, transform and size, with snapping, windows and tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ConcordError

Bounds = tuple  # (left, bottom, right, top) in map units


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: column and row of the upper left one, width and height."""

    col: int
    row: int
    width: int
    height: int

    @property
    def slices(self) -> tuple:
        """(rows, columns) to index an array of the whole grid."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )

    def grown(self, halo: int) -> Window:
        """The window with ``halo`` pixels more on every side; may leave the grid."""
        return Window(
            self.col - halo, self.row - halo, self.width + 2 * halo, self.height + 2 * halo
        )

    def clipped(self, width: int, height: int) -> Window:
        """The part inside a grid of ``width`` x ``height``; its size is 0 when outside."""
        col, row = max(0, self.col), max(0, self.row)
        right = min(width, self.col + self.width)
        below = min(height, self.row + self.height)
        return Window(col, row, max(0, right - col), max(0, below - row))

    @property
    def is_empty(self) -> bool:
        return self.width <= 0 or self.height <= 0


@dataclass(frozen=True)
class Tile:
    """One unit of work: the ``core`` it answers for and the ``window`` it reads."""

    core: Window
    window: Window


@dataclass(frozen=True)
class Grid:
    """CRS (WKT or authority code; '' when unknown), affine transform and size.

    ``transform`` is (a, b, c, d, e, f): x = a*col + b*row + c, y = d*col + e*row + f,
    in map units, for the outer corner of pixel (0, 0).
    """

    crs: str
    transform: tuple
    width: int
    height: int

    def xy(self, col: float, row: float) -> tuple:
        """Map coordinates of a pixel position (0, 0 is the outer corner)."""
        a, b, c, d, e, f = self.transform
        return (a * col + b * row + c, d * col + e * row + f)

    def colrow(self, x: float, y: float) -> tuple:
        """Fractional pixel position of map coordinates."""
        a, b, c, d, e, f = self.transform
        det = a * e - b * d
        dx, dy = x - c, y - f
        return ((e * dx - b * dy) / det, (a * dy - d * dx) / det)

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) in map units, also for rotated grids."""
        corners = [self.xy(col, row) for col in (0, self.width) for row in (0, self.height)]
        xs, ys = zip(*corners)
        return (min(xs), min(ys), max(xs), max(ys))

    @property
    def pixel_size(self) -> tuple:
        """Width and height of a pixel in map units, both positive."""
        a, b, _, d, e, _ = self.transform
        return (math.hypot(a, d), math.hypot(b, e))

    @property
    def window(self) -> Window:
        return Window(0, 0, self.width, self.height)

    def sub(self, window: Window) -> Grid:
        """The grid of a window."""
        x, y = self.xy(window.col, window.row)
        a, b, _, d, e, _ = self.transform
        return Grid(self.crs, (a, b, x, d, e, y), window.width, window.height)

    def window_of(
        self, bounds: Bounds, what: str = "The extent", own: str = "the raster"
    ) -> Window:
        """The smallest window of whole pixels that covers ``bounds``, clipped to the grid.

        Args:
            what, own: what ``bounds`` and the grid belong to, for the words of a refusal.

        Raises:
            ConcordError: ``bounds`` is empty or does not touch the grid.
        """
        left, bottom, right, top = bounds
        if not (right > left and top > bottom):
            raise ConcordError(f"{what} is empty; draw or choose an extent with an area.")
        if not all(map(math.isfinite, bounds)):
            raise ConcordError(f"{what} is not finite in the CRS {self.crs}; choose a smaller one.")
        spots = [self.colrow(x, y) for x in (left, right) for y in (bottom, top)]
        cols, rows = zip(*spots)
        # A thousandth of a pixel is rounding noise of the extent, not a wish for one more.
        col, row = math.floor(min(cols) + 1e-3), math.floor(min(rows) + 1e-3)
        end_col, end_row = math.ceil(max(cols) - 1e-3), math.ceil(max(rows) - 1e-3)
        wide, high = max(1, end_col - col), max(1, end_row - row)
        window = Window(col, row, wide, high).clipped(self.width, self.height)
        if window.is_empty:
            raise ConcordError(f"{what} does not overlap {own}; choose one of the same place.")
        return window

    def tiles(self, size: int, halo: int = 0, within: Window | None = None) -> Iterator[Tile]:
        """Tiles in row order; cores partition ``within``, windows add the halo, clipped."""
        area = within or self.window
        for row in range(area.row, area.row + area.height, size):
            height = min(size, area.row + area.height - row)
            for col in range(area.col, area.col + area.width, size):
                width = min(size, area.col + area.width - col)
                core = Window(col, row, width, height)
                yield Tile(core, core.grown(halo).clipped(self.width, self.height))

    def tile_count(self, size: int, within: Window | None = None) -> int:
        area = within or self.window
        return math.ceil(area.width / size) * math.ceil(area.height / size)

    def aligned(self, other: Grid, tolerance: float = 0.01) -> bool:
        """True when size and corners agree within ``tolerance`` pixels (CRS not compared)."""
        if (self.width, self.height) != (other.width, other.height):
            return False
        for col, row in ((0, 0), (self.width, 0), (0, self.height)):
            c, r = self.colrow(*other.xy(col, row))
            if abs(c - col) > tolerance or abs(r - row) > tolerance:
                return False
        return True

    def describe(self) -> dict:
        """Plain values for a report."""
        return {
            "crs": self.crs,
            "transform": list(self.transform),
            "width": self.width,
            "height": self.height,
            "pixel_size": list(self.pixel_size),
            "bounds": list(self.bounds),
        }
