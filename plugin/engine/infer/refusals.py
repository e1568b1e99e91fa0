"""What onnxruntime says, as one sentence that names the thing and the remedy."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from ..errors import ConcordError


def first_line(error: Exception) -> str:
    """What onnxruntime says, without its own name, codes and the path before it."""
    text = str(error).strip().splitlines()
    if not text:
        return type(error).__name__
    said = text[0].split(" failed:")[-1].split(" : ")[-1].split(" , Error ")[-1]
    node = re.search(r"while running (\w+) node\.(?: Name:'.*?')?(?: Status Message: )?(.*)", said)
    if node:
        said = f"{node[1]}: {node[2]}" if node[2] else f"in the operator {node[1]}"
    return textwrap.shorten(said, 160, placeholder=" …").rstrip(".")


def of_graph(path: Path, error: Exception) -> ConcordError:
    """Why onnxruntime did not open a file."""
    text = str(error)
    if any(word in text for word in ("Protobuf", "ModelProto", "INVALID_PROTOBUF", "No graph")):
        return ConcordError(f"{path} is no ONNX model; choose a file exported to ONNX.")
    if "ValidateOpsetForDomain" in text or "is under development" in text:
        return ConcordError(
            f"{path} is of an opset that this onnxruntime does not know yet; export it again with "
            "opset 17."
        )
    unknown = re.search(r"(?:No Op registered for|implementation for|Fatal error:) ([\w.:]+)", text)
    if unknown:
        return ConcordError(
            f"{path} uses the operator {unknown[1]}, which onnxruntime cannot run here; export it "
            "again for the CPU with standard operators."
        )
    return ConcordError(
        f"{path} cannot be run by onnxruntime ({first_line(error)}); export it again for the "
        "CPU with standard operators."
    )
