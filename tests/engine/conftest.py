"""Small rasters and hostile disks for the engine's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid


@pytest.fixture(scope="session")
def make_grid():
    """make_grid(width, height, size=10, ...) -> a north-up Grid in UTM 32N."""

    def make(width, height, size=10.0, left=500_000.0, top=5_000_000.0, crs="EPSG:32632"):
        return Grid(crs, (size, 0.0, left, 0.0, -size, top), width, height)

    return make


@pytest.fixture
def put(tmp_path, make_grid):
    """put(name, array, grid=None, **description) -> path of a GeoTIFF in tmp_path."""

    def write(name, array, grid=None, **description):
        array = np.asarray(array)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rasters.write(path, array, grid or make_grid(*array.shape[:-3:-1]), **description)
        return str(path)

    return write


@pytest.fixture
def read_only_folder():
    """A context manager: read_only_folder(folder) makes writing into it fail, for root too."""

    @contextmanager
    def locked(folder):
        if os.geteuid() != 0:
            os.chmod(folder, 0o555)
            try:
                yield
            finally:
                os.chmod(folder, 0o755)
            return
        os.chmod(folder, 0o755)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return locked


@pytest.fixture
def open_folder():
    """A folder that every user may enter; pytest's own ones belong to their maker alone."""
    folder = Path(tempfile.mkdtemp(prefix="concord-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


_FULL_DISK = """
import resource, signal, sys
from concord.plugin.engine.errors import ConcordError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def full(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
{setup}
full({limit})
try:
    {code}
except ConcordError as error:
    print(error)
    sys.exit(3)
"""


@pytest.fixture
def on_a_full_disk(root):
    """on_a_full_disk(setup, code, limit) -> the sentence of a write that breaks at ``limit``."""

    def run(setup: str, code: str, limit: int) -> str:
        script = _FULL_DISK.format(setup=setup, code=code, limit=limit)
        folder = str(root / ".build" / "plugins")
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 3, f"the write did not fail in a sentence: {done.stderr}"
        return done.stdout.strip()

    return run


BANDS = ("red", "green", "nir")


def _item(**more) -> dict:
    """A complete MLM item for three bands in reflectance; ``more`` goes over its parts."""
    said = {"bands": BANDS, "classes": (1, 2, 3, 4), "axes": ("batch", "bands", "height", "width"),
            "tasks": ["semantic-segmentation"], "hyper": {}, **more}  # fmt: skip
    hyper = {"tile": 32, "halo": 3, "activation": "logits", "unit": "reflectance",
             "pixel_size_range_m": [5, 20], **said["hyper"]}  # fmt: skip
    axes = list(said["axes"])
    scaling = {"value_scaling": said["scaling"]} if "scaling" in said else {}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "tiny",
        "properties": {
            "mlm:name": "Tiny",
            "mlm:tasks": said["tasks"],
            "mlm:input": [{"name": "image", "bands": list(said["bands"]),
                           "input": {"dim_order": axes}, **scaling}],
            "mlm:output": [{"tasks": said["tasks"], "result": {"dim_order": axes},
                            "classification:classes": [
                                {"value": code, "name": f"c{code}"} for code in said["classes"]]}],
            "mlm:hyperparameters": {k: v for k, v in hyper.items() if v is not None},
        },
    }  # fmt: skip


@pytest.fixture(scope="session")
def item():
    """item(**parts) -> a model card as an MLM item."""
    return _item


def _convolutions(layers, channels, classes, seed):
    """(nodes, initialisers) of ``layers`` 3x3 convolutions and a 1x1 one, random but repeatable."""
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(seed)
    nodes, kept, name = [], [], "x0"
    for i in range(layers + 1):
        last = i == layers
        side, out = (1, classes) if last else (3, channels)
        weights = rng.normal(0, 1, (out, channels, side, side)).astype(np.float32)
        kept.append(numpy_helper.from_array(weights, f"w{i}"))
        pads = [side // 2] * 4
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"x{i + 1}"], pads=pads))
        name = f"x{i + 1}"
    return nodes, kept, name


def _halves(name):
    """Nodes that mean 2x2 blocks and add them to the image: odd sizes do not run."""
    from onnx import helper, numpy_helper

    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [
        helper.make_node("AveragePool", [name], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "scales"], ["full"], mode="nearest"),
        helper.make_node("Add", [name, "full"], ["sum"]),
    ]
    return nodes, [scales], "sum"


@pytest.fixture
def make_model(tmp_path):
    """make_model(name, card item, ...) -> path of an ONNX file with that card.

    layers 3x3 convolutions before a 1x1 one; ``side`` fixes the input's size; ``nhwc`` turns the
    axes; ``blocks`` adds 2x2 means; ``answer`` divides by zero ('nan') or drops an axis ('3d').
    """

    def make(name="tiny.onnx", card=None, *, layers=3, bands=3, classes=4, side=None, nhwc=False,
             blocks=False, answer="", inputs=1, rank=4, seed=1):  # fmt: skip
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        from concord.plugin.engine.infer import item as items

        size = side or None
        shape = [1, size, size, bands] if nhwc else [1, bands, size, size]
        start = "image"
        nodes, kept = [], []
        if nhwc:
            nodes.append(helper.make_node("Transpose", [start], ["x0"], perm=[0, 3, 1, 2]))
        else:
            nodes.append(helper.make_node("Identity", [start], ["x0"]))
        more, weights, end = _convolutions(layers, bands, classes, seed)
        nodes, kept = nodes + more, kept + weights
        if blocks:
            more, weights, end = _halves(end)
            nodes, kept = nodes + more, kept + weights
        if answer == "nan":
            kept.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
            nodes.append(helper.make_node("Mul", [end, "zero"], ["none"]))
            nodes.append(helper.make_node("Div", ["none", "none"], ["nan"]))
            end = "nan"
        if answer == "3d":
            kept.append(numpy_helper.from_array(np.array([0], np.int64), "axis"))
            nodes.append(helper.make_node("Squeeze", [end, "axis"], ["flat"]))
            end = "flat"
        if nhwc:
            nodes.append(helper.make_node("Transpose", [end], ["turned"], perm=[0, 2, 3, 1]))
            end = "turned"
        sources = [helper.make_tensor_value_info(start, TensorProto.FLOAT, shape[:rank])]
        sources += [helper.make_tensor_value_info("other", TensorProto.FLOAT, [1])] * (inputs - 1)
        axes = [None] * (3 if answer == "3d" else 4)
        result = helper.make_tensor_value_info(end, TensorProto.FLOAT, axes)
        graph = helper.make_graph(nodes, "tiny", sources, [result], kept)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        plain, target = tmp_path / f"plain-{name}", tmp_path / name
        onnx.save(model, str(plain))
        if card is False:
            plain.rename(target)
        else:
            items.embed(plain, target, card or _item())
            plain.unlink()
        return str(target)

    return make


@pytest.fixture
def image(put):
    """image(height, width) -> path of a random scene with the bands of ``item``."""

    def make(height=90, width=100, grid=None, name="scene.tif", hole=None, seed=4):
        values = np.random.default_rng(seed).random((3, height, width)).astype(np.float32)
        if hole is not None:
            values[0][hole] = np.nan
        units = ["reflectance"] * 3
        return put(name, values, grid, names=list(BANDS), units=units, nodata=np.nan)

    return make
