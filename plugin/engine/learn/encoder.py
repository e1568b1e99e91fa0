"""The feature maps of a network as features of a classifier: cut out of its ONNX file and inlined.

What a network sees before its last convolution tells more of a place than the bands alone; a small
classifier on top learns new classes from few labels (linear probing: Alain and Bengio 2016,
arXiv 1610.01644). The network keeps its weights; its card says which bands it reads, in which unit
and scaling, and how far it sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ConcordError
from ..infer import card as cards
from ..infer import levels, preflight
from ..infer.session import Model
from ..infer.verdicts import refuse_red
from . import graphs, inline

KINDS = (*cards.DENSE, "embeddings")
_SIDES = (192, 384, 768)  # of the squares that the reach is measured in, pixels


@dataclass(frozen=True)
class Encoder:
    """A network whose feature maps join the features.

    Args:
        id: of the network's card; the name of the features' group.
        card: what the network says of itself.
        sha256: of its file.
        bands: what it reads of this scene, in the order of the card; absent optional ones not.
        channels: feature maps.
        stride: pixels of the image for one of the feature maps, along a side.
        halo: how far from a pixel the image matters, in pixels.
        alignment: windows start at multiples of it and are a multiple of it long.
    """

    id: str
    card: cards.Card
    sha256: str
    bands: tuple
    channels: int
    stride: int
    halo: int
    alignment: int
    part: inline.Part = field(repr=False, compare=False, default=None)

    @property
    def constants(self) -> dict:
        """{input of the graph: the number that it gets for the training image}."""
        given = {inline.PREFIX + name: number for name, number in self.card.constants.items()}
        return {name: number for name, number in given.items() if name in self.part.free_names}

    @property
    def levels(self) -> dict:
        """What a classifier's card says of processing levels, as the network's; see ``levels``."""
        said = levels.of(self.card)
        name = inline.PREFIX + said.input if said else ""
        if name not in self.part.free_names:  # none, or it acts behind the features
            return {}
        return {**self.card.hyper["levels"], "input": name}


def load(name: str, scene) -> Encoder:
    """The encoder ``name`` (bundled id or ONNX file) for the bands of ``scene``.

    Raises:
        ConcordError: no such model, one without feature maps for every pixel, or one that does
            not fit the image.
    """
    from .. import files

    model = Model(name)
    card = model.card.require_complete(str(model.path))
    _require_dense(model)
    level = levels.over(card, [scene])
    verdicts = preflight.check(card, scene, model, level=level)
    refuse_red(verdicts, f"The encoder {model.path.name}")
    model.card = card = levels.applied(card, level)
    model.require_inputs()
    bands = tuple(dict.fromkeys(b for entry in card.inputs for b in _present(entry, scene)))
    part = inline.cut(model.path, card.kind == "embeddings", str(card.hyper.get("features") or ""))
    group = "_".join(card.id.split())
    made = Encoder(group, card, files.sha256(model.path), bands, 0, 1, 0, card.alignment, part)
    return _measured(made, model.path.name)


def _require_dense(model: Model) -> None:
    card, name = model.card, model.path.name
    if card.kind not in KINDS:
        raise ConcordError(
            f"{name} is made for '{card.task}' and has no features of single pixels; choose a "
            "model that maps classes or numbers."
        )
    if model.fixed_size is not None:
        raise ConcordError(
            f"{name} takes images of {model.fixed_size} pixels only; as an encoder choose a model "
            "that takes any size."
        )
    model.require_inputs()
    plain = all(set(entry.axes) == set("NCHW") and entry.stride == 1 and entry.date == 0
                and len(set(entry.bands)) == len(entry.bands) for entry in card.inputs)  # fmt: skip
    if not plain:
        raise ConcordError(
            f"{name} reads several dates or pixel sizes; as an encoder choose a model of one image."
        )


def _present(entry, scene) -> tuple:
    """The bands that an input gets: all, or none where an optional one lacks a band."""
    complete = all(band in scene.sources for band in entry.bands)
    return entry.bands if complete or not entry.optional else ()


def add(build, encoder: Encoder, bands, image: str) -> str:
    """Add the network's nodes behind ``image`` (batch, bands, h, w); the name of its features.

    They come as (batch, channels, h, w) on the pixels of the image.
    """
    feeds = {}
    entries = encoder.card.inputs
    named = all(entry.name in encoder.part.inputs for entry in entries)
    names = [entry.name for entry in entries] if named else list(encoder.part.inputs)
    for name, entry in zip(names, entries):
        complete = all(band in bands for band in entry.bands)
        places = [bands.index(band) if complete else 0 for band in entry.bands]
        planes = build.node("Gather", image, build.constant(places, np.int64), axis=1)
        if complete:
            planes = _scaled(build, planes, entry)
        else:  # an optional input gets zeros, as in a run
            planes = build.node("Mul", planes, build.constant(0.0))
        order = ["NCHW".index(axis) for axis in entry.axes]
        feeds[name] = build.node("Transpose", planes, perm=order)
    found = encoder.part.add(build, feeds)
    if encoder.card.output_axes != "NCHW":
        order = [encoder.card.output_axes.index(axis) for axis in "NCHW"]
        found = build.node("Transpose", found, perm=order)
    if encoder.stride == 1:
        return found
    shape = build.node(
        "Concat", build.node("Shape", found, start=0, end=2),
        build.node("Shape", image, start=2, end=4), axis=0,
    )  # fmt: skip
    return build.node("Resize", found, "", "", shape, mode="linear",
                      coordinate_transformation_mode="half_pixel")  # fmt: skip


def _scaled(build, planes: str, entry) -> str:
    """The card's value scaling as nodes; one rule for all bands or one a band."""
    rules = entry.scaling * len(entry.bands) if len(entry.scaling) == 1 else entry.scaling
    if not any(rules):
        return planes
    if len(rules) != len(entry.bands):
        raise ConcordError(
            f"The card scales {len(rules)} bands and names {len(entry.bands)}; give one value "
            "scaling for all or one a band."
        )
    terms = np.array([_terms(rule or {}) for rule in rules], np.float32).T[:, :, None, None]
    low, high, shift, size = terms
    if np.isfinite(low).any():
        planes = build.node("Max", planes, build.constant(low))
    if np.isfinite(high).any():
        planes = build.node("Min", planes, build.constant(high))
    return build.node("Div", build.node("Sub", planes, build.constant(shift)),
                      build.constant(size))  # fmt: skip


def _terms(rule: dict) -> tuple:
    """(least, greatest, subtracted, divided by) of one value scaling."""
    kind, low, high = rule.get("type"), rule.get("minimum"), rule.get("maximum")
    try:
        if kind in ("clip", "clip-min", "clip-max"):
            return (-np.inf if low is None else low, np.inf if high is None else high, 0, 1)
        shift, size = {
            None: lambda: (0, 1),
            "scale": lambda: (0, rule["value"]),
            "offset": lambda: (rule["value"], 1),
            "z-score": lambda: (rule["mean"], rule["stddev"]),
            "min-max": lambda: (low, high - low),
        }[kind]()
    except (KeyError, TypeError) as error:
        raise ConcordError(
            f"The card's value scaling {rule} cannot be used ({error}); correct the card."
        ) from error
    return -np.inf, np.inf, shift, size


def _measured(encoder: Encoder, name: str) -> Encoder:
    """The encoder with channels, stride and halo, found by running it."""
    run = _runner(encoder)
    side = 8 * encoder.alignment * -(-64 // (8 * encoder.alignment))
    shape = run(_noise(encoder, side, 0)).shape
    stride = side // max(1, shape[-1]) if len(shape) == 4 else 0
    if len(shape) != 4 or stride < 1 or {stride * n for n in shape[2:]} != {side}:
        raise ConcordError(
            f"{name} has no features that lie on the image's pixels; choose a fully convolutional "
            "model."
        )
    alignment = int(np.lcm(encoder.alignment, stride))
    made = replace(encoder, channels=shape[1], stride=stride, alignment=alignment)
    halo = encoder.card.halo
    reach = _reach(made, name) if halo is None else halo + (stride if stride > 1 else 0)
    return replace(made, halo=reach)


def _reach(encoder: Encoder, name: str) -> int:
    """How far a pixel's features look, found by changing pixels in the middle of noise."""
    run, step = _runner(encoder), encoder.alignment
    for side in _SIDES:
        side = side // step * step
        first, far = side // 2 // step * step, 0
        for seed in range(3):
            image = _noise(encoder, side, seed)
            changed = image.copy()
            changed[..., first : first + step] += 3 * image.std()
            gap = np.abs(run(image) - run(changed)).max(axis=(0, 1, 2))
            moved = np.flatnonzero(gap > 1e-6 * max(1e-9, gap.max()))
            if moved.size:
                far = max(far, first - moved[0], moved[-1] - first - step + 1)
        if far + step < first // 2:
            return int(far) + step
    raise ConcordError(
        f"{name} sees farther than {_SIDES[-1] // 4} pixels; as an encoder choose a model that "
        "looks at a pixel's surroundings."
    )


def _runner(encoder: Encoder):
    build = graphs.Builder()
    made = add(build, encoder, list(encoder.bands), graphs.INPUT)
    build.node("Identity", made, output="found")
    session = graphs.session(build.model("encoder", len(encoder.bands), "found", "channels"))
    return lambda image: session.run(None, {graphs.INPUT: image})[0]


def _noise(encoder: Encoder, side: int, seed: int) -> np.ndarray:
    """A random image in the range that the card states."""
    ranges = {}
    for entry in encoder.card.inputs:
        ranges.update(zip(entry.bands, entry.value_range))
    low, high = np.array([ranges.get(b, (0.0, 1.0)) for b in encoder.bands], np.float32).T
    rng = np.random.default_rng(seed)
    noise = rng.random((1, len(low), side, side), np.float32)
    return low[:, None, None] + noise * (high - low)[:, None, None]
