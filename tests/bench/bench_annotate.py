"""Prompting: encoder, click, hover preview, accepting among ten thousand labels. One thread.

The imagery is fair-uganda; without the real data the sample below takes its place.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import numpy as np

from .clock import pause

ROOT = Path(__file__).resolve().parents[2]
DATA = (ROOT / os.environ.get("CONCORD_DATA", "../shared/data")).resolve()
REPEATS = 15
ACCEPTED = 40


def _image(folder: Path) -> str:
    from concord.plugin.engine import rasters
    from concord.plugin.engine.grid import Grid

    target = folder / "image.tif"
    if (DATA / "fair-uganda").is_dir():
        from tests.real import annotator

        return annotator.mosaic(DATA / "fair-uganda", target)
    rows, cols = np.mgrid[:1500, :1500]
    planes = [np.sin(rows / a) * np.cos(cols / a) * 90 + 120 for a in (31, 47, 71)]
    place = Grid("EPSG:32632", (0.1, 0.0, 5e5, 0.0, -0.1, 5e6), 1500, 1500)
    rasters.write(str(target), np.array(planes, np.uint8), place, names=["red", "green", "blue"])
    return str(target)


def _measured(folder: Path, model: str) -> dict:
    """Medians in milliseconds, questions asked as the panel asks them."""
    from concord.plugin.engine.segment import places
    from concord.plugin.engine.segment.desk import Desk, Question
    from concord.plugin.engine.segment.store import SHARED

    with pause():
        desk = Desk(_image(folder), (), model)
        SHARED.clear()
    left, bottom, right, top = desk.grid.bounds
    spots = np.random.default_rng(0).uniform(0.5, 0.56, (REPEATS, 2))
    spots = [(left + x * (right - left), bottom + y * (top - bottom), 1) for x, y in spots]

    def timed(work) -> float:
        # Wall time: the work is done in another thread, whose time this one's clock does not count.
        start = time.perf_counter()
        work()
        return (time.perf_counter() - start) * 1000

    first = timed(lambda: desk.outlines(desk.ask(Question((spots[0],), widen=False))[0]))
    scene, provider = desk._current(), desk.provider
    place = desk.place(Question((spots[0],)))
    image, valid = desk.composite.render(scene, place.window, place.shape)
    encoder = statistics.median(timed(lambda: provider.encode(image, valid)) for _ in range(3))
    encoding, _ = places.encoding_at(scene, desk.composite, provider, place)
    prompt = desk.prompt(Question((spots[0],)))
    local = prompt.moved(place.window.col, place.window.row, *place.steps)
    decoder = statistics.median(timed(lambda: provider.predict(encoding, local)) for _ in range(9))
    clicks, hovers = [], []
    for spot in spots:
        ask = Question((spot,), widen=False)
        desk.ask(ask)  # now it is encoded
        clicks.append(timed(lambda a=ask: [desk.outlines(found) for found in desk.ask(a)]))
        hovers.append(timed(lambda a=ask: desk.is_ready(a) and desk.outlines(desk.ask(a)[0])))
    desk.close()
    return {
        "encoder_ms": round(encoder, 1),
        "decoder_ms": round(decoder, 1),
        "first_click_ms": round(first, 1),
        "click_ms": round(statistics.median(clicks), 1),
        "hover_per_s": round(1000 / statistics.median(hovers), 1),
    }


def bench_prompt_regions(folder: Path) -> dict:
    """The weight-free provider."""
    return _measured(folder, "regions")


def bench_prompt_bundled(folder: Path) -> dict:
    """The bundled network."""
    return _measured(folder, "concord-prompt")


def bench_prompt_onnx(folder: Path) -> dict | None:
    """The ONNX pair for testing; nothing without the real data."""
    model = DATA / "models" / "standin-click"
    return _measured(folder, str(model)) if model.is_dir() else None


def bench_prompt_vit_b(folder: Path) -> dict | None:
    """Random weights of true SAM ViT-B shapes; nothing before `make sam-export` made them."""
    model = ROOT / ".build" / "sam-models" / "random-vit_b.encoder.onnx"
    return _measured(folder, str(model)) if model.exists() else None


def bench_accept_among_ten_thousand(folder: Path) -> dict:
    """Accepting a square with the planar rule into a layer of 10,000 unsaved squares."""

    def square(k: int, x: float, y: float):
        from qgis.core import QgsGeometry, QgsRectangle

        return QgsGeometry.fromRect(QgsRectangle(x, y, x + 18, y + 18))

    def accepted(k: int):
        from qgis.core import QgsGeometry, QgsRectangle

        x, y = 5e5 + 70 * (k % 20) + 17, 5e6 + 700 + 200 * (k // 20)
        return QgsGeometry.fromRect(QgsRectangle(x, y, x + 24, y + 30))

    return _accepting(folder, square, accepted, "cut_new", 1.0)


def bench_accept_traced_outlines(folder: Path) -> dict:
    """The same with outlines traced from pixels, about a hundred vertices each, old ones cut."""
    random, pixel = np.random.default_rng(1), 0.6
    with pause():
        from tests.gui.test_planar_coverage import blob

        shapes: list = []

    def label(k: int, x: float, y: float):
        from qgis.core import QgsGeometry

        if not shapes:
            shapes.extend(blob(random, (0, 0), pixel) for _ in range(20))
        shape = QgsGeometry(shapes[k % 20])
        shape.translate(x, y)
        return shape

    def accepted(_k: int):
        return blob(
            random, (5e5 + random.uniform(200, 1800), 5e6 + random.uniform(200, 1800)), pixel
        )

    return _accepting(folder, label, accepted, "cut_old", 2.0)


def _accepting(folder: Path, label, accepted, overlap: str, gap: float) -> dict:
    """CPU time of the accepting thread; `label(k, x, y)` and `accepted(k)` make outlines."""
    with pause():
        from qgis.core import (
            QgsApplication,
            QgsCoordinateReferenceSystem,
            QgsCoordinateTransformContext,
            QgsFeature,
        )

        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        application = QgsApplication([], False)
        application.initQgis()
        from concord.plugin.bridge import labels
        from concord.plugin.bridge.planar import Rule

        crs = QgsCoordinateReferenceSystem("EPSG:32632")
        layer = labels.create_label_layer(folder / "labels.gpkg", crs, "labels")
        layer.startEditing()
        features = []
        for number in range(10_000):
            feature = QgsFeature(layer.fields())
            x, y = 5e5 + number % 100 * 20, 5e6 + number // 100 * 20
            feature.setGeometry(labels.fitting(layer, label(number, x, y)))
            features.append(feature)
        layer.addFeatures(features)
        outlines = [accepted(k) for k in range(ACCEPTED)]
    times, context, rule = [], QgsCoordinateTransformContext(), Rule(overlap, True, gap)
    for shape in outlines:
        start = time.thread_time()
        labels.accept(layer, shape, crs, {"class": 1}, context, None, rule)
        times.append((time.thread_time() - start) * 1000)
    count = layer.featureCount()
    layer.rollBack()
    del layer
    application.exitQgis()
    return {"features": count, "accept_ms": round(statistics.median(times), 1),
            "slowest_ms": round(max(times), 1)}  # fmt: skip
