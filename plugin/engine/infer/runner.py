"""A model run over the tiles of an extent, with an exact halo crop, written as it goes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import numpy as np

from .. import files, jobs, rasters
from ..errors import ConcordError
from ..grid import Grid, Tile, Window
from ..progress import SILENT, Progress
from ..scene import Scene
from ..taxonomy import Taxonomy
from . import preflight
from .card import Card
from .session import Model
from .values import activate, classes_of, scale


@dataclass(frozen=True)
class RunWish:
    """What to run and what to write; outputs that are None are not written.

    Args:
        extent: (left, bottom, right, top) in ``extent_crs``; None for the whole image.
        mask: GeoJSON polygons in the image's CRS; tiles and pixels outside are left empty.
        override: run although the preflight says red; the report keeps that.
    """

    output: str | None
    probabilities: str | None = None
    extent: tuple | None = None
    extent_crs: str = ""
    mask: tuple = ()
    executor: str = "local"
    override: bool = False


class TileRunner:
    """Reads a tile, runs the model, crops the halo; one object serves several threads."""

    def __init__(self, model: Model, scene: Scene, mask):
        self.model, self.scene, self.mask = model, scene, mask
        self.bands = scene.require(model.card.inputs[0].bands)
        view = scene.overview(self.bands, 256)
        with np.errstate(invalid="ignore"):
            means = [float(np.nanmean(p)) if np.isfinite(p).any() else 0.0 for p in view]
        self._fill = np.array(means, np.float32)

    def __call__(self, tile: Tile):
        """(probabilities, valid) of the tile's core; probabilities None when all is empty."""
        core = tile.core
        keep = self._inside(core)
        if not keep.any():
            return None, keep
        image = self.scene.read(self.bands, tile.window)
        empty = ~np.isfinite(image)
        off_row, off_col = core.row - tile.window.row, core.col - tile.window.col
        part = (slice(off_row, off_row + core.height), slice(off_col, off_col + core.width))
        keep &= ~empty.any(axis=0)[part]
        if not keep.any():
            return None, keep
        # Empty pixels get the scene's mean, so that they pull no neighbour to an extreme.
        image = np.where(empty, self._fill[:, None, None], image)
        scores = self._run(scale(image, self.model.card.inputs[0]))
        return activate(scores[(slice(None), *part)], self.model.card.activation), keep

    def _run(self, image: np.ndarray) -> np.ndarray:
        rows, cols = image.shape[1:]
        side, step = self.model.fixed_size, self.model.card.alignment
        more = [(side - n if side else -n % step) for n in (rows, cols)]
        grown = np.pad(image, ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        scores = self.model.run(grown)
        if scores.shape[1:] != grown.shape[1:]:
            raise ConcordError(
                f"{self.model.path.name} answers {scores.shape[2]} x {scores.shape[1]} pixels for "
                f"{grown.shape[2]} x {grown.shape[1]}; Concord maps need the same size."
            )
        if not np.isfinite(scores).all():
            raise ConcordError(
                f"{self.model.path.name} returned values that are not numbers; check the unit "
                "and scale of the bands against its card."
            )
        return scores[:, :rows, :cols]

    def _inside(self, core: Window) -> np.ndarray:
        if not self.mask:
            return np.ones((core.height, core.width), bool)
        return rasters.burn([(g, 1) for g in self.mask], self.scene.grid.sub(core)).astype(bool)


def plan_tiles(grid: Grid, area: Window, side: int, card: Card, fixed: bool) -> list:
    """Tiles whose windows hold the card's halo around each core, or end at the image's edge.

    Windows start at multiples of the card's alignment and are a multiple of it long, but for the
    image's end. A graph of fixed size gets windows of ``side``, shifted inwards at the edge, so
    that it sees data and no padding wherever the image is large enough.
    """
    core_side = (side - 2 * card.halo - card.alignment + 1) // card.alignment * card.alignment
    if core_side <= 0 or card.halo < 0:
        raise ConcordError(
            f"The card's tile of {side} pixels does not suit its halo of {card.halo}; correct it."
        )
    length = side if fixed else 0
    tiles = []
    for core in (tile.core for tile in grid.tiles(core_side, 0, area)):
        col, width = _span(core.col, core.width, grid.width, card, length)
        row, height = _span(core.row, core.height, grid.height, card, length)
        tiles.append(Tile(core, Window(col, row, width, height)))
    return tiles


def _span(start: int, size: int, limit: int, card: Card, length: int) -> tuple:
    """(start, size) along one axis of the window around a core; ``length`` 0 for any size."""
    step, end = card.alignment, min(limit, start + size + card.halo)
    first = max(0, start - card.halo) // step * step
    if length:
        inward = max(0, limit - length) // step * step
        if inward + length >= end:
            first = min(first, inward)
        return first, min(limit - first, length)
    return first, min(limit, first + -(-(end - first) // step) * step) - first


def run(model: Model, scene: Scene, wish: RunWish, progress: Progress = SILENT) -> dict:
    """Run a model over an extent and return the report.

    ``output`` becomes a uint8 class raster (0 where there is no data), ``probabilities`` a
    float32 raster with one band a class, NaN where there is no data.
    """
    card = model.card.require_complete(str(model.path))
    if card.task != "semantic-segmentation":
        raise ConcordError(
            f"{model.path.name} is made for '{card.task}'; this version maps "
            "semantic-segmentation models only."
        )
    model.require_one_input()
    verdicts = preflight.check(card, scene)
    if not wish.override:
        preflight.refuse_red(verdicts, model.path.name)
    area = _area(scene, wish)
    tiles = plan_tiles(
        scene.grid, area, model.fixed_size or card.tile, card, model.fixed_size is not None
    )
    started = time.monotonic()
    counts, classes = _write_tiles(model, scene, wish, area, tiles, progress)
    seconds = time.monotonic() - started
    return _report(model, scene, wish, verdicts, counts, classes, area, len(tiles), seconds)


def _area(scene: Scene, wish: RunWish) -> Window:
    if wish.extent is None:
        return scene.grid.window
    return scene.grid.window_of(rasters.bounds_on(scene.grid, wish.extent, wish.extent_crs))


def _write_tiles(model, scene, wish, area, tiles, progress):
    classes, _ = classes_of(model.card)
    taxonomy = Taxonomy(model.card.id, model.card.title, classes)
    codes = np.array([c.code for c in classes], np.uint8)
    counts = np.zeros(256, np.int64)
    grid = scene.grid.sub(area)
    tags = {"CONCORD_MODEL": model.card.id, "CONCORD_MODEL_SHA256": files.sha256(model.path)}
    with contextlib.ExitStack() as stack:
        writers = stack.enter_context(_writers(wish, grid, taxonomy, tags))
        class_writer, probability_writer = writers
        runner = TileRunner(model, scene, wish.mask)
        workers = jobs.workers_of(wish.executor)
        # Closed here, so that a failed write ends the tiles that are under way.
        answers = stack.enter_context(
            contextlib.closing(jobs.run_ordered(tiles, runner, progress, workers, model.stop))
        )
        for done, ((scores, keep), tile) in enumerate(zip(answers, tiles), 1):
            core = tile.core
            place = Window(core.col - area.col, core.row - area.row, core.width, core.height)
            labels = np.zeros(keep.shape, np.uint8)
            if scores is not None:
                if len(scores) != len(codes):
                    raise ConcordError(
                        f"{model.path.name} answers {len(scores)} classes but its card names "
                        f"{len(codes)}; correct the card."
                    )
                labels = np.where(keep, codes[scores.argmax(axis=0)], 0).astype(np.uint8)
            counts += np.bincount(labels.ravel(), minlength=256)
            if class_writer is not None:
                class_writer.write(labels, place)
            if probability_writer is not None:
                probability_writer.write(_masked(scores, keep, len(codes)), place)
            progress.report(done, len(tiles), "Running the model")
    return counts, classes


def _masked(scores, keep: np.ndarray, count: int) -> np.ndarray:
    if scores is None:
        return np.full((count, *keep.shape), np.nan, np.float32)
    return np.where(keep, scores, np.nan).astype(np.float32)


@contextlib.contextmanager
def _writers(wish: RunWish, grid: Grid, taxonomy: Taxonomy, tags: dict):
    """(class writer, probability writer), None where not asked for."""
    with contextlib.ExitStack() as stack:
        made = [None, None]
        if wish.output:
            made[0] = stack.enter_context(
                rasters.Writer(
                    wish.output, grid, 1, "uint8", nodata=0, tags=tags,
                    colours=taxonomy.colours, categories=taxonomy.names,
                )
            )  # fmt: skip
        if wish.probabilities:
            names = [c.name for c in taxonomy.classes]
            made[1] = stack.enter_context(
                rasters.Writer(
                    wish.probabilities, grid, len(names), "float32", names=names,
                    units=["probability"] * len(names), nodata=np.nan, tags=tags,
                )
            )  # fmt: skip
        yield made


def _report(model, scene, wish, verdicts, counts, classes, area, tiles, seconds) -> dict:
    labelled = int(counts[1:255].sum())
    per_class = [
        {
            "code": c.code,
            "name": c.name,
            "pixels": int(counts[c.code]),
            "share": float(counts[c.code] / labelled) if labelled else 0.0,
        }
        for c in classes
    ]
    return {
        "model": {
            "id": model.card.id,
            "file": str(model.path),
            "sha256": files.sha256(model.path),
            "card": model.card.origin,
            "licence": model.card.licence,
        },
        "inputs": sorted({s.path for s in scene.sources.values()}),
        "verdicts": [v.as_json() for v in verdicts],
        "override": wish.override,
        "tile": model.fixed_size or model.card.tile,
        "halo": model.card.halo,
        "stitching": "halo crop",
        "tiles": tiles,
        "pixels": area.width * area.height,
        "labelled": labelled,
        "classes": per_class,
        "code_shift": classes_of(model.card)[1],
        "seconds": round(seconds, 3),
        "mpx_per_second": round(area.width * area.height / 1e6 / max(seconds, 1e-6), 3),
        "grid": scene.grid.sub(area).describe(),
        "warnings": list(dict.fromkeys(scene.warnings)),
    }
