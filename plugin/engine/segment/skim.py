"""What an ONNX file says of itself, read without onnx or onnxruntime and without its weights.

A promptable pair is recognised by its inputs and outputs. Opening a session for that would load
hundreds of megabytes, so the few fields needed are read straight from the protocol buffer
(github.com/onnx/onnx, onnx.proto3: ModelProto, GraphProto, NodeProto, ValueInfoProto).
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import wire
from ..errors import ConcordError

_NODES = 64  # nodes kept; the first ones tell how the picture is prepared
_SMALL = 4096  # bytes of a constant that is worth reading


@dataclass(frozen=True)
class Node:
    """One operator with the names it reads and writes."""

    op: str
    inputs: tuple
    outputs: tuple


@dataclass
class Graph:
    """Inputs and outputs {name: shape}, where a dimension is a number, or 0 when it is free."""

    path: str
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)


def skim(path: str | Path) -> Graph:
    """Inputs, outputs, first nodes, small constants and metadata of an ONNX file.

    Raises:
        ConcordError: the file is missing or is no ONNX model.
    """
    path = Path(path)
    if not path.is_file():
        raise ConcordError(f"The model {path} does not exist; check the path.")
    found = Graph(str(path))
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for number, value in wire.fields(data, 0, len(data)):
                if number == 7:
                    _graph(data, value, found)
                elif number == 14:
                    key, text = _texts(data, value, (1, 2))
                    found.metadata[key] = text
    except wire.BROKEN as error:
        raise ConcordError(f"{path} is no ONNX model; choose a file exported to ONNX.") from error
    if not found.inputs or not found.outputs:
        raise ConcordError(f"{path} is no ONNX model; choose a file exported to ONNX.")
    return found


def _text(data, span: tuple) -> str:
    return data[span[0] : span[1]].decode("utf-8")


def _texts(data, span: tuple, numbers: tuple) -> list:
    found = dict.fromkeys(numbers, "")
    for number, value in wire.fields(data, *span):
        if number in found:
            found[number] = _text(data, value)
    return [found[number] for number in numbers]


def _graph(data, span: tuple, found: Graph) -> None:
    weights = set()
    for number, value in wire.fields(data, *span):
        if number == 1 and len(found.nodes) < _NODES:
            _node(data, value, found)
        elif number == 5:
            weights.add(_tensor(data, value, found.constants))
        elif number in (11, 12):
            name, shape = _value_info(data, value)
            (found.inputs if number == 11 else found.outputs)[name] = shape
    for name in weights:  # old exporters list weights among the inputs
        found.inputs.pop(name, None)


def _node(data, span: tuple, found: Graph) -> None:
    inputs, outputs, op = [], [], ""
    attributes = []
    for number, value in wire.fields(data, *span):
        if number == 1:
            inputs.append(_text(data, value))
        elif number == 2:
            outputs.append(_text(data, value))
        elif number == 4:
            op = _text(data, value)
        elif number == 5:
            attributes.append(value)
    if op == "Constant" and outputs:
        for attribute in attributes:
            for number, value in wire.fields(data, *attribute):
                if number == 5:  # the tensor
                    _tensor(data, value, found.constants, outputs[0])
    found.nodes.append(Node(op, tuple(inputs), tuple(outputs)))


def _tensor(data, span: tuple, constants: dict, name: str = "") -> str:
    """The tensor's name; its values are kept when they are few floats."""
    small = span[1] - span[0] <= _SMALL
    kind, values = 0, None
    for number, value in wire.fields(data, *span):
        if number == 8 and not name:
            name = _text(data, value)
        elif number == 2:
            kind = value
        elif small and number == 9:
            values = bytes(data[value[0] : value[1]])
        elif small and number == 4 and isinstance(value, tuple):
            values = bytes(data[value[0] : value[1]])
    if values is not None and kind == 1 and len(values) % 4 == 0:
        constants[name] = np.frombuffer(values, "<f4")
    return name


def _value_info(data, span: tuple) -> tuple:
    name, shape = "", []
    for number, value in wire.fields(data, *span):
        if number == 1:
            name = _text(data, value)
        elif number == 2:
            for kind, tensor in wire.fields(data, *value):
                if kind == 1:
                    shape = _shape(data, tensor)
    return name, tuple(shape)


def _shape(data, span: tuple) -> list:
    sizes = []
    for number, value in wire.fields(data, *span):
        if number == 2:
            for dim_number, dim in wire.fields(data, *value):
                if dim_number == 1:
                    size = 0
                    for kind, content in wire.fields(data, *dim):
                        if kind == 1:
                            size = content
                    sizes.append(size)
    return sizes
