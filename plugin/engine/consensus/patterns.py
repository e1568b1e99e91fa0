"""Vote patterns as small whole numbers: encoding, counting and looking up, a block at a time.

A pattern is a number in base K + 1, the first annotator's vote in front, 0 for no vote. Blocks
fit the processor's cache, which is what makes ten million pixels a matter of a tenth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConcordError
from ..progress import SILENT, Progress

_BLOCK = 1 << 17  # pixels
DENSE = 1 << 20  # up to this many possible patterns a plain table beats a sorted list
_LARGEST = 2**62


@dataclass(frozen=True)
class Patterns:
    """Distinct vote patterns (patterns, annotators) as class index, -1 for no vote, and counts.

    ``inner`` counts only pixels away from every annotator's edges, None when not asked for.
    """

    votes: np.ndarray
    counts: np.ndarray
    codes: np.ndarray
    inner: np.ndarray | None = None

    @property
    def classes(self) -> int:
        return len(self.codes)

    @property
    def annotators(self) -> int:
        return self.votes.shape[1]


class Coding:
    """Numbers for the patterns of ``annotators`` people and these class codes."""

    def __init__(self, codes, annotators: int):
        self.codes = np.array(sorted(codes), np.int64)
        self.annotators = annotators
        self.base = len(self.codes) + 1
        self.space = self.base**annotators
        if self.space > _LARGEST:
            raise ConcordError(
                f"{annotators} annotators with {len(self.codes)} classes are too many for one "
                "consensus; split the annotators in groups."
            )
        self.dtype = np.dtype(
            np.uint16 if self.space <= 2**16 else np.uint32 if self.space <= 2**32 else np.int64
        )
        table = np.zeros(256, np.uint8)
        table[self.codes] = np.arange(1, self.base)
        self._table = table.tobytes()

    @property
    def is_dense(self) -> bool:
        return self.space <= DENSE

    def encode(self, planes) -> np.ndarray:
        """Pattern numbers, in the shape of the planes, of class codes as uint8."""
        total = None
        for plane in planes:
            # bytes.translate is the fastest table look-up there is for single bytes
            digit = np.frombuffer(plane.tobytes().translate(self._table), np.uint8)
            if total is None:
                total = digit.astype(self.dtype)
            else:
                total *= self.dtype.type(self.base)
                total += digit
        return total.reshape(planes[0].shape)

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        """(patterns, annotators) of class index, -1 for no vote."""
        votes = np.empty((len(numbers), self.annotators), np.int16)
        rest = np.asarray(numbers, np.int64).copy()
        for a in range(self.annotators - 1, -1, -1):
            votes[:, a] = rest % self.base - 1
            rest //= self.base
        return votes


class Tally:
    """Counts of pattern numbers that grow block by block."""

    def __init__(self, coding: Coding):
        self._coding = coding
        self._dense = np.zeros(coding.space, np.int64) if coding.is_dense else None
        self._found: dict = {}

    def add(self, numbers: np.ndarray) -> None:
        if self._dense is not None:
            self._dense += np.bincount(numbers.ravel(), minlength=len(self._dense))
            return
        distinct, counts = np.unique(numbers, return_counts=True)
        for number, count in zip(distinct.tolist(), counts.tolist()):
            self._found[number] = self._found.get(number, 0) + count

    def numbers(self) -> np.ndarray:
        """Numbers that occurred, sorted."""
        if self._dense is not None:
            return np.flatnonzero(self._dense)
        return np.array(sorted(self._found), np.int64)

    def counts(self, numbers: np.ndarray) -> np.ndarray:
        if self._dense is not None:
            return self._dense[numbers]
        return np.array([self._found.get(n, 0) for n in numbers.tolist()], np.int64)


class Lookup:
    """One value per pattern, spread over pixels."""

    def __init__(self, coding: Coding, numbers: np.ndarray, values: np.ndarray):
        self._numbers, self._values = numbers, values
        self._dense = None
        if coding.is_dense:
            self._dense = np.zeros(coding.space, values.dtype)
            self._dense[numbers] = values

    def of(self, numbers: np.ndarray) -> np.ndarray:
        if self._dense is not None:
            return np.take(self._dense, numbers, mode="clip")
        return self._values[np.searchsorted(self._numbers, numbers)]


def count(planes, codes, progress: Progress = SILENT) -> tuple:
    """(pattern number of every pixel, Coding, numbers sorted, Patterns) of whole arrays.

    Args:
        planes: one uint8 array of class codes per annotator, all of one shape; 0 and 255 and
            codes that are no class are no vote.
    """
    coding = Coding(codes, len(planes))
    flat = [np.ascontiguousarray(plane, np.uint8).ravel() for plane in planes]
    size = len(flat[0])
    every = np.empty(size, coding.dtype)
    tally = Tally(coding)
    for start in range(0, size, _BLOCK):
        progress.check()
        block = coding.encode([plane[start : start + _BLOCK] for plane in flat])
        every[start : start + _BLOCK] = block
        tally.add(block)
    numbers = tally.numbers()
    found = Patterns(coding.decode(numbers), tally.counts(numbers), coding.codes)
    return every, coding, numbers, found


def spread(every: np.ndarray, coding: Coding, numbers, *columns) -> list:
    """One uint8 array per column of pattern values, for the pixels of ``count``.

    Two columns at a time travel in one 16-bit table, so a pair costs one look-up.
    """
    out = []
    for first in range(0, len(columns), 2):
        pair = columns[first : first + 2]
        packed = pair[0].astype(np.uint16)
        if len(pair) == 2:
            packed |= pair[1].astype(np.uint16) << 8
        table = Lookup(coding, numbers, packed)
        whole = np.empty(len(every), "<u2")
        for start in range(0, len(every), _BLOCK):
            whole[start : start + _BLOCK] = table.of(every[start : start + _BLOCK])
        parts = whole.view(np.uint8).reshape(-1, 2)
        out += [parts[:, i] for i in range(len(pair))]
    return out


def near_edge(planes, tolerance: int) -> np.ndarray:
    """True within ``tolerance`` pixels (4-neighbour steps) of a class change in any plane."""
    edge = np.zeros(planes[0].shape, bool)
    for plane in planes:
        for axis in (0, 1):
            change = np.diff(plane.astype(np.int16), axis=axis) != 0
            before = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
            after = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
            edge[before] |= change
            edge[after] |= change
    for _ in range(tolerance - 1):
        grown = edge.copy()
        grown[1:] |= edge[:-1]
        grown[:-1] |= edge[1:]
        grown[:, 1:] |= edge[:, :-1]
        grown[:, :-1] |= edge[:, 1:]
        edge = grown
    return edge
