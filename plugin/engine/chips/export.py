"""Exporting chips: plan, gate, split, cut, describe; the folder appears when it is complete."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files, rasters, sensors
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..progress import SILENT, Progress
from ..scene import resampling_for
from ..taxonomy import IGNORE, Taxonomy
from . import describe, plan, split, stac
from .plan import Gate, Planned

FORMATS = ("native",)


@dataclass(frozen=True)
class ExportWish:
    """How to cut and split; lengths in map units of the labels, None for a default.

    Args:
        size, stride: pixels; stride None for chips that touch.
        shares: train, validate, test; they sum to 1.
        block: side of the blocks that are dealt to the splits.
        buffer: least distance between chips of different splits; None for one chip.
        licence: SPDX id of the exported set.
        date: ISO date of the images; '' to read it from file names.
    """

    size: int = 256
    stride: int | None = None
    gate: Gate = Gate()
    shares: tuple = (0.7, 0.15, 0.15)
    block: float | None = None
    buffer: float | None = None
    seed: int = 0
    licence: str = ""
    formats: tuple = ("native",)
    taxonomy: str = ""
    date: str = ""


class Image:
    """One raster of imagery, cut on the label grid in its own data type where grids agree."""

    def __init__(self, path: str, grid: Grid, name: str):
        info = rasters.require_crs(rasters.info(path))
        self.recognised = sensors.recognise(info)
        self.name, self.path, self.info = name, path, info
        self._indexes = [band.index for band in self.recognised.bands]
        nodata = self.recognised.bands[0].nodata
        self._raster = rasters.Raster(path, grid, resampling_for(info.grid, grid), nodata)
        self._nodata = np.nan if self._raster.is_resampled else nodata

    def read(self, window) -> np.ndarray:
        return self._raster.read(window, self._indexes)

    def write(self, path: Path, array: np.ndarray, grid: Grid) -> None:
        bands = self.recognised.bands
        rasters.write(
            path, array, grid, names=[b.name for b in bands], units=[b.unit for b in bands],
            nodata=self._nodata, sidecar=False, scales=[(b.scale, b.offset) for b in bands],
        )  # fmt: skip

    def is_empty(self, array: np.ndarray) -> bool:
        if self._nodata is None:
            return False
        if np.isnan(self._nodata):
            return bool(np.isnan(array).all()) if array.dtype.kind == "f" else False
        return bool((array == self._nodata).all())

    def close(self) -> None:
        self._raster.close()


def export(
    imagery,
    labels: str,
    output: str,
    wish: ExportWish,
    consensus: str | None = None,
    progress: Progress = SILENT,
) -> dict:
    """Write a chip set and return the report.

    Args:
        imagery: rasters to cut, any grid.
        labels: class raster; its grid is the chips' grid and its pixels are never resampled.
        consensus: raster with the posterior 0-100 in its second band, or its only one.

    Raises:
        ConcordError: no licence, an unknown format, no chip left, or an occupied folder.
    """
    _check(imagery, wish)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        mask = stack.enter_context(ClassRaster(labels))
        scheme = mask.taxonomy(wish.taxonomy, mask.codes(progress))
        score = _score_reader(stack, consensus, mask.grid)
        chips = plan.chip_grid(mask.grid, wish.size, wish.stride or wish.size)
        passed, rejected = _gate(chips, mask, score, wish.gate, progress.part(0, 30))
        planned, block, buffer, dropped = _split(passed, rejected, mask.grid, wish, scheme)
        rejected += dropped
        images = _open_images(stack, imagery, mask.grid)
        folder = stack.enter_context(files.atomic_folder(output))
        context = describe.Context(
            scheme, mask.grid, wish, block, buffer, imagery, labels, consensus, images,
            _dates(wish, imagery),
        )  # fmt: skip
        kept, empty = _cut(folder, planned, mask, score, images, context, progress.part(30, 95))
        if not kept:
            raise ConcordError("No chip holds image data; choose images that cover the labels.")
        if _missing(kept, wish):
            raise ConcordError(
                f"The images cover no chip of {_missing(kept, wish)[0]}; choose another SEED or "
                "images that cover the labels."
            )
        rejected += empty
        report = describe.finish(folder, kept, rejected, context)
        progress.report(1, 1, "Chips exported", "chips")
    report["seconds"] = round(time.monotonic() - started, 3)
    report["output"] = str(output)
    return report


def _check(imagery, wish: ExportWish) -> None:
    if not wish.licence.strip():
        raise ConcordError(
            "The licence of the chips is missing; give an SPDX id such as CC-BY-4.0."
        )
    if re.fullmatch(r"[A-Za-z0-9.+-]+", wish.licence) is None:
        raise ConcordError(
            f"'{wish.licence}' is no SPDX id; give one such as CC-BY-4.0, or 'other'."
        )
    if wish.date and stac.date_in(wish.date) != wish.date:
        raise ConcordError(f"The date '{wish.date}' is no day; give it as 2021-06-30.")
    if (wish.block or 0.0) < 0 or (wish.buffer or 0.0) < 0:
        raise ConcordError("BLOCK and BUFFER are lengths; give numbers above 0.")
    unknown = [name for name in wish.formats if name not in FORMATS]
    if unknown:
        raise ConcordError(f"The format '{unknown[0]}' is not known; use {', '.join(FORMATS)}.")
    if not imagery:
        raise ConcordError("No image was given; choose at least one raster to cut.")


def _score_reader(stack, consensus: str | None, grid: Grid):
    if not consensus:
        return None
    info = rasters.require_crs(rasters.info(consensus))
    names = info.names
    band = names.index("posterior") + 1 if "posterior" in names else min(2, len(names))
    raster = rasters.Raster(consensus, grid, "nearest")
    stack.callback(raster.close)

    def read(window) -> np.ndarray:
        values = np.nan_to_num(raster.read(window, [band])[0])
        return np.clip(values, 0, 100).astype(np.uint8)

    return read


def _gate(chips, mask, score, gate: Gate, progress: Progress) -> tuple:
    passed, rejected = [], []
    for done, chip in enumerate(chips):
        progress.report(done, len(chips), "Looking at labels", "chips")
        content = plan.content_of(
            mask.read(chip.window), score(chip.window) if score is not None else None
        )
        problem = gate.problem(content)
        if problem:
            rejected.append((chip.id, problem))
        else:
            passed.append(Planned(chip, content))
    if not passed:
        reason = rejected[0][1] if rejected else "no chip"
        raise ConcordError(
            f"No chip passes the gate (the first: {reason}); lower MIN_SCORE or MIN_LABELLED."
        )
    return passed, rejected


def _split(passed, rejected, grid: Grid, wish: ExportWish, scheme: Taxonomy) -> tuple:
    side = wish.size * grid.pixel_size[0]
    block = wish.block or split.default_block(grid.bounds, side)
    several = sum(share > 0 for share in wish.shares) > 1
    buffer = wish.buffer if wish.buffer is not None else (side if several else 0.0)
    assigned = split.assign(passed, wish.shares, block, wish.seed, scheme.codes)
    kept, near = split.apart(assigned, buffer)
    dropped = [(p.chip.id, f"{p.split} chip within the buffer of another split") for p in near]
    missing = _missing(kept, wish)
    if missing:
        raise ConcordError(
            f"The buffer of {buffer:g} map units leaves no chip for {missing[0]}; choose a smaller "
            "BUFFER or a larger BLOCK."
        )
    return kept, block, buffer, dropped


def _missing(planned, wish: ExportWish) -> list:
    """The splits that were asked for and hold no chip."""
    return [
        name for name, share in zip(split.SPLITS, wish.shares)
        if share > 0 and not any(p.split == name for p in planned)
    ]  # fmt: skip


def _open_images(stack, imagery, grid: Grid) -> list:
    images, taken = [], set()
    for path in imagery:
        name = stac.asset_name(path, taken)
        taken.add(name)
        image = Image(path, grid, name)
        stack.callback(image.close)
        images.append(image)
    return images


def _dates(wish: ExportWish, imagery) -> list:
    return [wish.date] if wish.date else [stac.date_in(Path(path).name) for path in imagery]


def _cut(folder, planned, mask, score, images, context, progress: Progress) -> tuple:
    kept, empty = [], []
    for done, p in enumerate(planned):
        progress.report(done, len(planned), "Cutting chips", "chips")
        arrays = [image.read(p.chip.window) for image in images]
        if all(image.is_empty(array) for image, array in zip(images, arrays)):
            empty.append((p.chip.id, "no image data"))
            continue
        _write_chip(folder / "chips" / p.chip.id, p, mask, score, images, arrays, context)
        kept.append(p)
    return kept, empty


def _write_chip(place: Path, p: Planned, mask, score, images, arrays, context) -> None:
    grid = mask.grid.sub(p.chip.window)
    assets = {}
    for image, array in zip(images, arrays):
        image.write(place / f"{image.name}.tif", array, grid)
        assets[image.name] = {
            "href": f"./{image.name}.tif",
            "roles": ["data"],
            "bands": stac.band_entries(image.recognised, image.info),
        }
    rasters.write(
        place / "label.tif", mask.read(p.chip.window), grid, names=["label"], nodata=0,
        colours={**context.scheme.colours, IGNORE: (120, 120, 120)},
        categories=context.scheme.names, sidecar=False,
    )  # fmt: skip
    assets["labels"] = stac.label_asset(context.scheme)
    if score is not None:
        rasters.write(
            place / "consensus.tif", score(p.chip.window), grid, names=["posterior"],
            units=["percent"], sidecar=False,
        )  # fmt: skip
        assets["consensus"] = {
            "href": "./consensus.tif",
            "roles": ["data", "consensus"],
            "bands": [{"name": "posterior", "data_type": "uint8", "unit": "percent"}],
        }
    date = next((d for d in context.dates if d), "")
    entry = stac.item(p, mask.grid, assets, context.scheme, context.wish.licence, date)
    files.write_json(place / f"{p.chip.id}.json", entry)
