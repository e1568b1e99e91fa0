"""Models: a classifier from labels to a map, and what running a model costs beside the model."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from .clock import pause


def _limit(figures: dict, name: str, value: float, most: float) -> None:
    figures[name] = round(value, 4)
    if value > most:
        raise SystemExit(f"{name} is {value:.4g}, the limit is {most:g}")


def bench_train_forest(folder: Path) -> dict:
    """30 trees on 20,000 labelled pixels, to a running map of 1024 x 1024; limit 30 s."""
    from concord.plugin.engine import rasters
    from concord.plugin.engine.infer import runner, session
    from concord.plugin.engine.learn import train
    from concord.plugin.engine.sample import scene as sample_scene
    from concord.plugin.engine.scene import Scene

    image, labels = str(folder / "image.tif"), str(folder / "labels.tif")
    with pause():
        made = sample_scene.generate(1, 1024)
        names = ["blue", "green", "red", "nir"]
        rasters.write(image, made.optical, made.grid, names=names,
                      units=["reflectance"] * 4, nodata=np.nan)  # fmt: skip
        rasters.write(labels, made.truth, made.grid, nodata=0)
    start = time.perf_counter()
    wish = train.TrainWish(str(folder / "mine.onnx"), labels, samples=20000)
    report = train.train(wish, [image])
    trained = time.perf_counter() - start
    out = str(folder / "map.tif")
    with Scene([image]) as scene:
        runner.run(session.Model(wish.output), scene, runner.RunWish(out))
    figures = {
        "labelled_pixels": report["samples"],
        "seconds_training": round(trained, 2),
        "held_out_accuracy": round(report["quality"]["accuracy"], 4),
        "model_mb": round(report["bytes"] / 1e6, 2),
        "map_accuracy": round(float(np.mean(rasters.read(out)[0] == made.truth)), 4),
    }
    _limit(figures, "labels_to_map_s", time.perf_counter() - start, 30)
    _limit(figures, "from_scikit_learn", report["onnx_against_scikit_learn"]["largest"], 1e-5)
    return figures
