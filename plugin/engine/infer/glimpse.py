"""What a run has finished so far, as small pictures read from its journal."""

from __future__ import annotations

import json

import numpy as np

from ..grid import Grid
from .journal import ABOUT, folder_of, zlib_error

WIDEST = 1024  # pixels of a picture along the longer side


def about(grid: Grid, layer, parcels=None) -> dict:
    """What `Glimpse` needs to know of a run; {} when its main layer is not written.

    Args:
        grid: the result's grid.
        layer: the ``tasks.layer.Layer`` of the main result, or None.
        parcels: the ``parcels.Parcels`` that it shows, when it does; what is around them is clear.
    """
    if layer is None:
        return {}
    shown = dict(layer.colours)
    if parcels is not None:
        shown.pop(parcels.background, None)
        shown[parcels.boundary] = shown.get(parcels.interior, (0, 0, 0))
    colours = {str(code): list(colour) for code, colour in shown.items()}
    return {"grid": [grid.crs, list(grid.transform), grid.width, grid.height], "colours": colours}


class Glimpse:
    """Looks again and again at the strips of a run that is under way."""

    def __init__(self, output: str):
        self._folder = folder_of(output)
        self._seen: set = set()
        self._span: tuple | None = None
        self._colours: dict = {}
        self.grid: Grid | None = None
        self.step = 1  # pixels of the result for one of the picture

    @property
    def size(self) -> tuple:
        """(rows, cols) of the whole picture."""
        return -(-self.grid.height // self.step), -(-self.grid.width // self.step)

    def news(self) -> list:
        """[(first row in the picture, (rows, cols, 4) uint8 RGBA)] of strips not seen before."""
        if self.grid is None and not self._opened():
            return []
        found = []
        for path in sorted(self._folder.glob("*.npz")):
            if path.name in self._seen or path.name.endswith(".part.npz"):
                continue
            try:
                row = int(path.name[:9])
                with np.load(path, allow_pickle=False) as content:
                    plane = content["main"][0]
            except (OSError, ValueError, KeyError, EOFError, zlib_error()):
                continue  # the run may have ended meanwhile and taken its journal along
            self._seen.add(path.name)
            first = -row % self.step
            part = plane[first :: self.step, :: self.step]
            if len(part):
                found.append(((row + first) // self.step, self._coloured(part)))
        return found

    def _opened(self) -> bool:
        try:
            said = json.loads((self._folder / ABOUT).read_text(encoding="utf-8"))
            crs, transform, width, height = said["grid"]
        except (OSError, ValueError, KeyError):
            return False
        self.grid = Grid(crs, tuple(transform), width, height)
        self.step = max(1, -(-max(width, height) // WIDEST))
        self._colours = {int(code): colour for code, colour in said["colours"].items()}
        return True

    def _coloured(self, part: np.ndarray) -> np.ndarray:
        if self._colours:
            table = np.zeros((256, 4), np.uint8)
            for code, colour in self._colours.items():
                table[code] = (*colour[:3], 255)
            return table[part]
        finite = np.isfinite(part)
        if self._span is None and finite.any():
            self._span = tuple(float(v) for v in np.percentile(part[finite], (2, 98)))
        low, high = self._span or (0.0, 1.0)
        gray = np.clip((np.nan_to_num(part) - low) / max(high - low, 1e-12) * 255, 0, 255)
        planes = [gray.astype(np.uint8)] * 3 + [np.where(finite, 255, 0).astype(np.uint8)]
        return np.stack(planes, axis=-1)
