"""What a classifier looks at, as one ONNX graph: bands, normalised differences, local statistics.

The same graph computes the features of the training pixels and stands inside the model that is
written, so a model can never see other features than it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError

OPSET = 17
INPUT, FEATURES = "image", "features"
# name -> (first band, second band, kind); formulas and sources stand in engine/derive
PAIRS = {
    "ndvi": ("nir", "red", "ratio"),
    "ndwi": ("green", "nir", "ratio"),
    "mndwi": ("green", "swir16", "ratio"),
    "ndmi": ("nir", "swir16", "ratio"),
    "nbr": ("nir", "swir22", "ratio"),
    "ndbi": ("swir16", "nir", "ratio"),
    "vv_vh": ("vv", "vh", "difference"),
}


@dataclass(frozen=True)
class Plan:
    """The features of one classifier.

    Args:
        bands: names in the order of the graph's input.
        derived: names out of PAIRS.
        windows: odd sides in pixels; mean and standard deviation of every band in each.
        centre, spread: one number a band, so that sums of squares stay exact in float32.
    """

    bands: tuple
    derived: tuple
    windows: tuple
    centre: tuple
    spread: tuple

    @property
    def halo(self) -> int:
        return max((side // 2 for side in self.windows), default=0)

    @property
    def names(self) -> list:
        """One name a feature, in order."""
        texture = [
            f"{band} {what} {side}"
            for side in self.windows
            for what in ("mean", "deviation")
            for band in self.bands
        ]
        return [*self.bands, *self.derived, *texture]

    def columns(self, source: str) -> list:
        """The features that are computed from a band; a derived band stands for itself."""
        return [i for i, name in enumerate(self.names) if name.split()[0] == source]


def plan(bands, derived, windows, view: np.ndarray) -> Plan:
    """A plan, with centre and spread from ``view`` (bands, rows, cols), NaN allowed."""
    if len(set(bands)) != len(bands):
        raise ConcordError("A band is named twice; name every band once.")
    for side in windows:
        if side < 3 or side > 63 or side % 2 == 0:
            raise ConcordError(f"The window of {side} pixels is not odd or not 3 to 63; change it.")
    for name in derived:
        if name not in PAIRS:
            raise ConcordError(
                f"The derived band '{name}' is not known; use {', '.join(sorted(PAIRS))}."
            )
        absent = [band for band in PAIRS[name][:2] if band not in bands]
        if absent:
            raise ConcordError(
                f"The derived band {name} needs the band {absent[0]}; choose that band too."
            )
    centre, spread = [], []
    for band, plane in zip(bands, view):
        finite = plane[np.isfinite(plane)]
        if not finite.size:
            raise ConcordError(f"The band {band} holds no data; leave it out.")
        low, middle, high = np.percentile(finite, (10, 50, 90))
        centre.append(float(np.float32(middle)))
        spread.append(float(np.float32(high - low)) or 1.0)
    return Plan(tuple(bands), tuple(derived), tuple(windows), tuple(centre), tuple(spread))


def possible(bands) -> list:
    """The derived bands that these bands allow."""
    return [name for name, (a, b, _) in PAIRS.items() if a in bands and b in bands]


class Builder:
    """Collects nodes and constants of a graph; ``node`` gives the name of what it computes."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, dtype=np.float32) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes):
        from onnx import helper

        output = output or f"n{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                kind, list(inputs), [output], name=f"{kind}_{output}", domain=domain, **attributes
            )
        )
        return output

    def model(self, name: str, bands: int, output: str, planes: int):
        """The ONNX model from (batch, bands, h, w) to (batch, planes, h, w)."""
        from onnx import TensorProto, checker, helper

        sizes = ["height", "width"]
        source = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", bands, *sizes])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", planes, *sizes])
        graph = helper.make_graph(self.nodes, name, [source], [result], self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="concord")
        checker.check_model(made)
        return made


def add(build: Builder, plan: Plan) -> str:
    """Add the features' nodes; returns the name of (batch, features, h, w). Edges reflect."""
    centre = build.constant(np.array(plan.centre)[:, None, None])
    spread = build.constant(np.array(plan.spread)[:, None, None])
    level = build.node("Div", build.node("Sub", INPUT, centre), spread)
    planes = [level, *(_derived(build, plan, name) for name in plan.derived)]
    for side in plan.windows:
        half = side // 2
        pads = build.constant([0, 0, half, half] * 2, np.int64)
        padded = build.node("Pad", level, pads, mode="reflect")
        pool = {"kernel_shape": [side, side], "strides": [1, 1]}
        mean = build.node("AveragePool", padded, **pool)
        power = build.node("AveragePool", build.node("Mul", padded, padded), **pool)
        variance = build.node("Sub", power, build.node("Mul", mean, mean))
        planes += [mean, build.node("Sqrt", build.node("Relu", variance))]
    return build.node("Concat", *planes, output=FEATURES, axis=1)


def _derived(build: Builder, plan: Plan, name: str) -> str:
    one, other, kind = PAIRS[name]

    def band(wanted):
        place = build.constant([plan.bands.index(wanted)], np.int64)
        return build.node("Gather", INPUT, place, axis=1)

    a, b = band(one), band(other)
    difference = build.node("Sub", a, b)
    if kind == "difference":
        return difference
    total = build.node("Add", a, b)
    zero = build.node("Equal", total, build.constant(0.0))
    ratio = build.node("Div", difference, build.node("Where", zero, build.constant(1.0), total))
    # A sum near zero (noise over dark water) must not reach the classifier as a huge number.
    return build.node("Clip", ratio, build.constant(-2.0), build.constant(2.0))


def session(made, threads: int = 1):
    """An onnxruntime session of a model in memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def feature_session(plan: Plan, threads: int = 1):
    """A session that computes the features only."""
    build = Builder()
    add(build, plan)
    return session(build.model("features", len(plan.bands), FEATURES, len(plan.names)), threads)
