"""ONNX graphs put together node by node, and run from memory."""

from __future__ import annotations

import numpy as np

OPSET = 17
INPUT = "image"


class Builder:
    """Collects nodes and constants of a graph; ``node`` gives the name of what it computes."""

    def __init__(self):
        self.nodes, self.constants, self.free = [], [], []
        self.opsets, self.ir_version = {"": OPSET, "ai.onnx.ml": 3}, 8

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
        """The ONNX model from (batch, bands, h, w) to (batch, planes, h, w).

        ``free`` inputs, which have values of their own, come behind the image.
        """
        from onnx import TensorProto, checker, helper

        sizes = ["height", "width"]
        source = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", bands, *sizes])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", planes, *sizes])
        graph = helper.make_graph(self.nodes, name, [source, *self.free], [result], self.constants)
        opsets = [helper.make_opsetid(*pair) for pair in self.opsets.items()]
        made = helper.make_model(
            graph, opset_imports=opsets, ir_version=self.ir_version, producer_name="concord"
        )
        checker.check_model(made)
        return made


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
