"""An ONNX file opened for running: checked first, refused with a sentence when it does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import ConcordError
from . import card as cards
from . import external, refusals
from . import item as items

BUNDLED = Path(__file__).resolve().parents[3] / "models"
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
}
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
        external.require_inside(self.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base of their own
            raise refusals.of_graph(self.path, error) from error
        self._options = _run_options()
        self.metadata = self._session.get_modelmeta().custom_metadata_map
        self.card = card or items.read(str(self.path), self.metadata)
        if self.card.tile is None and self.fixed_size:  # the graph says it
            self.card = cards.with_missing(replace(self.card, tile=self.fixed_size))

    @property
    def input_shapes(self) -> dict:
        return {i.name: list(i.shape) for i in self._session.get_inputs()}

    def require_inputs(self) -> None:
        """Refuse graphs whose inputs are not the ones that the card describes."""
        inputs = self._session.get_inputs()
        if len(inputs) != len(self.card.inputs):
            raise ConcordError(
                f"{self.path.name} has {len(inputs)} inputs and its card describes "
                f"{len(self.card.inputs)}; describe every input in the card."
            )
        told = {entry.name: entry for entry in self._session.get_overridable_initializers()}
        for name in self.card.constants:
            entry = told.get(name)
            if entry is None or (entry.type, list(entry.shape)) != ("tensor(float)", [1]):
                raise ConcordError(
                    f"{self.path.name} has no input {name} of one float with a value of its own, "
                    "which its card's levels name; correct the card."
                )
        for entry, said in zip(self._entries(), self.card.inputs):
            shape, axes = entry.shape, said.axes
            if not shape:
                raise ConcordError(
                    f"{self.path.name} does not say which dimensions its input has; export it with "
                    "the shape (batch, bands, height, width), sides may be free."
                )
            if len(shape) != len(axes):
                raise ConcordError(
                    f"{self.path.name} wants an input of {len(shape)} dimensions; Concord runs "
                    "models that take images (batch, bands, height, width), with time where the "
                    "card says so."
                )
            if entry.type not in _DTYPES:
                raise ConcordError(
                    f"{self.path.name} wants {entry.type} input; Concord gives numbers of 8 to 32 "
                    "bits."
                )
            sides = shape[axes.index("H")], shape[axes.index("W")]
            if sides[0] != sides[1] and all(isinstance(side, int) for side in sides):
                raise ConcordError(
                    f"{self.path.name} takes images of {sides[1]} x {sides[0]} pixels; Concord's "
                    "tiles are square, export it with one side or with free sides."
                )
            bands = shape[axes.index("C")]
            wanted = len(said.bands)
            if isinstance(bands, int) and bands != wanted:
                raise ConcordError(
                    f"{self.path.name} takes {bands} bands but its card names {wanted}; correct "
                    "the card."
                )

    def _entries(self) -> list:
        """The graph's inputs in the order of the card, by name where the card names them all."""
        inputs = self._session.get_inputs()
        by_name = {entry.name: entry for entry in inputs}
        named = [by_name.get(said.name) for said in self.card.inputs]
        return named if named and all(named) else list(inputs)

    def integer_range(self) -> tuple | None:
        """(least, greatest) number that the first input takes, None for fractions."""
        dtype = _DTYPES.get(self._entries()[0].type)
        if dtype is None or not np.issubdtype(dtype, np.integer):
            return None
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def steps(self, number: int) -> int:
        """How many dates an input takes; 0 when it has no time axis or takes any number."""
        axes = self.card.inputs[number].axes
        if "T" not in axes:
            return 0
        size = self._entries()[number].shape[axes.index("T")]
        return size if isinstance(size, int) else 0

    @property
    def fixed_size(self) -> int | None:
        """The side in pixels that the graph demands, None when any size will do."""
        if not self.card.inputs:
            entry, axes = self._session.get_inputs()[0], "NCHW"
        else:
            entry, axes = self._entries()[0], self.card.inputs[0].axes
        if len(entry.shape) != len(axes):
            return None
        side = entry.shape[axes.index("H")]
        return side if isinstance(side, int) and side > 0 else None

    @property
    def margin(self) -> int:
        """Pixels that the answer is narrower than the image on every side, where both are fixed."""
        shape = self._session.get_outputs()[0].shape
        side = self.fixed_size
        if side is None or len(shape) != 4 or self.card.kind == "superresolution":
            return 0
        axes = self.card.output_axes
        out = shape[axes.index("H")] if len(axes) == 4 else None
        if not isinstance(out, int) or not side / 2 < out < side or (side - out) % 2:
            return 0
        return (side - out) // 2

    def planes_of(self, place: int) -> int:
        """How many planes an output has; 1 when the graph leaves it open."""
        outputs = self._session.get_outputs()
        if place >= len(outputs) or len(outputs[place].shape) != 4:
            return 1
        said = self.card.outputs
        axes = said[place].axes if place < len(said) else self.card.output_axes
        count = outputs[place].shape[axes.index("C")] if len(axes) == 4 else 1
        return count if isinstance(count, int) and count > 0 else 1

    @property
    def growth(self) -> int:
        """How many times finer the answer is than the image; 0 when the graph does not fix it."""
        shape = self._session.get_outputs()[0].shape
        side = self.fixed_size
        axes = self.card.output_axes
        if side is None or len(shape) != 4 or len(axes) != 4:
            return 0
        out = shape[axes.index("H")]
        return out // side if isinstance(out, int) and out % side == 0 else 0

    @property
    def batch(self) -> int:
        """How many images a call takes at once; 1 where the graph leaves it open.

        On the CPU larger batches of an open graph gain nothing: 0.97 to 1.09 times as fast for
        tiles of 64 and 256 pixels, so tiles go one by one unless the graph wants several.
        """
        if not self.card.inputs:
            return 1
        counts = [entry.shape[said.axes.index("N")]
                  for entry, said in zip(self._entries(), self.card.inputs)
                  if len(entry.shape) == len(said.axes)]  # fmt: skip
        whole = [count for count in counts if isinstance(count, int) and count > 1]
        return whole[0] if whole and len(set(whole)) == 1 else 1

    def run_many(self, several: list) -> list:
        """``run_all`` of several tiles, together where the graph takes so many images only."""
        size, found = self.batch, []
        for start in range(0, len(several), size):
            group = several[start : start + size]
            alike = len({tuple(image.shape for image in images) for images in group}) == 1
            parts = self._split(self._run(group)) if len(group) > 1 and alike else None
            found += parts[: len(group)] if parts else [self.run_all(images) for images in group]
        return found

    def _split(self, outputs: list) -> list | None:
        """Outputs image by image; None where an output has no batch to be split along."""
        size = self.batch
        if self.card.hyper.get("detector") == "boxes" or any(
            out.ndim < 2 or out.shape[0] != size for out in outputs
        ):
            return None
        return [[out[i : i + 1] for out in outputs] for i in range(size)]

    def run_all(self, images: list) -> list:
        """Every output as the graph gives it.

        Args:
            images: float32, scaled, one a card input: (bands, rows, cols), or
                (dates, bands, rows, cols) where the input has a time axis.
        """
        return self._run([images])

    def _run(self, group: list) -> list:
        feed = {}
        for number, (entry, said) in enumerate(zip(self._entries(), self.card.inputs)):
            own = "NTCHW" if group[0][number].ndim == 4 else "NCHW"
            turn = [own.index(axis) for axis in said.axes]
            parts = [np.transpose(images[number][None], turn) for images in group]
            axis, count = said.axes.index("N"), entry.shape[said.axes.index("N")]
            if isinstance(count, int) and count > len(parts):  # a graph for one size of batch only
                parts += parts[-1:] * (count - len(parts))
            batch = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)
            feed[entry.name] = np.ascontiguousarray(_cast(batch, _DTYPES[entry.type]))
        for name, number in self.card.constants.items():
            feed[name] = np.array([number], np.float32)
        rows, cols = group[0][0].shape[-2:]
        try:
            return self._session.run(None, feed, self._options)
        except Exception as error:
            raise ConcordError(
                f"{self.path.name} failed on an image of {cols} x {rows} "
                f"pixels ({refusals.first_line(error)}); check tile size and bands in its card."
            ) from error

    def run(self, image: np.ndarray) -> np.ndarray:
        """(bands, rows, cols) float32, scaled, to (classes, rows, cols) float32."""
        return self.planes(self.run_all([image])[0], self.card.output_axes)

    def planes(self, out: np.ndarray, axes: str) -> np.ndarray:
        """One output as float32 (planes, rows, cols); (1, rows, cols) counts as one plane."""
        if out.ndim == 3 and out.shape[0] == 1:
            out = out[:, None]
        if out.ndim != 4:
            raise ConcordError(
                f"{self.path.name} gives {out.ndim} dimensions; Concord maps need 4 (batch, "
                "classes, height, width)."
            )
        order = axes if len(axes) == 4 else "NCHW"
        return np.transpose(out, [order.index(axis) for axis in "NCHW"])[0].astype(
            np.float32, copy=False
        )

    def stop(self) -> None:
        """End calls that are under way in other threads; later ones run as ever."""
        ended, self._options = self._options, _run_options()
        ended.terminate = True


def _cast(batch: np.ndarray, dtype) -> np.ndarray:
    """The graph's number type; whole numbers are rounded and kept within their range."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(batch), limits.min, limits.max).astype(dtype)
    return batch.astype(dtype, copy=False)


def _run_options():
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    return options
