"""Which chips a label raster gives, what they are called and what they hold."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid, Window
from ..taxonomy import IGNORE, NO_DATA

MOST_CHIPS = 200_000


@dataclass(frozen=True)
class Chip:
    """A place to cut: id, window on the label grid, bounds in map units."""

    id: str
    window: Window
    bounds: tuple

    @property
    def centre(self) -> tuple:
        left, bottom, right, top = self.bounds
        return ((left + right) / 2, (bottom + top) / 2)


@dataclass(frozen=True)
class Content:
    """What a chip's labels hold: pixels by class code, labelled share, mean score 0-1.

    ``undecided`` is the share of ignored pixels, ``agreement`` the mean over labelled pixels,
    ``annotators`` their median number a pixel, ``clear`` the share without cloud, ``match`` the
    share of objects that a second mask has too; None is unknown.
    """

    counts: np.ndarray
    labelled: float
    score: float | None
    undecided: float = 0.0
    agreement: float | None = None
    annotators: float | None = None
    clear: float | None = None
    match: float | None = None


@dataclass(frozen=True)
class Gate:
    """What a chip must hold to leave; rejected ones are listed with the reason.

    Args:
        min_score: mean consensus posterior of the labelled pixels, 0-1.
        min_labelled: share of pixels that carry a class, 0-1.
        min_agreement: mean agreement of the labelled pixels, 0-1.
        max_undecided: largest share of ignored pixels (255), 0-1.
        min_annotators: median number of annotators a labelled pixel.
        min_clear: share of clear pixels, 0-1.
        max_nodata: largest share of pixels without data in any image, 0-1.
        min_match: share of objects that a second mask has too, 0-1.
    """

    min_score: float = 0.0
    min_labelled: float = 0.0
    min_agreement: float = 0.0
    max_undecided: float = 1.0
    min_annotators: float = 0.0
    min_clear: float = 0.0
    max_nodata: float = 1.0
    min_match: float = 0.0

    def problem(self, content: Content) -> str:
        """Why a chip is rejected, or ''."""
        if content.labelled <= 0:
            return "no labelled pixel"
        for value, least, what in (
            (content.labelled, self.min_labelled, "labelled share"),
            (content.score, self.min_score, "mean posterior"),
            (content.agreement, self.min_agreement, "mean agreement"),
            (content.annotators, self.min_annotators, "number of annotators"),
            (content.clear, self.min_clear, "clear share"),
            (content.match, self.min_match, "object match score"),
        ):
            if value is not None and value < least:
                return f"{what} {value:.2f} below {least:.2f}"
        if content.undecided > self.max_undecided:
            return f"undecided share {content.undecided:.2f} above {self.max_undecided:.2f}"
        return ""

    def image_problem(self, missing: float) -> str:
        """Why a chip with this share of missing image pixels is rejected, or ''."""
        if missing >= 1:
            return "no image data"
        if missing > self.max_nodata:
            return f"share without image data {missing:.2f} above {self.max_nodata:.2f}"
        return ""


@dataclass(frozen=True)
class Planned:
    """A chip that passed the gate; ``number`` is its place in the set, ``domain`` its group."""

    chip: Chip
    content: Content
    block: tuple = field(default=(0, 0))
    split: str = ""
    number: int = 0
    domain: str = ""


def _prefix(crs: str) -> str:
    code = rasters.epsg(crs)
    return str(code) if code else "x" + hashlib.sha256(crs.encode()).hexdigest()[:8]


def _corner(grid: Grid) -> tuple:
    """Whole pixels from the origin of the CRS to the grid's corner, (right, up).

    Rounded at 0.377, because grids are shifted by halves, thirds or quarters of a pixel and must
    not fall to either side by rounding noise.
    """
    col, row = grid.colrow(0.0, 0.0)
    return math.floor(-col + 0.377), math.floor(row + 0.377)


def require_straight(grid: Grid, formats) -> None:
    """Refuse a format that cannot say where the chips of a turned grid lie.

    Raises:
        ConcordError: ``formats`` has netcdf and the rows of the grid do not run east.
    """
    if "netcdf" in formats and (grid.transform[1] or grid.transform[3]):
        raise ConcordError(
            "NetCDF has one axis for x and one for y and cannot hold turned chips; set ROTATION to "
            "0 and warp a turned label raster first, or leave netcdf out."
        )


def turned(grid: Grid, degrees: float) -> Grid:
    """The grid of the same pixel size over the same area, turned anticlockwise.

    Its pixels are counted from the origin of the CRS, so that the same angle gives the same chips
    whatever part of the area the labels show.
    """
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b, _, d, e, _ = grid.transform
    spun = (cos * a - sin * d, cos * b - sin * e, 0.0, sin * a + cos * d, sin * b + cos * e, 0.0)
    base = Grid(grid.crs, spun, 1, 1)
    corners = [grid.xy(col, row) for col in (0, grid.width) for row in (0, grid.height)]
    cols, rows = zip(*(base.colrow(x, y) for x, y in corners))
    left, top = math.floor(min(cols)), math.floor(min(rows))
    width, height = math.ceil(max(cols)) - left, math.ceil(max(rows)) - top
    return base.sub(Window(left, top, width, height))


def chip_grid(
    grid: Grid,
    size: int,
    stride: int,
    height: int | None = None,
    cell_km: float = 0.0,
    angle: float = 0.0,
) -> list:
    """Whole chips over a grid, from its corner.

    An id is EPSG code, column and row of the chip's corner counted in pixels from the origin of
    the CRS, so that a re-export of the same grid has the same ids.

    Args:
        size: columns of a chip, and rows too unless ``height`` says otherwise.
        cell_km: with a value, the Major TOM cell of that spacing stands before the id.
        angle: degrees that the grid was turned by; the ids name it.
    """
    height = height or size
    if min(size, height) < 8 or stride < 1:
        raise ConcordError(
            f"Chips of {size} pixels at a stride of {stride} cannot be cut; use a size of at "
            "least 8 and a stride of at least 1."
        )
    if size > grid.width or height > grid.height:
        raise ConcordError(
            f"The labels are {grid.width} x {grid.height} pixels, smaller than a chip of {size}; "
            "choose a smaller CHIP_SIZE."
        )
    down = height if stride == size else stride  # chips that touch touch both ways
    count = ((grid.width - size) // stride + 1) * ((grid.height - height) // down + 1)
    if count > MOST_CHIPS:
        raise ConcordError(
            f"That would be {count:,} chips; choose a larger stride (at most {MOST_CHIPS:,})."
        )
    windows = (
        Window(col, row, size, height)
        for row in range(0, grid.height - height + 1, down)
        for col in range(0, grid.width - size + 1, stride)
    )
    return chips_of(grid, windows, cell_km, angle)


def chips_of(grid: Grid, windows, cell_km: float = 0.0, angle: float = 0.0) -> list:
    """The chips of windows of a grid, with their ids."""
    prefix, (left, top) = _prefix(grid.crs), _corner(grid)
    if angle:
        prefix += "_r" + f"{angle:g}".replace("-", "m").replace(".", "p")
    chips = []
    for window in windows:
        name = f"{prefix}_{left + window.col}_{top - window.row}"
        chips.append(Chip(name, window, grid.sub(window).bounds))
    if cell_km:
        spots = rasters.transform_points([c.centre for c in chips], grid.crs, "EPSG:4326")
        chips = [
            Chip(f"{majortom_cell(lat, lon, cell_km)}_{c.id}", c.window, c.bounds)
            for c, (lon, lat) in zip(chips, spots)
        ]
    return chips


def majortom_cell(lat: float, lon: float, spacing: float) -> str:
    """The Major TOM cell that holds a place, such as '199U_1099R'.

    Rows part the arc from pole to pole evenly, columns part each row's parallel; the cell is named
    by its lower left corner, counted from the equator and from Greenwich (Francis and Czerkawski
    2024, "Major TOM: Expandable Datasets for Earth Observation").

    Args:
        spacing: kilometres between grid points.
    """
    radius = 6378.137
    step = 180.0 / math.ceil(math.pi * radius / spacing)
    row = math.floor(lat / step)
    around = 2 * math.pi * radius * math.cos(math.radians(row * step))
    column = math.floor(lon / (360.0 / max(1, math.ceil(around / spacing))))
    up = f"{row}U" if row >= 0 else f"{-row}D"
    return f"{up}_{column}R" if column >= 0 else f"{up}_{-column}L"


def content_of(labels: np.ndarray, score: np.ndarray | None, **more) -> Content:
    """Count a chip's labels (rows, cols) and average its posterior 0-100 (rows, cols)."""
    counts = np.bincount(labels.ravel(), minlength=256).astype(np.uint32)
    unknown, ignored = int(counts[NO_DATA]), int(counts[IGNORE])
    share = (labels.size - unknown - ignored) / labels.size
    mean = None
    if score is not None and share:
        usable = (labels != NO_DATA) & (labels != IGNORE)
        mean = float(score[usable].mean() / 100.0)
    return Content(counts, share, mean, ignored / labels.size, **more)
