"""Sets of classes that hold the truth as often as promised, calibrated on reviewed blocks of land.

Pixels of a block are alike, so blocks, not pixels, are what is exchangeable: every block weighs
the same and one more block is reserved for the unknown (Dunn, Wasserman and Ramdas 2023, JASA
118, pooled distributions of two-layer models). The score of a pixel is one minus the probability
of its true class (Sadinle, Lei and Wasserman 2019, JASA 114).
"""

from __future__ import annotations

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..taxonomy import IGNORE, NO_DATA

_TILE = 1024
_PER_BLOCK = 2000  # pixels of one block that are looked at


def threshold(scores: list, level: float) -> float:
    """The score below which a share of ``level`` lies, with blocks weighing the same.

    Args:
        scores: one array of scores a block.
        level: 0-1, such as 0.9.

    Returns:
        inf when there are too few blocks for the level.
    """
    values = np.concatenate(scores)
    weights = np.concatenate([np.full(len(s), 1 / (len(scores) + 1) / len(s)) for s in scores])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = np.searchsorted(reached, level - 1e-12)
    return float(values[order[place]]) if place < len(values) else float("inf")


def coverage(scores: list, level: float) -> list:
    """The share of each block that its set holds when the other blocks calibrate."""
    return [
        float(np.mean(own <= threshold(scores[:i] + scores[i + 1 :], level)))
        for i, own in enumerate(scores)
    ]


def write_sets(probabilities: str, labels: str, output: str, level: float = 0.9,
               block: float = 0.0, seed: int = 0, progress: Progress = SILENT) -> dict:  # fmt: skip
    """Write how many classes are in each pixel's set (uint8, 0 no data), and report coverage.

    Args:
        probabilities: one band a class, in the order of the labels' codes or named by class.
        labels: a class raster of reviewed land; 0 where nothing was reviewed.
        block: side of a block in map units; 0 takes a sixteenth of the image.
    """
    if not 0.5 <= level < 1:
        raise ConcordError(f"A coverage of {level} makes no sense; ask for 0.5 to 0.99.")
    with rasters.Raster(probabilities) as raster, ClassRaster(labels, raster.grid) as reviewed:
        codes = _codes(raster.info, reviewed)
        grid = raster.grid
        side = int(block / grid.pixel_size[0]) or max(8, max(grid.width, grid.height) // 16)
        scores = _scores(raster, reviewed, codes, side, seed, progress.part(0, 40))
        if len(scores) < 1 / (1 - level) - 1:
            raise ConcordError(
                f"{len(scores)} reviewed blocks cannot promise {level:.0%}; review at least "
                f"{int(np.ceil(1 / (1 - level) - 1))}, or ask for less."
            )
        limit = threshold(scores, level)
        sizes = _write(raster, output, limit, len(codes), progress.part(40, 100))
    held = coverage(scores, level)
    counted = int(sizes.sum())
    return {
        "level": level,
        "blocks": len(scores),
        "block_pixels": side,
        "threshold": limit if np.isfinite(limit) else None,
        "coverage": float(np.mean(held)),
        "coverage_least": float(np.min(held)),
        "pixels": counted,
        "mean_size": float((sizes * np.arange(1, len(sizes) + 1)).sum() / max(1, counted)),
        "sizes": [{"classes": i, "pixels": int(n)} for i, n in enumerate(sizes, 1)],
    }


def _codes(info, reviewed: ClassRaster) -> list:
    """The code of each band: by class name where the labels have names, else 1, 2, 3 and so on."""
    by_name = {name: code for code, name in reviewed.info.categories.items()}
    if info.names and all(name in by_name for name in info.names):
        return [by_name[name] for name in info.names]
    return list(range(1, len(info.bands) + 1))


def _scores(raster, reviewed, codes, side, seed, progress) -> list:
    place = np.full(256, -1)
    place[codes] = np.arange(len(codes))
    found: dict = {}
    tile_side = max(1, _TILE // side) * side
    tiles = list(raster.grid.tiles(tile_side))
    for number, tile in enumerate(tiles):
        progress.report(number, len(tiles), "Reading reviewed land")
        labels = reviewed.read(tile.core)
        known = ~np.isin(labels, (NO_DATA, IGNORE)) & (place[labels] >= 0)
        if not known.any():
            continue
        planes = raster.read(tile.core)
        known &= np.isfinite(planes).all(axis=0)
        rows, cols = np.nonzero(known)
        score = 1 - planes[place[labels[rows, cols]], rows, cols]
        keys = ((rows + tile.core.row) // side) * 65536 + (cols + tile.core.col) // side
        for key in np.unique(keys):
            own = score[keys == key]
            if own.size > _PER_BLOCK:
                rng = np.random.default_rng((seed, int(key)))
                own = rng.choice(own, _PER_BLOCK, replace=False)
            found[int(key)] = own
    if not found:
        raise ConcordError("The reviewed labels do not touch the probabilities; choose others.")
    return [found[key] for key in sorted(found)]


def _write(raster, output: str, limit: float, count: int, progress) -> np.ndarray:
    """Write the sizes of the sets; the best class is always in. Pixels of each size."""
    sizes = np.zeros(count + 1, np.int64)
    with rasters.Writer(output, raster.grid, 1, "uint8", nodata=0,
                        names=["classes in the set"]) as writer:  # fmt: skip
        tiles = list(raster.grid.tiles(_TILE))
        for number, tile in enumerate(tiles):
            progress.report(number, len(tiles), "Writing sets")
            planes = raster.read(tile.core)
            good = np.isfinite(planes).all(axis=0)
            size = np.maximum((1 - planes <= limit).sum(axis=0), 1)
            size = np.where(good, size, 0).astype(np.uint8)
            sizes += np.bincount(size.ravel(), minlength=count + 1)
            writer.write(size, tile.core)
    return sizes[1:]
