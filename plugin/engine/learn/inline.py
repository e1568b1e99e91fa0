"""A part of an ONNX file, from its inputs to one inner tensor, ready to stand in another graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ConcordError
from .graphs import OPSET

PREFIX = "encoder/"
_MAPS = ("Conv", "FusedConv", "ConvTranspose")


@dataclass(frozen=True)
class Part:
    """Nodes and weights up to the tensor ``output``, all names prefixed.

    Args:
        inputs: the file's input names -> their names here.
        types: the file's input names -> element type (onnx.TensorProto).
        opsets: {domain: version}.
        free: inputs that have a value of their own (onnx.ValueInfoProto); they stay inputs.
    """

    nodes: tuple
    weights: tuple
    inputs: dict
    types: dict
    output: str
    opsets: dict
    ir_version: int
    free: tuple = ()

    @property
    def free_names(self) -> list:
        return [given.name for given in self.free]

    def add(self, build, feeds: dict) -> str:
        """Add the part to a graph; ``feeds`` are {input name of the file: tensor}."""
        from onnx import TensorProto, helper

        for name, own in self.inputs.items():
            planes, kind = feeds[name], self.types[name]
            whole = kind not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
            if whole:  # whole numbers are rounded, as in a run
                planes = build.node("Round", planes)
            build.nodes.append(helper.make_node("Cast", [planes], [own], name=own, to=kind))
        build.nodes.extend(self.nodes)
        build.constants.extend(self.weights)
        build.free.extend(self.free)
        build.opsets.update({k: max(v, build.opsets.get(k, 0)) for k, v in self.opsets.items()})
        build.ir_version = max(build.ir_version, self.ir_version)
        return build.node("Cast", self.output, to=TensorProto.FLOAT)


def cut(path, last: bool = False, wanted: str = "") -> Part:
    """The part of a file up to what its last convolution reads.

    Args:
        last: up to its first output instead.
        wanted: up to this tensor instead.

    Raises:
        ConcordError: no such tensor, or a graph that cannot be brought to one opset.
    """
    import onnx
    from onnx import compose

    name = Path(path).name
    model = onnx.load(str(path))
    if model.functions:
        raise ConcordError(f"{name} holds functions; export it again with its functions inlined.")
    model = compose.add_prefix(_converted(model, name), PREFIX)
    graph = model.graph
    output = graph.output[0].name
    if wanted:
        output = PREFIX + wanted
        if not any(output in node.output for node in graph.node):
            raise ConcordError(
                f"{name} has no tensor {wanted}, which its card names as features; correct it."
            )
    elif not last:
        output = _before_last(graph, output)
    nodes, used = _needed(graph, output)
    weights = tuple(w for w in graph.initializer if w.name in used)
    kept = {w.name for w in graph.initializer}
    inputs = [i for i in graph.input if i.name not in kept]
    return Part(
        tuple(nodes), weights,
        {i.name[len(PREFIX):]: i.name for i in inputs},
        {i.name[len(PREFIX):]: i.type.tensor_type.elem_type for i in inputs},
        output, {o.domain: o.version for o in model.opset_import}, model.ir_version,
        tuple(i for i in graph.input if i.name in kept & used),
    )  # fmt: skip


def _converted(model, name: str):
    """The model in an opset that the rest of our graph can be in."""
    from onnx import version_converter

    said = {o.domain: o.version for o in model.opset_import}
    if said.get("", OPSET) >= OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter's errors share no base of their own
        raise ConcordError(
            f"{name} is of opset {said['']} and cannot be brought to {OPSET}; export it again with "
            f"opset {OPSET}."
        ) from error


def _before_last(graph, output: str) -> str:
    """What the convolution nearest to the output reads; the output itself where there is none."""
    made = {name: node for node in graph.node for name in node.output}
    ring, seen = [output], set()
    while ring:
        behind = []
        for name in ring:
            node = made.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            if node.op_type in _MAPS and node.input[0] in made:
                return node.input[0]
            behind += node.input
        ring = behind
    return output


def _needed(graph, output: str) -> tuple:
    """(nodes in order, names that they use) of what ``output`` is computed from."""
    made = {name: node for node in graph.node for name in node.output}
    used, todo = set(), [output]
    while todo:
        name = todo.pop()
        if name in used:
            continue
        used.add(name)
        if name in made:
            todo += _reads(made[name])
    return [node for node in graph.node if used.intersection(node.output)], used


def _reads(node) -> list:
    """Names that a node uses, also inside the bodies of its loops and branches."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        bodies = [*attribute.graphs, attribute.g] if attribute.HasField("g") else attribute.graphs
        for body in bodies:
            for inner in body.node:
                names += _reads(inner)
    return names
