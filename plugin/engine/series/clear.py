"""What of a date is clear: quality layers decoded, or a simple test of the imagery itself."""

from __future__ import annotations

import contextlib

import numpy as np

from .. import rasters
from ..grid import Grid, Window
from ..scene import Scene
from .dated import Dated, Mask

CLEAR, CLOUDED, NO_DATA = 1, 0, -1
_VISIBLE = ("blue", "green", "red")
SIMPLE_TEST = "brightness and greenness of the image (Braaten, Cohen and Yang 2015), no mask"
ONLY_DATA = "data or no data of the image, no mask"


class ClearReader:
    """Reads, for one date, int8 windows of 1 clear, 0 not clear, -1 no data.

    Quality layers decide where there are any; else optical imagery is tested for brightness,
    which is a draft only. Radar is always clear.
    """

    def __init__(self, dated: Dated, grid: Grid):
        self._stack = contextlib.ExitStack()
        self._masks, self._scenes, self._bands = [], [], ()
        if dated.masks:
            self.method = "; ".join(dict.fromkeys(mask.title for mask in dated.masks))
            for mask in dated.masks:
                raster = self._stack.enter_context(rasters.Raster(mask.path, grid, "nearest"))
                self._masks.append((mask, raster))
            return
        sensor, files = max(dated.images.items(), key=lambda item: (_optical(item[1]), item[0]))
        self._scenes = [self._open(tile, grid) for tile in _tiles(files)]
        names = self._scenes[0].names
        tested = all(
            set(_VISIBLE) <= set(scene.names) and scene.units(["red"]) == ["reflectance"]
            for scene in self._scenes
        )
        self._bands = _VISIBLE if tested else (names[0],)
        self.method = f"{SIMPLE_TEST if tested else ONLY_DATA} ({sensor})"

    def _open(self, files: list, grid: Grid) -> Scene:
        found = [known for _, known in files]
        scene = Scene([info.path for info, _ in files], grid, recognised=found)
        self._stack.enter_context(scene)
        scene.check_units()
        return scene

    def read(self, window: Window | None = None) -> np.ndarray:
        """State of every pixel of a window, (rows, cols) int8."""
        if self._masks:
            return _joined([_decode(m, r.read(window, [1])[0], r.info) for m, r in self._masks])
        return _joined([self._seen(scene, window) for scene in self._scenes])

    def _seen(self, scene: Scene, window) -> np.ndarray:
        bands = list(self._bands) if set(self._bands) <= set(scene.names) else scene.names[:1]
        planes = scene.read(bands, window)
        state = np.where(np.isfinite(planes).all(axis=0), CLEAR, NO_DATA).astype(np.int8)
        if len(planes) == 3:
            state[(state == CLEAR) & simple_cloud(*planes)] = CLOUDED
        return state

    @property
    def warnings(self) -> list:
        """What the wrong-unit guard says of the imagery that is tested."""
        return [text for scene in self._scenes for text in scene.warnings]

    def close(self) -> None:
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _optical(files: list) -> int:
    """Rank of a sensor's files as witnesses of clouds."""
    kinds = {known.kind for _, known in files}
    names = {band.name for _, known in files for band in known.bands}
    return (2 if "optical" in kinds else 0) + (1 if set(_VISIBLE) <= names else 0)


def _joined(states: list) -> np.ndarray:
    """One state of several that lie beside each other or say the same of one place."""
    state = states[0]
    for other in states[1:]:
        both = (state != NO_DATA) & (other != NO_DATA)
        state = np.where(both, np.minimum(state, other), np.maximum(state, other))
    return state


def _tiles(files: list) -> list:
    """A date's files by tile: those of one place whose bands do not repeat make a scene."""
    tiles: list = []
    for info, known in files:
        names = {band.name for band in known.bands}
        for first, seen, kept in tiles:
            if _beside(info.grid, first) and not names & seen:
                seen |= names
                kept.append((info, known))
                break
        else:
            tiles.append((info.grid, names, [(info, known)]))
    return [kept for _, _, kept in tiles]


def _beside(one: Grid, other: Grid) -> bool:
    """Whether two files cover one place, whatever their pixel sizes."""
    slack = 2 * max(*one.pixel_size, *other.pixel_size)
    same = one.crs == other.crs
    return same and all(abs(a - b) <= slack for a, b in zip(one.bounds, other.bounds))


def _decode(mask: Mask, raw: np.ndarray, info) -> np.ndarray:
    values = np.nan_to_num(raw.astype(np.float32), nan=-1.0)
    empty = values < 0
    nodata = info.bands[0].nodata
    if nodata is not None and not np.isnan(nodata):
        empty |= values == nodata
    if mask.fill is not None:
        empty |= values == mask.fill
    codes = np.clip(values, 0, None).astype(np.int64)
    if mask.kind == "bits":
        if mask.fill_bit:
            empty |= (codes & 1) == 1
        wrong = (codes & sum(1 << bit for bit in mask.bad)) != 0
    elif mask.kind == "classes":
        wrong = np.isin(codes, mask.bad)
    elif mask.kind == "clear":
        wrong = codes == 0
    else:
        wrong = codes != 0
    return np.where(empty, NO_DATA, np.where(wrong, CLOUDED, CLEAR)).astype(np.int8)


def simple_cloud(blue: np.ndarray, green: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Braaten, Cohen and Yang (2015): bright, or half bright and greener than red."""
    with np.errstate(divide="ignore", invalid="ignore"):
        greener = (green - red) / (green + red)
        return (green > 0.39) | ((green > 0.175) & (greener > 0)) | (blue > 0.45)
