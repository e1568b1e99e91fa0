"""An ONNX file opened for running: checked first, refused with a sentence when it does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ConcordError
from . import card as cards

BUNDLED = Path(__file__).resolve().parents[3] / "models"
_LARGEST = 2 * 1024**3  # bytes; the limit of one protocol buffer


def find(model: str) -> Path:
    """The file of a model given by bundled id or by path."""
    bundled = BUNDLED / f"{model}.onnx"
    if Path(model).name == model and bundled.is_file():
        return bundled
    path = Path(model)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in BUNDLED.glob("*.onnx")))
        raise ConcordError(
            f"The model {model} does not exist; give an ONNX file or one of {known}."
        )
    return path


class Model:
    """An ONNX session with its card.

    Args:
        model: bundled id or path of an ONNX file.
        threads: threads that one call may use.
        card: a card to use instead of the model's own.

    Raises:
        ConcordError: no file, no ONNX, or an operator that onnxruntime cannot run.
    """

    def __init__(self, model: str, threads: int = 1, card: cards.Card | None = None):
        import onnxruntime

        self.path = find(model)
        if self.path.stat().st_size > _LARGEST:
            raise ConcordError(f"{self.path} is larger than 2 GB; choose a smaller model.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base of their own
            raise _refusal(self.path, error) from error
        self._options = _run_options()
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.card = card or cards.read(str(self.path), metadata)

    @property
    def input_shapes(self) -> dict:
        return {i.name: list(i.shape) for i in self._session.get_inputs()}

    def require_one_input(self) -> None:
        """Refuse graphs whose inputs are not the ones that the card describes."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(self.card.inputs) != 1:
            raise ConcordError(
                f"{self.path.name} has {len(inputs)} inputs and its card describes "
                f"{len(self.card.inputs)}; Concord runs models with one image input."
            )
        shape, axes = inputs[0].shape, self.card.inputs[0].axes
        if len(shape) != 4:
            raise ConcordError(
                f"{self.path.name} wants an input of {len(shape)} dimensions; Concord runs models "
                "that take images (batch, bands, height, width)."
            )
        if inputs[0].type not in ("tensor(float)", "tensor(uint8)"):
            raise ConcordError(
                f"{self.path.name} wants {inputs[0].type} input; Concord gives float or uint8."
            )
        bands = shape[axes.index("C")]
        wanted = len(self.card.inputs[0].bands)
        if isinstance(bands, int) and bands != wanted:
            raise ConcordError(
                f"{self.path.name} takes {bands} bands but its card names {wanted}; correct the "
                "card."
            )

    @property
    def fixed_size(self) -> int | None:
        """The side in pixels that the graph demands, None when any size will do."""
        shape = self._session.get_inputs()[0].shape
        side = shape[self.card.inputs[0].axes.index("H")]
        return side if isinstance(side, int) and side > 0 else None

    def run(self, image: np.ndarray) -> np.ndarray:
        """(bands, rows, cols) float32, scaled, to (classes, rows, cols) float32."""
        axes = self.card.inputs[0].axes
        batch = np.transpose(image[None], ["NCHW".index(axis) for axis in axes])
        entry = self._session.get_inputs()[0]
        dtype = np.uint8 if entry.type == "tensor(uint8)" else np.float32
        try:
            out = self._session.run(
                None, {entry.name: np.ascontiguousarray(batch, dtype)}, self._options
            )[0]
        except Exception as error:
            raise ConcordError(
                f"{self.path.name} failed on an image of {image.shape[2]} x {image.shape[1]} "
                f"pixels ({_first_line(error)}); check tile size and bands in its card."
            ) from error
        if out.ndim != 4:
            raise ConcordError(
                f"{self.path.name} gives {out.ndim} dimensions; Concord maps need 4 (batch, "
                "classes, height, width)."
            )
        order = self.card.output_axes
        return np.transpose(out, [order.index(axis) for axis in "NCHW"])[0].astype(np.float32)

    def stop(self) -> None:
        """End calls that are under way in other threads; later ones run as ever."""
        ended, self._options = self._options, _run_options()
        ended.terminate = True


def _run_options():
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    return options


def _first_line(error: Exception) -> str:
    """What onnxruntime says, without its own name, codes and the path before it."""
    text = str(error).strip().splitlines()
    if not text:
        return type(error).__name__
    return text[0].split(" failed:")[-1].split(" : ")[-1][:160].rstrip(".")


def _refusal(path: Path, error: Exception) -> ConcordError:
    text = str(error)
    if any(word in text for word in ("Protobuf", "ModelProto", "INVALID_PROTOBUF", "No graph")):
        return ConcordError(f"{path} is no ONNX model; choose a file exported to ONNX.")
    return ConcordError(
        f"{path} cannot be run by onnxruntime ({_first_line(error)}); export it again for the "
        "CPU with standard operators."
    )
