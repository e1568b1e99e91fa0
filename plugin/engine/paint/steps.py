"""The steps of painting on a class raster, in a journal that survives a crash.

One line a step: where it was, what stood there and what stands there now, and who did it; further
lines say which steps were taken back or made again. The journal is all that is needed to make the
painted map from the old one.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ConcordError
from ..grid import Window

KIND = "concord painting"
SUFFIX = ".concord-painting"


def journal_path(labels: str, folder: str | Path | None = None) -> Path:
    """Where the painting on a map is kept: beside it, or in another folder."""
    return Path(folder or Path(labels).absolute().parent) / (Path(labels).name + SUFFIX)


@dataclass(frozen=True)
class Part:
    """Codes (rows, cols, uint16; EMPTY where nothing is painted) before and after inside a window,
    packed."""

    window: Window
    before: str
    after: str

    def codes(self, which: str) -> np.ndarray:
        """The codes `before` or `after`."""
        raw = zlib.decompress(base64.b64decode(getattr(self, which)))
        return np.frombuffer(raw, "<u2").reshape(self.window.height, self.window.width)


@dataclass(frozen=True)
class Step:
    """One stroke, prompt or fill: its parts, several where it is large; and what is told of it."""

    parts: tuple
    told: dict = field(default_factory=dict)


def packed(codes: np.ndarray) -> str:
    """Codes as text for a step."""
    return base64.b64encode(zlib.compress(codes.astype("<u2").tobytes(), 1)).decode()


def stamp(labels: str) -> list:
    """[size, time of change] of the map, by which a map that was written anew is known."""
    try:
        found = os.stat(labels)
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


class Journal:
    """The steps of one map in their file; ``place`` of them hold, the rest were taken back."""

    def __init__(self, path: str | Path, labels: str):
        self.path, self.labels = Path(path), str(labels)
        self.steps: list[Step] = []
        self.place = 0

    def load(self) -> None:
        """Read what an earlier session left; a last line that was cut short is left out.

        Raises:
            ConcordError: no journal, or one of another state of the map.
        """
        self.steps, self.place = [], 0
        lines = _lines(self.path)
        head = lines[0] if lines else {}
        if head.get("kind") != KIND:
            raise ConcordError(f"{self.path} is no journal of painting; choose another file.")
        if head.get("stamp") != stamp(self.labels):
            raise ConcordError(
                f"{self.labels} was written anew since it was painted on; put the old file back, "
                f"or delete {self.path}."
            )
        for line in lines[1:]:
            self._take(line)

    def _take(self, line: dict) -> None:
        parts = line.get("parts", [line] if "window" in line else [])
        if parts:
            found = [Part(Window(*part["window"]), part["before"], part["after"]) for part in parts]
            step = Step(tuple(found), line["told"])
            self.steps = [*self.steps[: self.place], step]
            self.place += 1
        elif "place" in line:
            self.place = max(0, min(len(self.steps), int(line["place"])))

    def add(self, step: Step) -> None:
        """Keep a step; those that were taken back are gone."""
        parts = [
            {
                "window": [part.window.col, part.window.row, part.window.width, part.window.height],
                "before": part.before,
                "after": part.after,
            }
            for part in step.parts
        ]
        # One part stands in the line itself, as it did before there were several.
        line = {**(parts[0] if len(parts) == 1 else {"parts": parts}), "told": step.told}
        self._append(line)
        self._take(line)

    def move(self, place: int) -> None:
        """Say how many steps hold."""
        self._append({"place": place})
        self.place = place

    def _append(self, line: dict) -> None:
        try:
            fresh = not self.path.exists()
            with self.path.open("a", encoding="utf-8") as file:
                if fresh:
                    head = {"kind": KIND, "version": 1, "labels": self.labels}
                    file.write(json.dumps({**head, "stamp": stamp(self.labels)}) + "\n")
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConcordError(
                f"{self.path} cannot be written ({error.strerror}); free some space or choose "
                "another output folder."
            ) from error

    @property
    def live(self) -> list[Step]:
        """The steps that hold, in order."""
        return self.steps[: self.place]


def _lines(path: Path) -> list:
    found = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:
                    break
                if not isinstance(line, dict):
                    break
                found.append(line)
    except OSError as error:
        raise ConcordError(f"{path} cannot be read; check that the file exists.") from error
    return found
