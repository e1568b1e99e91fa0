"""What a run is asked for, how it is cut into tiles, and which executor answers them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

import numpy as np

from .. import files, jobs, rasters
from ..errors import Cancelled, ConcordError
from ..grid import Grid, Window
from ..progress import Progress
from ..scene import Scene
from . import card as cards
from .journal import key_of
from .session import Model
from .tiling import plan_blended, plan_tiles
from .work import Task, TileRunner


@dataclass(frozen=True)
class RunWish:
    """What to run and what to write; outputs that are None are not written.

    Args:
        extent: (left, bottom, right, top) in ``extent_crs``; None for the whole image.
        mask: GeoJSON polygons in the image's CRS; tiles and pixels outside are left empty.
        override: run although the preflight says red; the report keeps that.
        unsure: a raster of entropy, margin and disagreement of flips.
        flips: 1, 2, 4 or 8 mirrored and turned copies whose answers are averaged.
        blend: ``crop`` or ``hann`` instead of what the card says.
        level: the processing level of the image, '' to find out (``levels``).
        gate: a ``gate.Gate``; tiles in which it finds nothing are not run and stay empty.
        drops: leave each date out in turn; how much the answers differ joins ``unsure``.
        keep: leave the journal to a step that follows, see ``runner.traced``.
    """

    output: str | None
    probabilities: str | None = None
    extent: tuple | None = None
    extent_crs: str = ""
    mask: tuple = ()
    executor: str = "local"
    override: bool = False
    unsure: str | None = None
    flips: int = 1
    blend: str = ""
    gate: object = None
    drops: bool = False
    keep: bool = False
    level: str = ""

    @property
    def paths(self) -> dict:
        """{layer: path} of the rasters that are asked for."""
        named = {"main": self.output, "probabilities": self.probabilities, "unsure": self.unsure}
        return {name: path for name, path in named.items() if path}


@dataclass
class Job:
    """One run's parts, so that functions need not pass ten values on."""

    model: Model
    scenes: list
    wish: RunWish
    area: Window
    tiles: list
    task: Task
    progress: Progress
    overlap: tuple = (0, 0)
    resumed: int = 0
    known: int = 0  # tiles that an earlier run had answered
    closed: frozenset = frozenset()  # tiles that the gate left out

    @property
    def open(self) -> list:
        """The tiles that are run."""
        return [tile for tile in self.tiles if tile not in self.closed]

    @property
    def grid(self) -> Grid:
        return self.scenes[0].grid.sub(self.area)

    @property
    def tags(self) -> dict:
        return {"CONCORD_MODEL": self.model.card.id,
                "CONCORD_MODEL_SHA256": files.sha256(self.model.path)}  # fmt: skip


def planned(model: Model, scenes: list, wish: RunWish, progress: Progress) -> Job:
    grid, card = scenes[0].grid, model.card
    area = area_of(scenes[0], wish)
    strides = [entry.stride for entry in card.inputs]
    step = int(np.lcm.reduce([card.alignment, *strides]))
    fixed = model.fixed_size is not None
    side = (model.fixed_size or card.tile) - 2 * model.margin
    halo = card.halo
    if halo is None or card.kind in ("chips", "embeddings"):
        halo = side // 8 if card.kind in ("boxes", "instances") else 0
    card = replace(card, alignment=step, halo=halo)
    model.card = card
    blended = (wish.blend or card.blend) == "hann" and card.kind in cards.DENSE
    if blended:
        tiles = plan_blended(grid, area, side, card)
    else:
        tiles = plan_tiles(grid, area, side, card, fixed)
    task = Task(tuple(wish.paths), wish.flips, blended, wish.drops)
    return Job(model, scenes, wish, area, tiles, task, progress)


def area_of(scene: Scene, wish: RunWish) -> Window:
    if wish.extent is None:
        return scene.grid.window
    return scene.grid.window_of(rasters.bounds_on(scene.grid, wish.extent, wish.extent_crs))


@contextlib.contextmanager
def answers(job: Job, work: TileRunner, tiles: list):
    """An iterator of the tiles' answers, in order, from the executor of the wish."""
    address = jobs.address_of(job.wish.executor)
    if address:
        from . import cluster

        made = cluster.run_ordered(address, work, tiles, job.progress)
    else:
        # One thread more than the model is given: it reads the next tile meanwhile.
        workers = jobs.threads_of(job.wish.executor) + 1
        size = work.model.batch
        groups = [tiles[i : i + size] for i in range(0, len(tiles), size)]
        made = jobs.run_ordered(groups, work.many, job.progress, workers, job.model.stop)
        made = _each(made)
    # Closed here, so that a failed write ends the tiles that are under way.
    with contextlib.closing(made):
        yield made


def _each(groups):
    """The members of groups, one after the other; closes what gives the groups."""
    with contextlib.closing(groups):
        for group in groups:
            yield from group


@contextlib.contextmanager
def going_on(journal, keep: bool = False):
    """What was kept goes when a run ends well or is cancelled, and stays when it fails.

    With ``keep`` it stays after a good end, too.
    """
    try:
        yield
    except Cancelled:
        journal.remove()
        raise
    except ConcordError as error:
        if journal.strips:
            raise ConcordError(
                f"{str(error).rstrip('.')}; the finished part is kept, and the same run goes on "
                "from there."
            ) from error
        raise
    if not keep:
        journal.remove()


def key(job: Job, work: TileRunner) -> str:
    """A fingerprint of all that a run's result depends on."""
    wish = job.wish
    values = {
        "model": files.sha256(job.model.path),
        "card": cards.as_values(job.model.card),
        "grid": job.scenes[0].grid.describe(),
        "area": [job.area.col, job.area.row, job.area.width, job.area.height],
        "mask": wish.mask,
        "asked": job.task.asked,
        "flips": wish.flips,
        "blended": job.task.blended,
        "drops": job.task.drops,
        "gate": wish.gate.describe() if wish.gate else None,
        "fills": sorted((f"{band} {date}", value) for (band, date), value in work.fills.items()),
    }
    inputs = {s.path for scene in job.scenes for s in scene.sources.values()}
    return key_of(values, inputs)


@contextlib.contextmanager
def writers(job: Job, layers: dict, scale: int = 1, grid: Grid | None = None):
    """{layer: Writer} of what is asked for."""
    grid = grid or finer(job.grid, scale)
    with contextlib.ExitStack() as stack:
        made = {}
        for name, layer in layers.items():
            writer = rasters.Writer(
                job.wish.paths[name], grid, layer.count, layer.dtype, tags=job.tags,
                **layer.description(),
            )  # fmt: skip
            made[name] = stack.enter_context(writer)
        yield made


def finer(grid: Grid, scale: float) -> Grid:
    """A grid whose pixels are ``scale`` times as fine."""
    a, b, c, d, e, f = grid.transform
    if scale == 1:
        return grid
    transform = (a / scale, b / scale, c, d / scale, e / scale, f)
    return Grid(grid.crs, transform, int(grid.width * scale), int(grid.height * scale))
