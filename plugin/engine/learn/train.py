"""Labels to a model: samples, cross-validation, one ONNX file with its card, and a report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress
from ..scene import Scene
from ..taxonomy import Taxonomy
from . import encoder as encoders
from . import features, graphs, guide, mlm, validate
from .samples import PolygonLabels, RasterLabels, Samples, around, collect, fill_of

OUTPUT = "probabilities"


@dataclass(frozen=True)
class TrainWish:
    """What to learn from and how; ``shapes`` are [(GeoJSON in the image's CRS, code)].

    Args:
        bands: names; empty for all of the scene.
        derived: names out of features.PAIRS; None for all that the bands allow.
        windows: odd sides in pixels of the local mean and deviation.
        block, buffer: map units; 0 lets the labels and the windows decide.
        encoder: bundled id or ONNX file of a network whose feature maps join the features.
        alone: the encoder's features stand instead of bands, derived bands and textures.
    """

    output: str
    labels_raster: str = ""
    shapes: tuple = ()
    recipe: validate.Recipe = field(default_factory=validate.Recipe)
    bands: tuple = ()
    derived: tuple | None = None
    windows: tuple = (5, 9)
    samples: int = 20000
    folds: int = 5
    block: float = 0.0
    buffer: float = 0.0
    next_map: str | None = None
    licence: str = "proprietary"
    encoder: str = ""
    alone: bool = False


def train(wish: TrainWish, inputs, scheme: Taxonomy | None = None,
          progress: Progress = SILENT) -> dict:  # fmt: skip
    """Train, check, write the model and return the report's values.

    Args:
        scheme: class names and colours of the codes; None takes the label raster's own.
    """
    started = time.monotonic()
    with Scene(inputs) as scene:
        plan = _plan(wish, scene)
        labels = _labels(wish, scene)
        try:
            samples = collect(
                labels, scene, plan, wish.samples, wish.recipe.seed, progress.part(0, 25)
            )
            scheme = _scheme(scheme, labels, samples)
        finally:
            labels.close()
        quality = validate.cross_validate(
            samples, plan, wish.recipe, scene.grid, progress.part(25, 70), wish.folds,
            _pixels(wish.block, scene), _pixels(wish.buffer, scene) or None,
            _layers(scene, plan),
        )  # fmt: skip
        progress.part(70, 75).report(0, 1, "Training")
        learned = wish.recipe.fit(samples.values, samples.codes)
        made = graph(plan, learned)
        difference = _parity(made, scene, plan, learned, samples)
        card = mlm.item(wish, plan, scene, scheme, learned, samples, quality)
        mlm.save(made, card, wish.output)
        ready = time.monotonic() - started
        report = _report(wish, plan, scheme, samples, quality, difference, ready)
        if wish.next_map:
            step = max(1, round(max(scene.grid.width, scene.grid.height) / 512))
            part = progress.part(75, 100)
            report["next"] = guide.write(wish.next_map, scene, plan, learned, samples, step, part)
        report["inputs"] = [str(path) for path in inputs]
        report["warnings"] = list(dict.fromkeys(scene.warnings))
    report["seconds"] = round(time.monotonic() - started, 3)
    return report


def _plan(wish: TrainWish, scene: Scene) -> features.Plan:
    bands = scene.require(wish.bands or scene.names)
    encoder = encoders.load(wish.encoder, scene) if wish.encoder else None
    if wish.alone and encoder is None:
        raise ConcordError("Features of an encoder alone need an encoder; choose one.")
    bands = [] if wish.alone else bands
    derived = features.possible(bands) if wish.derived is None or wish.alone else wish.derived
    windows = () if wish.alone else wish.windows
    # The encoder may read bands that were not chosen as features.
    more = [band for band in encoder.bands if band not in bands] if encoder else []
    seen = scene.overview([*bands, *more], 512)
    return features.plan(bands, derived, windows, seen, encoder, more)


def graph(plan: features.Plan, learned):
    """Features and classifier as one ONNX model: image to probabilities."""
    build = graphs.Builder()
    planes = learned.head(build, features.add(build, plan))
    build.node("Identity", planes, output=OUTPUT)
    return build.model("classifier", len(plan.bands), OUTPUT, len(learned.codes))


def _labels(wish: TrainWish, scene: Scene):
    if wish.labels_raster:
        return RasterLabels(wish.labels_raster, scene.grid)
    if not wish.shapes:
        raise ConcordError("The label layer has no polygons with a class; draw some first.")
    return PolygonLabels(wish.shapes, scene.grid)


def _scheme(scheme, labels, samples: Samples) -> Taxonomy:
    present = sorted(samples.labelled)
    if scheme is not None:
        scheme.check(present, "The label layer")
    elif isinstance(labels, RasterLabels):
        scheme = labels.raster.taxonomy("", present)
    else:
        from ..taxonomy import ClassDef, colour_of

        named = tuple(ClassDef(c, f"class {c}", colour_of(c)) for c in present)
        scheme = Taxonomy("labels", "Labels", named)
    learnt = {int(c) for c in np.unique(samples.codes)}
    return Taxonomy(scheme.id, scheme.title, tuple(c for c in scheme.classes if c.code in learnt))


def _pixels(distance: float, scene: Scene) -> int:
    return int(round(distance / scene.grid.pixel_size[0]))


def _layers(scene: Scene, plan: features.Plan) -> dict:
    """What is left out in turn: the bands of each file, and the encoder."""
    layers: dict = {}
    for band in plan.bands:
        layers.setdefault(Path(scene.sources[band].path).name, []).append(band)
    return {**layers, plan.encoder.id: [plan.encoder.id]} if plan.encoder else layers


def _parity(made, scene, plan, learned, samples: Samples) -> dict:
    """Largest difference between scikit-learn and the written graph, on training pixels."""
    keys = samples.places // 256
    _, inverse, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    chosen = np.flatnonzero(inverse.reshape(-1) == np.argmax(count))[:2000]
    places = samples.places[chosen]
    window = around(places)
    reader = features.Reader(plan, scene, fill_of(scene, plan.bands), made)
    scores, _ = reader.read(window)
    got = scores[:, places[:, 0] - window.row, places[:, 1] - window.col].T
    gaps = np.abs(got - learned.probabilities(samples.values[chosen])).max(axis=1)
    return {"pixels": len(chosen), "largest": float(gaps.max()),
            "within_1e5": float((gaps <= 1e-5).mean())}  # fmt: skip


def _report(wish, plan, scheme, samples, quality, difference, seconds) -> dict:
    used = {int(c): int((samples.codes == c).sum()) for c in np.unique(samples.codes)}
    return {
        "model": str(wish.output),
        "bytes": Path(wish.output).stat().st_size,
        "method": wish.recipe.method,
        "settings": {
            "seed": wish.recipe.seed, "trees": wish.recipe.trees, "depth": wish.recipe.depth,
            "rotation": wish.recipe.rotation, "windows": list(plan.windows),
        },
        "bands": list(plan.bands),
        "encoder": _encoder(plan),
        "derived": list(plan.derived),
        "features": plan.names,
        "halo": plan.halo,
        "classes": [
            {"code": c.code, "name": c.name, "labelled": samples.labelled[c.code],
             "used": used.get(c.code, 0)}
            for c in scheme.classes
        ],
        "samples": len(samples.codes),
        "quality": quality,
        "onnx_against_scikit_learn": difference,
        "seconds_to_model": round(seconds, 3),
    }  # fmt: skip


def _encoder(plan: features.Plan) -> dict | None:
    one = plan.encoder
    if one is None:
        return None
    return {"id": one.id, "sha256": one.sha256, "licence": one.card.licence,
            "bands": list(one.bands), "features": one.channels, "stride": one.stride,
            "halo": one.halo, "alone": not plan.own}  # fmt: skip


def numbered(names) -> Taxonomy:
    """A scheme for classes given as texts: sorted, counted from 1."""
    from ..taxonomy import ClassDef, colour_of

    unique = sorted(set(names))
    if len(unique) > 254:
        raise ConcordError("The label layer has more than 254 classes; choose another field.")
    classes = tuple(ClassDef(i, n, colour_of(i)) for i, n in enumerate(unique, 1))
    return Taxonomy("labels", "Labels", classes)


def grid_of(inputs):
    """The grid that labels are burnt on: that of the first image."""
    return rasters.require_crs(rasters.info(inputs[0])).grid
