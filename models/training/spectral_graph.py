"""The ONNX graph of the bundled spectral model: fixed texture features, then a small MLP."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

OPSET = 17
FLOOR = 0.01  # reflectance added before the logarithm; keeps dark water finite
CENTRE = 2.5  # added to the logarithm, so that the squares below stay small
WINDOWS = (5, 9)
HALO = max(WINDOWS) // 2
FEATURES = 4 * (1 + 2 * len(WINDOWS))


def features(image: np.ndarray) -> np.ndarray:
    """What the graph computes before its MLP, in numpy.

    Args:
        image: (4, rows, cols) reflectance.

    Returns:
        (FEATURES, rows, cols) float32: logarithm of each band, then mean and standard
        deviation of it in each window of WINDOWS, edges reflected.
    """
    from scipy import ndimage

    log = np.log(np.clip(image, 0, 1.5).astype(np.float32) + FLOOR) + CENTRE
    planes = [log]
    for side in WINDOWS:
        box = (1, side, side)
        mean = ndimage.uniform_filter(log.astype(np.float64), box, mode="mirror")
        square = ndimage.uniform_filter(log.astype(np.float64) ** 2, box, mode="mirror")
        planes += [mean, np.sqrt(np.maximum(square - mean**2, 0) + 1e-6)]
    return np.concatenate(planes).astype(np.float32)


def build(layers: list, names: tuple = ("reflectance", "logits")):
    """The graph for MLP layers [(weights (out, in), bias (out,)), ...].

    Input (batch, 4, height, width) reflectance, output (batch, classes, height, width) logits;
    height and width must exceed HALO. Edges are reflected, sizes kept.
    """
    nodes, constants = [], []

    def constant(name, value, dtype=np.float32):
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    low, high = constant("low", 0.0), constant("high", 1.5)
    clipped = node("Clip", [names[0], low, high], "clipped")
    lifted = node("Add", [clipped, constant("floor", FLOOR)], "lifted")
    raw = node("Log", [lifted], "raw")
    log = node("Add", [raw, constant("centre", CENTRE)], "log")
    planes = [log]
    for side in WINDOWS:
        half = side // 2
        pads = constant(f"pads{side}", [0, 0, half, half] * 2, np.int64)
        padded = node("Pad", [log, pads], f"padded{side}", mode="reflect")
        square = node("Mul", [padded, padded], f"square{side}")
        pool = {"kernel_shape": [side, side], "strides": [1, 1]}
        mean = node("AveragePool", [padded], f"mean{side}", **pool)
        power = node("AveragePool", [square], f"power{side}", **pool)
        mean2 = node("Mul", [mean, mean], f"mean_squared{side}")
        variance = node("Relu", [node("Sub", [power, mean2], f"difference{side}")], f"var{side}")
        tiny = constant(f"tiny{side}", 1e-6)
        spread = node("Sqrt", [node("Add", [variance, tiny], f"lifted_var{side}")], f"std{side}")
        planes += [mean, spread]
    current = node("Concat", planes, "features", axis=1)
    for number, (weights, bias) in enumerate(layers):
        last = number == len(layers) - 1
        kernel = constant(f"weights{number}", weights[:, :, None, None])
        shift = constant(f"bias{number}", bias)
        output = names[1] if last else f"layer{number}"
        current = node("Conv", [current, kernel, shift], output, kernel_shape=[1, 1])
        if not last:
            current = node("Relu", [current], f"active{number}")

    count = layers[-1][1].shape[0]
    dims = ["batch", 4, "height", "width"]
    source = helper.make_tensor_value_info(names[0], TensorProto.FLOAT, dims)
    result = helper.make_tensor_value_info(
        names[1], TensorProto.FLOAT, ["batch", count, "height", "width"]
    )
    graph = helper.make_graph(nodes, "concord-spectral", [source], [result], constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="concord")
    checker.check_model(model, full_check=True)
    return model
