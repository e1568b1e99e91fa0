"""What a refinement is asked for, and the rasters it works on, opened on one grid."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..progress import Progress
from ..scene import Scene
from ..segment import composite
from ..taxonomy import Taxonomy
from . import network
from .engines import engine_of
from .guards import Guards
from .journal import Journal, stamp
from .network import NONE
from .source import RasterSource

TILE = 1024
_FIRST_CHOICE = (("nir", "red", "green"), ("red", "green", "blue"), ("vv", "vh", "vv"))
_VERSION = 1  # of what a tile of the journal holds


@dataclass(frozen=True)
class Wish:
    """What to refine, how, and where to write it.

    Args:
        image: rasters that hold the bands; labels: the class raster, which is never touched.
        engine: a key of ``engines.DESCRIPTIONS``.
        unsure: classes that may change, all when empty; protect: classes that never do.
        margin: by how much a new class must lead, 0-1.
        bands: three bands that segment engines see.
        scale: Felzenszwalb's scale; None for one that suits the pixel size.
        reference: a class raster to score the result with.
        examples: a class raster with labels known to be right, 0 elsewhere.
        model: a trained model that the engine `auto` may ask: ``none``, ``auto`` for a bundled one
            that fits, an id or a file.
        smallest: minimum mapping unit in pixels.
        objects: keep small objects that the image shows.
        executor: ``local``, ``local:4`` for threads, or ``dask:ADDRESS`` of a scheduler.
        tile: pixels a side of a unit of work; the result does not depend on it.
    """

    image: list
    labels: str
    output: str
    engine: str = "felzenszwalb"
    unsure: tuple = ()
    protect: tuple = ()
    margin: float = 0.1
    bands: tuple = ()
    scale: float | None = None
    taxonomy: str = ""
    reference: str | None = None
    examples: str | None = None
    model: str = NONE
    smallest: int = 0
    objects: bool = True
    executor: str = "local"
    tile: int | None = None


class Desk:
    """The rasters of a run, opened on one grid, and what they say of the classes."""

    def __init__(self, wish: Wish, stack: contextlib.ExitStack, progress: Progress):
        with Scene(wish.image) as probe, ClassRaster(wish.labels) as own:
            self.grid = common_grid(probe.grid, own.grid)
        self.scene = stack.enter_context(Scene(wish.image, self.grid))

        def opened(path):
            return stack.enter_context(ClassRaster(path, self.grid)) if path else None

        self.old, self.truth = opened(wish.labels), opened(wish.reference)
        taught = opened(wish.examples)
        shares = self.old.shares(progress)
        self.scheme = self.old.taxonomy(wish.taxonomy, sorted(shares))
        self.codes = _codes_in_use(sorted(shares), taught, self.scheme, wish.labels)
        self.shares = {code: share for code, share in shares.items() if code in self.codes}
        self.planes = composite.of_scene(self.scene, wish.bands or default_bands(self.scene))
        self.source = RasterSource(self.scene, self.old, self.planes, self.codes)
        self.examples = None
        if taught is not None:
            self.examples = RasterSource(self.scene, taught, self.planes, self.codes)

    def guards(self, wish: Wish) -> Guards:
        """The wish's guards in class codes."""
        return Guards(
            codes_of([u for u in wish.unsure if u != "all"], self.scheme, "UNSURE"),
            codes_of(wish.protect, self.scheme, "PROTECT"), wish.margin, int(wish.smallest),
            wish.objects,
        )  # fmt: skip

    def journal(self, wish: Wish, guards: Guards) -> Journal:
        """The journal of this very run."""
        return Journal(wish.output, {
            "version": _VERSION, "image": [stamp(p) for p in wish.image],
            "labels": stamp(wish.labels),
            "reference": wish.reference and stamp(wish.reference),
            "examples": wish.examples and stamp(wish.examples),
            "engine": wish.engine, "guards": repr(guards), "bands": self.planes.text,
            "scale": wish.scale, "taxonomy": wish.taxonomy, "tile": wish.tile or TILE,
            "model": wish.model,
        })  # fmt: skip

    def engine(self, wish: Wish, folder, stack: contextlib.ExitStack) -> tuple:
        """(engine, the trained model that it asks or None)."""
        judge, self.notes = None, []
        if wish.engine == "auto" and not wish.examples:
            judge = network.asked(
                wish.model, self.scene, self.scheme, self.shares, folder, self.notes
            )
        if judge is not None:
            stack.callback(judge.close)
        metres = rasters.metres_per_pixel(self.grid)
        return engine_of(wish.engine, metres, wish.scale, folder, self.examples, judge), judge


def codes_of(text_items, taxonomy: Taxonomy, what: str) -> tuple:
    """Class codes from codes or names, refused when the taxonomy does not know them."""
    by_name = {c.name.lower(): c.code for c in taxonomy.classes}
    found = []
    for item in text_items:
        text = str(item).strip()
        code = int(text) if text.isdecimal() else by_name.get(text.lower(), -1)
        if code not in taxonomy.codes and code not in (0, 255):
            raise ConcordError(
                f"{what} names the class '{text}', which is not in the map; use one of "
                f"{', '.join(f'{c.code} ({c.name})' for c in taxonomy.classes)}."
            )
        found.append(code)
    return tuple(found)


def common_grid(scene_grid: Grid, labels_grid: Grid) -> Grid:
    """The finer of the two grids, over the labels' or the image's whole extent.

    Raises:
        ConcordError: image and labels do not overlap.
    """
    bounds = scene_grid.bounds
    if not rasters.same_crs(scene_grid.crs, labels_grid.crs):
        bounds = rasters.transform_bounds(bounds, scene_grid.crs, labels_grid.crs)
    window = labels_grid.window_of(bounds, "The image", "the class map")
    size = (bounds[2] - bounds[0]) / scene_grid.width
    if size < labels_grid.pixel_size[0] * 0.99:
        return scene_grid
    return labels_grid.sub(window)


def default_bands(scene: Scene) -> list:
    """Near infrared first, because it parts vegetation best; else what there is."""
    for wanted in _FIRST_CHOICE:
        if all(name in scene.sources for name in wanted):
            return list(wanted)
    return scene.default_composite()


def _codes_in_use(present: list, taught, scheme: Taxonomy, labels: str) -> list:
    codes = [c for c in present if c not in (0, 255)]
    if not codes:
        raise ConcordError(f"{labels} holds no class at all; choose a land-cover map.")
    if taught is not None:
        more = [c for c in taught.codes() if c not in (0, 255)]
        scheme.check(more, taught.path)
        if not more:
            raise ConcordError(f"{taught.path} holds no example; label some areas first.")
        codes = sorted({*codes, *more})
    return codes
