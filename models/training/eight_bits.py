"""Parts of an ONNX graph in 8 bits, as onnxruntime's own tools make them.

Weights keep 7 bits: processors without VNNI add products of 8 bits in 16, which would overflow.
"""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
from pathlib import Path

import onnx

SHARED = 256  # elements of a tensor that is worth sharing


def quantised(graph, shown: list, parts: tuple, percentile: float, beside: tuple = ()):
    """The graph with some convolutions in 8 bits, calibrated on what they answer to examples.

    Args:
        graph: `onnx.ModelProto`.
        shown: [{input: array}].
        parts: beginnings of the names of convolutions, "/net/second/" and the like.
        percentile: of what a layer answers; what lies beyond is cut.
        beside: types of operations that are taken too where all they read is in 8 bits.

    Raises:
        ValueError: a part names no convolution.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        before, ready, after = (str(Path(folder) / name) for name in ("a.onnx", "b.onnx", "c.onnx"))
        onnx.save(_unshared(graph), before)
        # Not its optimisation: that takes the names of the weights away.
        quant_pre_process(before, ready, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            ready, after, _Shown(shown), quant_format=QuantFormat.QDQ, per_channel=True,
            reduce_range=True, op_types_to_quantize=["Conv", *beside],
            nodes_to_quantize=_chosen(graph.graph, parts, beside),
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": percentile},
        )  # fmt: skip
        made = onnx.load(after)
    _share(made.graph)
    _plain(made, graph.ir_version)
    return made


def _unshared(graph):
    """A copy in which every layer has weights of its own; torch writes equal ones once, and
    onnxruntime takes no layer into 8 bits whose bias comes through an Identity.
    """
    made = onnx.ModelProto()
    made.CopyFrom(graph)
    stored = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "Identity" and node.input[0] in stored:
            own = made.graph.initializer.add()
            own.CopyFrom(stored[node.input[0]])
            own.name = node.output[0]
            made.graph.node.remove(node)
    return made


def _share(graph) -> None:
    """Keep equal weights once; a scale keeps its name, by which it is found."""
    first, instead = {}, {}
    for tensor in list(graph.initializer):
        if math.prod(tensor.dims) < SHARED:
            continue
        plain = onnx.TensorProto()
        plain.CopyFrom(tensor)
        plain.ClearField("name")
        content = plain.SerializeToString()
        if content in first:
            instead[tensor.name] = first[content]
            graph.initializer.remove(tensor)
        else:
            first[content] = tensor.name
    for node in graph.node:
        node.input[:] = [instead.get(name, name) for name in node.input]


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


def _chosen(graph, parts: tuple, beside: tuple) -> list:
    """Names of the convolutions of the parts and of what works on their answers alone."""
    for part in parts:
        if not any(n.op_type == "Conv" and n.name.startswith(part) for n in graph.node):
            raise ValueError(f"The graph has no convolution whose name begins with {part}.")
    names, made = [], set()
    for node in graph.node:  # in the order of computing
        own = node.op_type == "Conv" and node.name.startswith(parts)
        if own or (node.op_type in beside and made.issuperset(node.input)):
            names.append(node.name)
            made.update(node.output)
    return names


class _Shown:
    """A CalibrationDataReader, which onnxruntime asks until nothing comes."""

    def __init__(self, shown: list):
        self._left = iter(shown)

    def get_next(self):
        return next(self._left, None)
