"""The provider of promptable ONNX pairs: numpy before and after, onnxruntime in between."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from ..errors import Cancelled, ConcordError
from . import edges, resize
from .pair import Pair
from .prompts import Candidate, Encoding, Prompt

_BOX = (2.0, 3.0)  # labels of a box's two corners
_PADDING = -1.0  # label of the point that stands where there is no box
_OFFSET = 1.0  # logits between the two masks of the stability score
_ALIKE = 0.05  # expected IoU within which masks are alike to the model, and edges may tell
_TRUST = 8.0  # logits given to a mask that the user drew


class SamPrompter:
    """Answers prompts with a `segment-anything` encoder and decoder in ONNX.

    Args:
        pair: what `pair.find` recognised.
        threads: threads that one call may use.

    Raises:
        ConcordError: onnxruntime cannot open or run one of the two files.
    """

    takes_masks = True

    def __init__(self, pair: Pair, threads: int = 1):
        self.pair, self.id, self.tile = pair, pair.id, pair.preparation.size
        self.closer, self.doubt = pair.preparation.closer, pair.preparation.doubt
        self.edges = pair.preparation.edges
        self._threads = threads
        self._encoder = None  # opened when needed: a stored encoding needs the decoder only
        self._decoder = _open(pair.decoder, threads)
        self._types = {entry.name: entry for entry in self._decoder.get_inputs()}
        self._lock = threading.Lock()
        self._run_options = None

    def stop(self) -> None:
        """End an encoding that is under way in another thread; it is refused there."""
        if self._run_options is not None:
            self._run_options.terminate = True

    # --- the picture

    def encode(self, image: np.ndarray, valid: np.ndarray) -> Encoding:
        """Features of a composite (rows, cols, 3) of uint8; no data is seen as black."""
        with self._lock:
            if self._encoder is None:
                self._encoder = _open(self.pair.encoder, self._threads)
        entry = self._encoder.get_inputs()[0]
        batch = self.prepared(image)
        if entry.type == "tensor(uint8)":
            batch = np.clip(np.rint(batch), 0, 255)
        dtype = np.uint8 if entry.type == "tensor(uint8)" else np.float32
        names = [output.name for output in self._encoder.get_outputs()]
        self._run_options = _options()
        try:
            feed = {entry.name: batch.astype(dtype)}
            found = _run(self._encoder, self.pair.encoder, feed, None, self._run_options)
        finally:
            self._run_options = None
        wanted = {source for _, source in self.pair.given}
        content = {n: value for n, value in zip(names, found) if n in wanted}
        if self.edges and self.tile % self.mask_side == 0:
            content[edges.CONTENT] = self._edges(image)
        return Encoding(image.shape[:2], content)

    def _edges(self, image: np.ndarray) -> np.ndarray:
        """The strength of the picture's edges on the grid of the masks."""
        rows, cols = self._fitted(image.shape[:2])
        beyond = ((0, self.tile - rows), (0, self.tile - cols), (0, 0))
        square = np.pad(resize.picture(image, (rows, cols)), beyond, mode="edge")
        return edges.strength(square, self.mask_side)

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """The picture resized, scaled and padded as the encoder wants it, float32."""
        how = self.pair.preparation
        small = resize.picture(image, self._fitted(image.shape[:2]))
        scaled = small.astype(np.float32)
        if how.scale != 1.0:
            scaled *= np.float32(how.scale)
        scaled = (scaled - np.float32(how.mean)) / np.float32(how.std)
        if how.fill is None:
            square = scaled
        else:
            square = np.empty((how.size, how.size, 3), np.float32)
            square[:] = np.float32(how.fill)
            square[: scaled.shape[0], : scaled.shape[1]] = scaled  # padded once centred on 0
        if how.layout == "HWC":
            return square
        return square[None] if how.layout == "NHWC" else square.transpose(2, 0, 1)[None]

    def _fitted(self, shape: tuple) -> tuple:
        how = self.pair.preparation
        return (how.size, how.size) if how.resize == "stretch" else resize.fitted(*shape, how.size)

    # --- the prompt

    def predict(self, encoding: Encoding, prompt: Prompt) -> list:
        """Up to four candidates: the three of a click by score, or the one for a clear prompt."""
        feed = {name: encoding.content[source] for name, source in self.pair.given}
        feed.update(self._prompt_feed(encoding.shape, prompt))
        found = dict(
            zip(
                [self.pair.masks, self.pair.scores],
                _run(self._decoder, self.pair.decoder, self._typed(feed),
                     [self.pair.masks, self.pair.scores]),
            )
        )  # fmt: skip
        logits = np.asarray(found[self.pair.masks], np.float32)
        logits = logits.reshape(-1, *logits.shape[-2:])
        scores = np.asarray(found[self.pair.scores], np.float32).ravel()
        if len(scores) != len(logits) or not np.isfinite(scores).all():
            raise ConcordError(
                f"{Path(self.pair.decoder).name} gives {len(logits)} masks and {len(scores)} "
                "scores; export the decoder again."
            )
        return [
            self._candidate(logits[i], float(scores[i]), encoding.shape)
            for i in _order(self._ranked(encoding, logits, scores, prompt), prompt.is_ambiguous)
        ]

    def _ranked(self, encoding: Encoding, logits, scores, prompt: Prompt) -> np.ndarray:
        """What the masks are ordered by: the expected IoU; edges tell those that are much alike."""
        change = encoding.content.get(edges.CONTENT)
        if change is None or not (self.edges and prompt.is_ambiguous):
            return scores
        if logits.shape[1:] != change.shape:
            return scores
        near = scores >= scores.max() - _ALIKE
        seen = [edges.evidence(mask > 0, change) if k else 0.0 for mask, k in zip(logits, near)]
        ranked = scores + self.edges * np.array(seen, np.float32)
        return np.where(near, ranked, scores + ranked[near].min() - scores.max())

    def _prompt_feed(self, shape: tuple, prompt: Prompt) -> dict:
        rows, cols = self._fitted(shape)
        ratio = np.array([cols / shape[1], rows / shape[0]])
        spots, labels = list(prompt.points), list(map(float, prompt.labels))
        if prompt.box is not None:
            left, top, right, bottom = prompt.box
            spots += [(left, top), (right, bottom)]
            labels += _BOX
        coords = np.array(spots, float).reshape(-1, 2) * ratio - 0.5  # the model adds 0.5 itself
        if prompt.box is None and not self.pair.pads:
            coords, labels = np.vstack([coords, [0.0, 0.0]]), [*labels, _PADDING]
        coords, labels = coords[None], np.array([labels])
        if len(self._types[self.pair.points].shape) == 4:
            coords, labels = self._as_query(coords[0], labels[0])
        feed = {"mask_input": np.zeros((1, 1, self.mask_side, self.mask_side))}
        feed["has_mask_input"] = np.zeros(1)
        if prompt.mask is not None and self._own("mask_input"):
            feed["mask_input"] = self._mask_input(prompt.mask, shape)[None, None]
            feed["has_mask_input"] = np.ones(1)
        feed["orig_im_size"] = np.array([self.tile, self.tile])
        known = {own: feed[name] for own, name in self.pair.named}
        return {self.pair.points: coords, self.pair.labels: labels, **known}

    def _as_query(self, coords: np.ndarray, labels: np.ndarray) -> tuple:
        """EfficientSAM's points: (1, 1 object, points, 2), of a fixed number in some exports."""
        places = self._types[self.pair.points].shape[2]
        if isinstance(places, int) and places > 0:
            missing = places - len(coords)
            if missing < 0:
                raise ConcordError(
                    f"{Path(self.pair.decoder).name} takes {places} points for an object at most; "
                    "export it with a free number of points."
                )
            coords = np.vstack([coords, np.zeros((missing, 2))])
            labels = np.concatenate([labels, np.full(missing, _PADDING)])
        return coords[None, None], labels[None, None]

    def _own(self, name: str) -> str:
        """The decoder's own name of an input of the contract, empty when it has none."""
        return next((own for own, known in self.pair.named if known == name), "")

    @property
    def mask_side(self) -> int:
        """Pixels along a side of the low-resolution masks."""
        entry = self._types.get(self._own("mask_input"))
        side = entry.shape[-1] if entry is not None else None
        return side if isinstance(side, int) and side > 0 else self.tile // 4

    def _mask_input(self, mask: np.ndarray, shape: tuple) -> np.ndarray:
        """Logits on the model's square from earlier logits or from a bool mask of the image."""
        side = self.mask_side
        if mask.dtype != bool:
            return mask.astype(np.float32)
        if mask.shape != tuple(shape):
            raise ConcordError("The mask prompt does not fit the image; start the object again.")
        rows, cols = self._fitted(shape)
        square = np.zeros((self.tile, self.tile), np.float32)
        square[:rows, :cols] = resize.logits(mask.astype(np.float32), (rows, cols))
        return (resize.coarser(square, (side, side)) * 2 - 1) * _TRUST

    def _typed(self, feed: dict) -> dict:
        kinds = {
            "tensor(float)": np.float32,
            "tensor(double)": np.float64,
            "tensor(int64)": np.int64,
            "tensor(int32)": np.int32,
            "tensor(float16)": np.float16,
        }
        return {
            name: np.ascontiguousarray(value, kinds.get(self._types[name].type, np.float32))
            for name, value in feed.items()
        }

    # --- the mask

    def _candidate(self, low: np.ndarray, score: float, shape: tuple) -> Candidate:
        full = self.upscaled(low, shape)
        if low.shape[-1] != self.mask_side:
            low = resize.logits(low, (self.mask_side, self.mask_side))
        inner, outer = (low > _OFFSET).sum(), (low > -_OFFSET).sum()
        stability = float(inner / outer) if outer else 0.0
        return Candidate(full > 0, float(np.clip(score, 0, 1)), low, stability)

    def upscaled(self, low: np.ndarray, shape: tuple) -> np.ndarray:
        """Low-resolution logits on the image: to the square, without its padding, to the image."""
        rows, cols = self._fitted(shape)
        square = resize.logits(low, (self.tile, self.tile))[:rows, :cols]
        return resize.logits(square, shape)


def _order(scores: np.ndarray, ambiguous: bool) -> list:
    """SAM's first mask answers clear prompts, its three others single clicks."""
    ranked = [int(i) for i in np.argsort(-scores, kind="stable")]
    if len(scores) != 4:
        return ranked
    return [i for i in ranked if i != 0] if ambiguous else [0, *(i for i in ranked if i != 0)]


def _open(path: str, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise ConcordError(
            f"{Path(path).name} cannot be run by onnxruntime ({_first_line(error)}); export it "
            "again for the CPU with standard operators."
        ) from error


def _options():
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    return options


def _run(session, path: str, feed: dict, outputs=None, options=None) -> list:
    options = options or _options()
    try:
        return session.run(outputs, feed, options)
    except Exception as error:
        if options.terminate:
            raise Cancelled() from error
        raise ConcordError(
            f"{Path(path).name} failed ({_first_line(error)}); choose another model."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
