"""Parts of an ONNX graph in 8 bits, as onnxruntime's own tools make them.

Weights keep 7 bits: processors without VNNI add products of 8 bits in 16, which would overflow.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import onnx

PERCENTILE = 99.9  # of what a plane holds; what lies beyond is cut
BESIDE = ("Sigmoid", "Mul", "Add")  # taken too where all they read is in 8 bits


def quantised(graph, images: list, parts: tuple):
    """The graph with some convolutions in 8 bits, calibrated on what they see of images.

    Args:
        graph: `onnx.ModelProto`.
        images: [{input: array}].
        parts: beginnings of the names of convolutions, "/net/second/" and the like.

    Raises:
        ValueError: a part names no convolution.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        before, ready, after = (str(Path(folder) / name) for name in ("a.onnx", "b.onnx", "c.onnx"))
        onnx.save(graph, before)
        quant_pre_process(before, ready, skip_symbolic_shape=True)
        quantize_static(
            ready, after, _Shown(images), quant_format=QuantFormat.QDQ, per_channel=True,
            reduce_range=True, op_types_to_quantize=["Conv", *BESIDE],
            nodes_to_quantize=_chosen(onnx.load(ready).graph, parts),
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )  # fmt: skip
        made = onnx.load(after)
    _plain(made, graph.ir_version)
    return made


def _plain(made, version: int) -> None:
    """Name only the operator sets that are used: onnxruntime names all it knows, even newer ones
    than what others can read or put a classifier behind.
    """
    used = {node.domain for node in made.graph.node} | {""}
    kept = [entry for entry in made.opset_import if entry.domain in used]
    del made.opset_import[:]
    made.opset_import.extend(kept)
    made.ir_version = version
    onnx.checker.check_model(made, full_check=True)


def _chosen(graph, parts: tuple) -> list:
    """Names of the convolutions of the parts and of what works on their answers alone."""
    for part in parts:
        if not any(n.op_type == "Conv" and n.name.startswith(part) for n in graph.node):
            raise ValueError(f"The graph has no convolution whose name begins with {part}.")
    names, made = [], set()
    for node in graph.node:  # in the order of computing
        own = node.op_type == "Conv" and node.name.startswith(parts)
        if own or (node.op_type in BESIDE and made.issuperset(node.input)):
            names.append(node.name)
            made.update(node.output)
    return names


class _Shown:
    """A CalibrationDataReader, which onnxruntime asks until nothing comes."""

    def __init__(self, images: list):
        self._left = iter(images)

    def get_next(self):
        return next(self._left, None)
