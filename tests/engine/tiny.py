"""Tiny graphs whose answer is known, under 25 kB each, and a way to run them."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid
from concord.plugin.engine.infer import dates, runner
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.infer.session import Model

BANDS = ["red", "green", "nir"]


def grid(width=100, height=90):
    return Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), width, height)


@pytest.fixture
def image(tmp_path):
    """image(name, values or seed) -> path of three bands of reflectance."""

    def make(name="scene.tif", values=None, seed=1, width=100, height=90):
        if values is None:
            values = np.random.default_rng(seed).random((3, height, width)).astype(np.float32)
        path = str(tmp_path / name)
        place = grid(values.shape[2], values.shape[1])
        rasters.write(path, values, place, names=BANDS, units=["reflectance"] * 3, nodata=np.nan)
        return path

    return make


def card_of(task, inputs=(BANDS,), classes=(), outputs=1, axes=None, **hyper):
    """An MLM item; ``axes`` is the dim_order of the inputs."""
    order = axes or ["batch", "bands", "height", "width"]
    said = {"tile": 32, "halo": 4, "activation": "none", "unit": "reflectance",
            "pixel_size_range_m": [5, 20], **hyper}  # fmt: skip
    listed = [{"value": i, "name": name} for i, name in enumerate(classes, 1)]
    return {
        "id": "tiny", "type": "Feature",
        "properties": {
            "mlm:name": "Tiny",
            "mlm:input": [{"name": f"in{i}", "bands": list(b), "input": {"dim_order": order}}
                          for i, b in enumerate(inputs)],
            "mlm:output": [{"tasks": [task], "classification:classes": listed}] * outputs,
            "mlm:hyperparameters": {k: v for k, v in said.items() if v is not None},
        },
    }  # fmt: skip


@pytest.fixture
def graph(tmp_path):
    """graph(nodes, card item, input shapes, outputs, constants) -> an opened ``Model``."""

    def make(nodes, item, shapes=((1, 3, None, None),), outputs=(("out", 4),), constants=None,
             dtype=TensorProto.FLOAT, name="tiny"):  # fmt: skip
        kept = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
        sources = [helper.make_tensor_value_info(f"in{i}", dtype, s) for i, s in enumerate(shapes)]
        results = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, r if isinstance(r, (list, tuple))
                                          else [None] * r)
            for n, r in outputs
        ]  # fmt: skip
        made = helper.make_graph(nodes, "tiny", sources, results, kept)
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        plain, target = tmp_path / "plain.onnx", tmp_path / f"{name}.onnx"
        onnx.save(model, str(plain))
        items.embed(plain, target, item)
        assert target.stat().st_size < 25_000
        return Model(str(target))

    return make


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


@pytest.fixture
def run(tmp_path):
    """run(model, paths, **wish) -> (report, objects, {name: array})."""

    def go(model, paths, **wish):
        scenes = dates.open_scenes([paths] if isinstance(paths, str) else paths, model.card)
        named = {"output": str(tmp_path / "out.tif"), **wish}
        try:
            wished = runner.RunWish(**named)
            report, objects = runner.run_with_objects(model, scenes, wished)
        finally:
            for scene in scenes:
                scene.close()
        json.dumps(report, allow_nan=False)
        made = {n: rasters.read(p) for n, p in wished.paths.items()}
        return report, objects, made

    return go
