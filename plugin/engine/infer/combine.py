"""Several probability rasters of one place fused by weights, and where they disagree."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Window
from ..progress import SILENT, Progress
from ..taxonomy import ClassDef, Taxonomy, colour_of

_TILE = 1024


@dataclass(frozen=True)
class _Source:
    raster: rasters.Raster
    bands: dict  # class name -> 1-based band
    weights: np.ndarray  # one a class of the result


def weights_of(texts, count: int, classes: int) -> np.ndarray:
    """(inputs, classes) from one text an input: a number, or one number a class with commas.

    Raises:
        ConcordError: a wrong number of weights, or a negative one.
    """
    table = np.ones((count, classes))
    if not texts:
        return table
    if len(texts) != count:
        raise ConcordError(f"{len(texts)} weights for {count} rasters; give one for each.")
    for row, text in zip(table, texts):
        try:
            numbers = [float(part) for part in str(text).split(",")]
        except ValueError as error:
            raise ConcordError(
                f"The weight '{text}' is no number; write 0.5, or 0.5,1,2 for three classes."
            ) from error
        if len(numbers) not in (1, classes) or not all(np.isfinite(numbers)) or min(numbers) < 0:
            raise ConcordError(
                f"The weight '{text}' does not fit; give one number of 0 or more, or {classes} "
                "with commas, one a class."
            )
        row[:] = numbers
    if (table.sum(axis=0) == 0).any():
        raise ConcordError("A class has the weight 0 in every raster; give it one above 0.")
    return table


def combine(paths, output: str | None, disagreement: str | None = None, weights=(),
            probabilities: str | None = None, progress: Progress = SILENT) -> dict:  # fmt: skip
    """Fuse probability rasters whose bands are named by class, on the first one's grid.

    The result's class has the highest weighted mean probability over the rasters that have data
    there. Disagreement is one minus the share of the weight that chose the result's class.

    Returns:
        what was fused, with the share of the pixels that two or more rasters know on which
        these agree.
    """
    if len(paths) < 2:
        raise ConcordError("One raster cannot be combined; choose two or more.")
    infos = [rasters.require_crs(rasters.info(path)) for path in paths]
    names = _names(infos)
    table = weights_of(list(weights), len(paths), len(names))
    grid = infos[0].grid
    _require_alike(infos)
    scheme = _scheme(infos[0], names)
    with contextlib.ExitStack() as stack:
        sources = []
        for info, row in zip(infos, table):
            raster = stack.enter_context(rasters.Raster(info.path, grid, "bilinear"))
            sources.append(_Source(raster, {n: i + 1 for i, n in enumerate(info.names)}, row))
        writers = _writers(stack, grid, scheme, output, disagreement, probabilities)
        counts, unanimous, shared, seen = np.zeros(256, np.int64), 0, 0, 0
        tiles = list(grid.tiles(_TILE))
        for number, tile in enumerate(tiles):
            progress.report(number, len(tiles), "Combining")
            shares, apart, keep, several = _fused(sources, names, tile.core)
            codes = np.array(scheme.codes, np.uint8)[shares.argmax(axis=0)]
            codes = np.where(keep, codes, 0).astype(np.uint8)
            counts += np.bincount(codes.ravel(), minlength=256)
            seen += int(keep.sum())
            shared += int(several.sum())
            unanimous += int((several & (apart < 1e-9)).sum())
            values = {"codes": codes, "apart": np.where(keep, apart, np.nan),
                      "shares": np.where(keep, shares, np.nan)}  # fmt: skip
            for name, writer in writers.items():
                writer.write(values[name].astype(writer.dtype), tile.core)
    return {
        "inputs": [str(p) for p in paths],
        "weights": table.tolist(),
        "pixels": seen,
        "shared_pixels": shared,
        "unanimous": unanimous / shared if shared else None,
        "classes": [
            {"code": c.code, "name": c.name, "pixels": int(counts[c.code])} for c in scheme.classes
        ],
    }


def _require_alike(infos) -> None:
    """Refuse rasters that lie elsewhere, or whole numbers beside shares from 0 to 1."""
    first = infos[0]
    for info in infos[1:]:
        bounds = rasters.bounds_on(first.grid, info.grid.bounds, info.grid.crs, info.path)
        first.grid.window_of(bounds, info.path)
        whole = [i.bands[0].dtype.startswith(("int", "uint")) for i in (first, info)]
        if whole[0] != whole[1]:
            percent, share = (first, info) if whole[0] else (info, first)
            raise ConcordError(
                f"{percent.path} holds whole numbers and {share.path} shares; bring the "
                "probabilities on one scale first."
            )


def _names(infos) -> list:
    """The class names, which every raster must have."""
    names = infos[0].names
    if not all(names) or len(set(names)) != len(names) or len(names) < 2:
        raise ConcordError(
            f"{infos[0].path} does not name its bands by class; choose probability rasters that "
            "concord:runmodel wrote."
        )
    for info in infos[1:]:
        if set(info.names) != set(names):
            raise ConcordError(
                f"{info.path} has the classes {', '.join(info.names)}, {infos[0].path} has "
                f"{', '.join(names)}; only the same classes can be combined."
            )
    return names


def _scheme(info, names) -> Taxonomy:
    classes = tuple(ClassDef(i, name, colour_of(i)) for i, name in enumerate(names, 1))
    return Taxonomy("combined", "Combined", classes)


def _writers(stack, grid, scheme, output, disagreement, probabilities) -> dict:
    names = [c.name for c in scheme.classes]
    made = {}
    if output:
        made["codes"] = rasters.Writer(
            output, grid, 1, "uint8", nodata=0, colours=scheme.colours, categories=scheme.names
        )
    if disagreement:
        made["apart"] = rasters.Writer(
            disagreement, grid, 1, "float32", names=["disagreement"], nodata=np.nan
        )
    if probabilities:
        made["shares"] = rasters.Writer(
            probabilities, grid, len(names), "float32", names=names,
            units=["probability"] * len(names), nodata=np.nan,
        )  # fmt: skip
    return {name: stack.enter_context(writer) for name, writer in made.items()}


def _fused(sources, names, window: Window) -> tuple:
    """(weighted mean shares (k, rows, cols), disagreement, where any has data, where two have)."""
    shape = (len(names), window.height, window.width)
    total, weight = np.zeros(shape), np.zeros(shape)
    winners = []
    for source in sources:
        planes = source.raster.read(window, [source.bands[name] for name in names])
        nodata = source.raster.info.bands[0].nodata
        good = np.isfinite(planes).all(axis=0)
        if nodata is not None and np.isfinite(nodata):
            good &= (planes != nodata).any(axis=0)  # one class may well have 0 percent
        planes = np.where(good, planes, 0)
        row = source.weights[:, None, None] * good
        total += planes * row
        weight += row
        winners.append((np.where(good, planes.argmax(axis=0), -1), source.weights))
    shares = total / np.maximum(weight, 1e-12)
    keep = (weight > 0).any(axis=0)
    best = shares.argmax(axis=0)
    chosen, all_ = np.zeros(best.shape), np.zeros(best.shape)
    for winner, weights in winners:
        power = np.where(winner >= 0, weights.mean(), 0)
        all_ += power
        chosen += power * (winner == best)
    several = sum(winner >= 0 for winner, _ in winners) > 1
    return shares.astype(np.float32), 1 - chosen / np.maximum(all_, 1e-12), keep, several
