"""What a split hides: how far labels resemble their neighbours, scenes in several splits."""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..taxonomy import IGNORE, NO_DATA

_SIDE = 512
_LAGS = 24


def autocorrelation_range(path: str) -> float | None:
    """The distance in map units at which labels stop resembling each other; None if unknown.

    An indicator variogram over all classes (share of unlike pairs at a lag, along rows and
    columns); its range is the first lag that reaches 95 % of the sill, the share of unlike pairs
    picked at random. Computed on at most 512 x 512 pixels.
    """
    info = rasters.info(path)
    grid = info.grid
    step = max(1.0, max(grid.width, grid.height) / _SIDE)
    shape = (max(1, int(grid.height / step)), max(1, int(grid.width / step)))
    with rasters.Raster(path) as raster:
        codes = raster.read(None, [1], shape)[0]
    used = np.isfinite(codes) & (codes != NO_DATA) & (codes != IGNORE)
    _, counts = np.unique(codes[used], return_counts=True)
    if len(counts) < 2:
        return None
    shares = counts / counts.sum()
    sill = 1 - float((shares**2).sum())
    pixel = max(grid.width / shape[1], grid.height / shape[0]) * grid.pixel_size[0]
    longest = min(shape) // 2
    lags = np.unique(np.geomspace(1, max(1, longest), _LAGS).astype(int))
    for lag in lags:
        unlike = pairs = 0
        for one, other in (
            ((slice(lag, None), slice(None)), (slice(None, -lag), slice(None))),
            ((slice(None), slice(lag, None)), (slice(None), slice(None, -lag))),
        ):
            both = used[one] & used[other]
            pairs += int(both.sum())
            unlike += int((codes[one] != codes[other])[both].sum())
        if pairs and unlike / pairs >= 0.95 * sill:
            return float(lag * pixel)
    return float(longest * pixel)


def shared_scenes(planned: list, images: list) -> dict:
    """{image name: splits} of images that give pixels to more than one split."""
    found = {}
    for image in images:
        splits = sorted({p.split for p in planned if image.touches(p.chip.bounds)})
        if len(splits) > 1:
            found[image.name] = splits
    return found
