"""Models: a classifier from labels to a map, and what running a model costs beside the model."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from .clock import pause


def _limit(figures: dict, name: str, value: float, most: float) -> None:
    figures[name] = round(value, 4)
    if value > most:
        raise SystemExit(f"{name} is {value:.4g}, the limit is {most:g}; {figures}")


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


SIDE, BANDS = 10980, ["blue", "green", "red", "nir"]


def _convolutions(path: Path, channels: int = 32, layers: int = 4) -> str:
    """A small network: a few 3x3 convolutions and a 1x1 one; its radius is their number."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from concord.plugin.engine.infer import item as items

    rng, nodes, kept, name, before = np.random.default_rng(0), [], [], "image", 4
    for i in range(layers):
        weights = rng.normal(0, 0.2, (channels, before, 3, 3)).astype(np.float32)
        kept.append(numpy_helper.from_array(weights, f"w{i}"))
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"c{i}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        name, before = f"r{i}", channels
    last = rng.normal(0, 1, (5, channels, 1, 1)).astype(np.float32)
    kept.append(numpy_helper.from_array(last, "last"))
    nodes.append(helper.make_node("Conv", [name, "last"], ["out"]))
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4, None, None])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)
    graph = helper.make_graph(nodes, "small", [source], [result], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    order = ["batch", "bands", "height", "width"]
    item = {"id": "small", "type": "Feature", "properties": {
        "mlm:input": [{"name": "image", "bands": BANDS, "input": {"dim_order": order}}],
        "mlm:output": [{"tasks": ["semantic-segmentation"], "classification:classes": [
            {"value": i, "name": f"c{i}"} for i in range(1, 6)]}],
        "mlm:hyperparameters": {"tile": 1024, "halo": 4, "activation": "softmax",
                                "unit": "reflectance", "pixel_size_range_m": [5, 20]},
    }}  # fmt: skip
    plain = path.with_name("plain.onnx")
    onnx.save(model, str(plain))
    items.embed(plain, path, item)
    return str(path)


def _large_scene(path: str, side: int) -> None:
    """Four bands of uint16 reflectance x 10,000, smooth with noise, written in strips."""
    from concord.plugin.engine import rasters
    from concord.plugin.engine.grid import Grid, Window

    grid = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), side, side)
    rng = np.random.default_rng(0)
    x = np.arange(side, dtype=np.float32) / 300
    with rasters.Writer(path, grid, 4, "uint16", names=BANDS, nodata=0,
                        units=["reflectance"] * 4, scales=[(1e-4, 0.0)] * 4) as writer:  # fmt: skip
        for row in range(0, side, 512):
            rows = min(512, side - row)
            y = np.arange(row, row + rows, dtype=np.float32) / 300
            wave = np.sin(x)[None] * np.cos(y)[:, None]
            noise = rng.integers(0, 24, (4, rows, side), dtype=np.uint16)
            strip = (2000 + 900 * np.stack([wave, wave**2, -wave, np.abs(wave)])).astype(np.uint16)
            writer.write(strip + noise, Window(0, row, side, rows))


def bench_large_scene(folder: Path) -> dict:
    """10,980 x 10,980 x 4 through a small network, against the network alone on its tiles."""
    import resource

    from concord.plugin.engine import rasters
    from concord.plugin.engine.grid import Window
    from concord.plugin.engine.infer import runner, session, tiling
    from concord.plugin.engine.scene import Scene

    path, out = str(folder / "scene.tif"), str(folder / "map.tif")
    with pause():
        _large_scene(path, SIDE)
        model = session.Model(_convolutions(folder / "small.onnx"))
    with Scene([path]) as scene:
        tiles = tiling.plan_tiles(scene.grid, scene.grid.window, 1024, model.card, False)
        with pause():
            half = len(tiles) // 2
            busy = os.getloadavg()[0] > (os.cpu_count() or 1) - 0.5
            bare = _bare(model, tiles[:half])
        start = np.array([time.perf_counter(), time.process_time()])
        report = runner.run(model, scene, runner.RunWish(out))
        total = np.array([time.perf_counter(), time.process_time()]) - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        with pause():
            bare += _bare(model, tiles[half:])
            differ = 0
            for col, row in ((0, 0), (SIDE - 1500, SIDE - 1500), (4000, 5000)):
                window = Window(col, row, 1500, 1500)
                wide = window.grown(8).clipped(SIDE, SIDE)
                whole = model.run(scene.read(BANDS, wide)).argmax(axis=0) + 1
                top, left = row - wide.row, col - wide.col
                part = whole[top : top + 1500, left : left + 1500]
                differ += int((rasters.read(out, window=window)[0] != part).sum())
    figures = {
        "tiles": report["tiles"],
        "seconds_total": round(total[0], 1),
        "seconds_onnxruntime": round(bare[0], 1),
        "cpu_total": round(total[1], 1),
        "cpu_onnxruntime": round(bare[1], 1),
        "mpx_per_second": report["mpx_per_second"],
        "overlap_agreement": round(report["overlap_agreement"], 6),
    }
    figures["differ_of_6750000"] = differ
    figures["cpu_against_onnxruntime"] = round(total[1] / bare[1], 3)
    if busy:  # reading and writing run beside the model; they cannot where others compute
        figures["wall_against_onnxruntime"] = round(total[0] / bare[0], 3)
        figures["not_judged"] = "the machine was busy, so that wall time says nothing"
    else:
        _limit(figures, "wall_against_onnxruntime", total[0] / bare[0], 1.10)
    _limit(figures, "peak_gb", peak, 1.5)
    _limit(figures, "differing_share", differ / 6.75e6, 1e-6)
    return figures


def _bare(model, tiles) -> np.ndarray:
    """Seconds (wall, processor) that onnxruntime alone takes for images of the tiles' sizes."""
    images: dict = {}
    seconds = np.zeros(2)
    for tile in tiles:
        shape = (4, tile.window.height, tile.window.width)
        if shape not in images:
            images[shape] = np.random.default_rng(0).random(shape, np.float32)
        start = np.array([time.perf_counter(), time.process_time()])
        model.run_all([images[shape]])
        seconds += np.array([time.perf_counter(), time.process_time()]) - start
    return seconds


def bench_dask_workers(folder: Path) -> dict:
    """The same tiles on one Dask worker and on two; limit 1.7 times as fast."""
    from concord.plugin.engine.infer import runner, session
    from concord.plugin.engine.scene import Scene

    from .workers import Cluster

    seconds = []
    busy = os.getloadavg()[0] > (os.cpu_count() or 1) - 0.5
    with pause():
        path = str(folder / "scene.tif")
        _large_scene(path, 4096)
        model = _convolutions(folder / "small.onnx")
        cluster = Cluster(folder)
    with cluster:
        for count in (1, 2):
            with pause():
                cluster.add_worker()
            for warming in (True, False):  # the first run ships engine and model
                out = str(folder / f"map{count}.tif")
                start = time.perf_counter()
                with Scene([path]) as scene:
                    part_ = (5e5, 4.99e6, 5.1e5, 5e6) if warming else None
                    wish = runner.RunWish(out, executor=cluster.executor, extent=part_)
                    runner.run(session.Model(model), scene, wish)
                if not warming:
                    seconds.append(time.perf_counter() - start)
    figures = {"seconds_one": round(seconds[0], 2), "seconds_two": round(seconds[1], 2)}
    figures["times_as_fast"] = round(seconds[0] / seconds[1], 3)
    if busy:
        return {**figures, "not_judged": "the machine was busy"}
    _limit(figures, "two_against_one", seconds[1] / seconds[0], 1 / 1.7)
    return figures
