"""What a classifier looks at, as one ONNX graph: bands, normalised differences, local statistics.

The same graph computes the features of the training pixels and stands inside the model that is
written, so a model can never see other features than it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError
from ..grid import Window
from ..infer.tasks.dense import all_finite
from . import encoder as encoders
from .graphs import INPUT, Builder, session

FEATURES = "features"
# name -> (first band, second band, kind); formulas and sources stand in engine/derive
PAIRS = {
    "ndvi": ("nir", "red", "ratio"),
    "ndwi": ("green", "nir", "ratio"),
    "mndwi": ("green", "swir16", "ratio"),
    "ndmi": ("nir", "swir16", "ratio"),
    "nbr": ("nir", "swir22", "ratio"),
    "ndbi": ("swir16", "nir", "ratio"),
    "vv_vh": ("vv", "vh", "difference"),
}


@dataclass(frozen=True)
class Plan:
    """The features of one classifier.

    Args:
        bands: names in the order of the graph's input.
        derived: names out of PAIRS.
        windows: odd sides in pixels; mean and standard deviation of every band in each.
        centre, spread: one number a band, so that sums of squares stay exact in float32.
        encoder: a network whose feature maps join in, behind the others.
        own: the bands that are features themselves; all of them without an encoder.
    """

    bands: tuple
    derived: tuple
    windows: tuple
    centre: tuple
    spread: tuple
    encoder: encoders.Encoder | None = None
    own: tuple = ()

    @property
    def halo(self) -> int:
        beyond = self.encoder.halo if self.encoder else 0
        return max([beyond, *(side // 2 for side in self.windows)])

    @property
    def alignment(self) -> int:
        """Windows start at multiples of it and are a multiple of it long."""
        return self.encoder.alignment if self.encoder else 1

    @property
    def constants(self) -> dict:
        """{input of the graph beside the image: number}."""
        return self.encoder.constants if self.encoder else {}

    @property
    def sources(self) -> list:
        """What features come from: bands, derived bands, and the encoder by its name."""
        return [*self.own, *self.derived, *([self.encoder.id] if self.encoder else [])]

    @property
    def names(self) -> list:
        """One name a feature, in order."""
        texture = [
            f"{band} {what} {side}"
            for side in self.windows
            for what in ("mean", "deviation")
            for band in self.own
        ]
        maps = []
        if self.encoder:
            maps = [f"{self.encoder.id} {n}" for n in range(1, self.encoder.channels + 1)]
        return [*self.own, *self.derived, *texture, *maps]

    def columns(self, source: str) -> list:
        """The features that are computed from a band; a derived band stands for itself."""
        return [i for i, name in enumerate(self.names) if name.split()[0] == source]

    def without(self, bands) -> np.ndarray:
        """The features that need none of ``bands`` (names of bands, or that of the encoder)."""
        gone = {name for name in self.derived if set(PAIRS[name][:2]) & set(bands)} | set(bands)
        if self.encoder and set(self.encoder.bands) & set(bands):
            gone.add(self.encoder.id)
        kept = [i for i, name in enumerate(self.names) if name.split()[0] not in gone]
        return np.array(kept, int)

    def window(self, part: Window, grid) -> tuple:
        """(the window around ``part`` that its features need, pixels to add at its ends)."""
        step, wide = self.alignment, part.grown(self.halo).clipped(grid.width, grid.height)
        col, row = wide.col // step * step, wide.row // step * step
        right, below = (
            min(limit, -(-end // step) * step)
            for limit, end in ((grid.width, wide.col + wide.width),
                               (grid.height, wide.row + wide.height))
        )  # fmt: skip
        found = Window(col, row, right - col, below - row)
        return found, (-found.height % step, -found.width % step)


def plan(bands, derived, windows, view: np.ndarray, encoder=None, more=()) -> Plan:
    """A plan, with centre and spread from ``view`` (bands, rows, cols), NaN allowed.

    Args:
        encoder: an ``encoder.Encoder``.
        more: bands that are no features themselves, read for the encoder alone.
    """
    if len(set(bands)) != len(bands):
        raise ConcordError("A band is named twice; name every band once.")
    for side in windows:
        if side < 3 or side > 63 or side % 2 == 0:
            raise ConcordError(f"The window of {side} pixels is not odd or not 3 to 63; change it.")
    for name in derived:
        if name not in PAIRS:
            raise ConcordError(
                f"The derived band '{name}' is not known; use {', '.join(sorted(PAIRS))}."
            )
        absent = [band for band in PAIRS[name][:2] if band not in bands]
        if absent:
            raise ConcordError(
                f"The derived band {name} needs the band {absent[0]}; choose that band too."
            )
    centre, spread = [], []
    for band, plane in zip((*bands, *more), view):
        finite = plane[np.isfinite(plane)]
        if not finite.size:
            raise ConcordError(f"The band {band} holds no data; leave it out.")
        low, middle, high = np.percentile(finite, (10, 50, 90))
        centre.append(float(np.float32(middle)))
        spread.append(float(np.float32(high - low)) or 1.0)
    all_bands = (*bands, *more)
    known = all_bands, tuple(derived), tuple(windows), tuple(centre), tuple(spread)
    return Plan(*known, encoder, tuple(bands))


def possible(bands) -> list:
    """The derived bands that these bands allow."""
    return [name for name, (a, b, _) in PAIRS.items() if a in bands and b in bands]


def add(build: Builder, plan: Plan) -> str:
    """Add the features' nodes; returns the name of (batch, features, h, w). Edges reflect."""
    planes = [*_of_bands(build, plan)] if plan.own else []
    if plan.encoder:
        planes.append(encoders.add(build, plan.encoder, list(plan.bands), INPUT))
    return build.node("Concat", *planes, output=FEATURES, axis=1)


def _of_bands(build: Builder, plan: Plan) -> list:
    """Bands, derived bands, then local means and deviations."""
    count, image = len(plan.own), INPUT
    if count < len(plan.bands):
        image = build.node("Gather", INPUT, build.constant(range(count), np.int64), axis=1)
    centre = build.constant(np.array(plan.centre[:count])[:, None, None])
    spread = build.constant(np.array(plan.spread[:count])[:, None, None])
    level = build.node("Div", build.node("Sub", image, centre), spread)
    planes = [level, *(_derived(build, plan, name) for name in plan.derived)]
    for side in plan.windows:
        half = side // 2
        pads = build.constant([0, 0, half, half] * 2, np.int64)
        padded = build.node("Pad", level, pads, mode="reflect")
        pool = {"kernel_shape": [side, side], "strides": [1, 1]}
        mean = build.node("AveragePool", padded, **pool)
        power = build.node("AveragePool", build.node("Mul", padded, padded), **pool)
        variance = build.node("Sub", power, build.node("Mul", mean, mean))
        planes += [mean, build.node("Sqrt", build.node("Relu", variance))]
    return planes


def _derived(build: Builder, plan: Plan, name: str) -> str:
    one, other, kind = PAIRS[name]

    def band(wanted):
        place = build.constant([plan.bands.index(wanted)], np.int64)
        return build.node("Gather", INPUT, place, axis=1)

    a, b = band(one), band(other)
    difference = build.node("Sub", a, b)
    if kind == "difference":
        return difference
    total = build.node("Add", a, b)
    zero = build.node("Equal", total, build.constant(0.0))
    ratio = build.node("Div", difference, build.node("Where", zero, build.constant(1.0), total))
    # A sum near zero (noise over dark water) must not reach the classifier as a huge number.
    return build.node("Clip", ratio, build.constant(-2.0), build.constant(2.0))


def feature_session(plan: Plan, threads: int = 1):
    """A session that computes the features only."""
    build = Builder()
    add(build, plan)
    return session(build.model("features", len(plan.bands), FEATURES, len(plan.names)), threads)


class Reader:
    """Computes the features of windows of a scene.

    Args:
        fill: a number a band, which stands where there are no data.
        made: a model to run instead, whose planes lie on the image's pixels.
    """

    def __init__(self, plan: Plan, scene, fill: np.ndarray, made=None):
        self._plan, self._scene, self._fill = plan, scene, fill
        self._session = feature_session(plan) if made is None else session(made)
        self._more = {name: np.array([n], np.float32) for name, n in plan.constants.items()}

    @property
    def side(self) -> int:
        """A good side for windows, in pixels: feature maps by the hundred take memory."""
        return 256 if self._plan.encoder else 512

    def read(self, part: Window) -> tuple:
        """(planes, rows, cols) float32 of ``part``, and which of its pixels lack no band."""
        window, more = self._plan.window(part, self._scene.grid)
        image = self._scene.read(list(self._plan.bands), window)
        empty = ~np.isfinite(image)
        image = np.where(empty, self._fill[:, None, None], image)
        if any(more):  # the image's end is no multiple of what the encoder wants
            image = np.pad(image, ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        planes = self._session.run(None, {INPUT: image[None], **self._more})[0][0]
        if self._plan.encoder and not all_finite(planes):
            raise ConcordError(
                f"The encoder {self._plan.encoder.id} returned values that are not numbers; check "
                "the unit and scale of the bands against its card."
            )
        row, col = part.row - window.row, part.col - window.col
        inside = (slice(row, row + part.height), slice(col, col + part.width))
        return planes[(slice(None), *inside)], ~empty.any(axis=0)[inside]
