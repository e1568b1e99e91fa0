"""Painting class codes over a class raster without touching it.

What is painted stands in a sparse raster and in a journal beside it; a VRT shows both. The map is
read by windows, however large it is.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from .. import rasters
from ..errors import ConcordError
from ..grid import Window
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from .region import Region
from .steps import Journal, Part, Step, journal_path, packed

LARGEST = 16_000_000  # pixels that one stroke or outline may cover
NEAR = 512  # pixels across the place in which a region is filled while the user waits
_turns = itertools.count()


class Painting:
    """Unsaved painting on one class raster; goes on where an earlier session stopped.

    Args:
        labels: the map; it is only read.
        folder: where journal, sparse raster and VRT stand; beside the map when left out.
        joins: another one of the same map stands open; its files are taken as they are.

    Raises:
        ConcordError: the map is no class raster, or the folder cannot be written.
    """

    def __init__(self, labels: str, folder: str | Path | None = None, joins: bool = False):
        self.labels = str(labels)
        self.journal = Journal(journal_path(labels, folder), self.labels)
        self._map = ClassRaster(labels)
        try:
            if self.journal.path.exists():
                self.journal.load()
            base = str(self.journal.path)
            self.vrt = base + ".vrt"
            joins = joins and Path(base + ".tif").exists()
            self._codes = rasters.SparseCodes(base + ".tif", self.grid, fresh=not joins)
            if not joins:
                for step in self.journal.live:
                    self._codes.write_all((p.codes("after"), p.window) for p in step.parts)
                self._show()
        except ConcordError:
            self._map.close()
            raise

    def catch_up(self) -> None:
        """Take over the steps that another Painting of the same map has written."""
        self.journal.load()
        self._show()

    def _show(self) -> None:
        """Write the VRT with another spelling of the sparse raster's path at each step.

        GDAL keeps the sources of VRTs open by their names, and while the map is being drawn it
        would answer the next reader with the pixels of before.
        """
        turn = next(_turns) % 64
        path = self._codes.path
        above = "/".join([str(path.absolute().parent), *["."] * turn, path.name])
        nodata = self._map.info.bands[0].nodata
        rasters.overlay_vrt(self.vrt, self.labels, above, self.grid, nodata)

    @property
    def grid(self):
        return self._map.grid

    @property
    def modified(self) -> bool:
        """True while some step holds."""
        return self.journal.place > 0

    @property
    def can_redo(self) -> bool:
        """True while a step that was taken back can be made again."""
        return self.journal.place < len(self.journal.steps)

    def read(self, window: Window) -> np.ndarray:
        """Codes (rows, cols) as uint8 with what is painted."""
        codes, above = self._map.read(window), self._codes.read(window)
        return np.where(above == rasters.EMPTY, codes, above).astype(np.uint8)

    def paint(self, shapes: list, code: int, told: dict, free: bool = False, way=None) -> int:
        """Give the pixels inside polygons a code, as one step; how many changed.

        Args:
            shapes: GeoJSON polygons in the map's CRS; a pixel counts by its centre.
            code: 0 to 255; 0 takes labels away.
            told: what the step keeps: title, class name and colour, annotator, time.
            free: only where there is no label yet (code 0).
            way: GeoJSON of a line or point every pixel of which counts too, so that a thin brush
                leaves no gaps.

        Raises:
            ConcordError: outside the map, or too large.
        """
        window = self._window(shapes)
        grid = self.grid.sub(window)
        mask = rasters.burn([(shape, 1) for shape in shapes], grid).astype(bool)
        if way is not None:
            mask |= rasters.burn([(way, 1)], grid, touched=True).astype(bool)
        return self._give(window, mask, code, told, free)

    def _pixel(self, x: float, y: float) -> tuple:
        col, row = (int(np.floor(v)) for v in self.grid.colrow(x, y))
        if not (0 <= col < self.grid.width and 0 <= row < self.grid.height):
            raise ConcordError("There is no pixel of the map; click inside it.")
        return col, row

    def fill_near(self, x: float, y: float, code: int, told: dict) -> int | None:
        """Fill (see ``fill``) where the region ends within NEAR pixels; None where it does not."""
        col, row = self._pixel(x, y)
        half = NEAR // 4
        while half <= NEAR // 2:
            window = Window(col - half, row - half, 2 * half, 2 * half)
            window = window.clipped(self.grid.width, self.grid.height)
            codes = self.read(window)
            spot = row - window.row, col - window.col
            parts, _count = ndimage.label(codes == codes[spot])
            region = parts == parts[spot]
            if not self._cut(region, window):
                return self._give(window, region, code, told, False)
            half *= 2
        return None

    def fill(self, x: float, y: float, code: int, told: dict, progress: Progress = SILENT) -> int:
        """Give the region of equal codes around a place (map units) a code, as one step.

        Returns:
            how many pixels changed.

        Raises:
            ConcordError: outside the map.
            Cancelled: asked for while the region was looked for; nothing is painted then.
        """
        col, row = self._pixel(x, y)
        if int(self.read(Window(col, row, 1, 1))[0, 0]) == code:
            return 0
        region = Region(self.read, self.grid.width, self.grid.height)
        region.grow(col, row, progress.part(0, 70))
        parts, filling = [], progress.part(70, 95)
        for window, mask in region.tiles():
            filling.report(len(parts), region.count, "Filling")
            parts.append(self._part(window, mask, code))
        self._keep(parts, {**told, "code": code, "pixels": region.pixels})
        return region.pixels

    def _cut(self, region: np.ndarray, window: Window) -> bool:
        """True when a region goes on beyond the window."""
        return bool(
            (window.col > 0 and region[:, 0].any())
            or (window.row > 0 and region[0].any())
            or (window.col + window.width < self.grid.width and region[:, -1].any())
            or (window.row + window.height < self.grid.height and region[-1].any())
        )

    def _window(self, shapes: list) -> Window:
        points = np.concatenate([np.asarray(s["coordinates"][0], float)[:, :2] for s in shapes])
        bounds = (*points.min(axis=0), *points.max(axis=0))
        window = self.grid.window_of(bounds, "The stroke")
        if window.width * window.height > LARGEST:
            millions = window.width * window.height / 1e6
            raise ConcordError(f"This covers {millions:.0f} million pixels at once; zoom in.")
        return window

    def _give(self, window: Window, mask: np.ndarray, code: int, told: dict, free: bool) -> int:
        now = self.read(window)
        mask = mask & (now != code)
        if free:
            mask &= now == 0
        count = int(np.count_nonzero(mask))
        if count:
            part = self._part(window, mask, code)
            self._keep([part], {**told, "code": code, "pixels": count})
        return count

    def _part(self, window: Window, mask: np.ndarray, code: int) -> Part:
        """What stands and will stand where a mask holds, in a window as small as can be."""
        rows, cols = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        inside = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        small = Window(
            window.col + int(cols[0]), window.row + int(rows[0]), inside.shape[1], inside.shape[0]
        )
        before = self._codes.read(small)
        return Part(small, packed(before), packed(np.where(inside, np.uint16(code), before)))

    def _keep(self, parts: list, told: dict) -> None:
        step = Step(tuple(parts), told)
        self.journal.add(step)  # first, so that a crash in between loses nothing
        for _part in self._putting(step, "after"):
            pass

    def turn(self, back: bool) -> tuple | None:
        """Take the last step back, or make the one that was taken back last again.

        Returns:
            (the step, an iterator that writes one part of it each time), None without a step.
        """
        place = self.journal.place - 1 if back else self.journal.place
        if not 0 <= place < len(self.journal.steps):
            return None
        step = self.journal.steps[place]
        self.journal.move(place if back else place + 1)
        return step, self._putting(step, "before" if back else "after")

    def _putting(self, step: Step, which: str) -> Iterator:
        for part in step.parts:
            self._codes.write_all([(part.codes(which), part.window)])
            yield part
        self._show()

    def undo(self) -> Step | None:
        """Take the last step back at once; it, or None when there is none."""
        return self._turned(True)

    def redo(self) -> Step | None:
        """Make the step that was taken back last again, at once."""
        return self._turned(False)

    def _turned(self, back: bool) -> Step | None:
        step, work = self.turn(back) or (None, ())
        for _part in work:
            pass
        return step

    def close(self) -> None:
        """Close the map; what is painted stays on disk."""
        self._map.close()

    def forget(self) -> None:
        """Close and remove what is painted: it is saved, or meant to be lost."""
        self.close()
        for suffix in ("", ".tif", ".vrt", ".vrt.aux.xml", ".tif.aux.xml"):
            with contextlib.suppress(OSError):
                Path(f"{self.journal.path}{suffix}").unlink()
