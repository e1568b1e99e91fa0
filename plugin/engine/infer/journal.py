"""Finished strips kept beside the output, so that a run that was killed goes on where it was.

The map shows them while the run lasts; see ``glimpse``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np


def key_of(values: dict, inputs) -> str:
    """A fingerprint of everything that the result depends on; files by size and time."""
    stamps = []
    for path in sorted(map(str, inputs)):
        with contextlib.suppress(OSError):
            stat = os.stat(path)
            stamps.append([path, stat.st_size, stat.st_mtime_ns])
    text = json.dumps([values, stamps], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


ABOUT, _ANSWERS = "about.json", "answers.jsonl"


def folder_of(output: str) -> Path:
    """Where the strips of an output are kept while its run lasts."""
    path = Path(output)
    return path.with_name(f".{path.name}.journal")


class Journal:
    """Strips of one run in the hidden folder ``.<name>.journal`` beside its output.

    Args:
        about: JSON values that say where the strips lie and how they are coloured.
    """

    def __init__(self, output: str | None, key: str, about: dict | None = None):
        self.key, self.about = key, about or {}
        self.folder = folder_of(output) if output else None
        self.strips = 0

    def resume(self, names, height: int):
        """Yield (row, {layer: array}, (compared, agreed)) of the strips of an equal, earlier run.

        Another run's strips are removed. Reading stops at the first gap or damaged strip.
        """
        if self.folder is None or not self.folder.is_dir():
            return
        try:
            same = (self.folder / "key").read_text(encoding="utf-8") == self.key
        except OSError:
            same = False
        if not same:
            self.remove()
            return
        row = 0
        while row < height:
            strip = self._load(row, names)
            if strip is None:
                return
            self.strips += 1
            yield (row, *strip)
            row += next(iter(strip[0].values())).shape[1]

    def _load(self, row: int, names):
        path = self.folder / f"{row:09d}.npz"
        try:
            with np.load(path, allow_pickle=False) as content:
                counts = tuple(int(v) for v in content["overlap"])
                return {name: content[name] for name in names}, counts
        except (OSError, ValueError, KeyError, EOFError, zlib_error()):
            return None

    def keep(self, row: int, arrays: dict, counts: tuple) -> None:
        """Write a strip; a full disk only costs the chance to resume."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.strips:
                (self.folder / "key").write_text(self.key, encoding="utf-8")
                (self.folder / ABOUT).write_text(json.dumps(self.about), encoding="utf-8")
            partial = self.folder / f"{row:09d}.part.npz"
            np.savez(partial, overlap=np.array(counts), **arrays)
            os.replace(partial, self.folder / f"{row:09d}.npz")
            self.strips += 1
        except OSError:
            self.remove()
            self.folder = None

    def remove(self) -> None:
        """Forget everything that was kept."""
        self.strips = 0
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class Answers:
    """Answers of tiles, one JSON line each, in the hidden folder beside a run's output.

    For tasks whose tiles give no pixels: objects, and one answer a chip.
    """

    def __init__(self, output: str | None, key: str):
        self.key, self.strips = key, 0
        self.folder = folder_of(output) if output else None
        self._file = None

    def resume(self, most: int) -> list:
        """The answers that an equal, earlier run kept, in the order of the tiles.

        Another run's are removed; a line that a kill cut short, and what follows, does not count.
        """
        found = self._read()[:most] if self.folder is not None else []
        if not found:
            self.remove()
            return []
        self.strips = len(found)
        partial = self.folder / "answers.part"
        with contextlib.suppress(OSError):
            partial.write_text("".join(json.dumps(one) + "\n" for one in found), "utf-8")
            os.replace(partial, self.folder / _ANSWERS)
        return found

    def _read(self) -> list:
        found: list = []
        try:
            if (self.folder / "key").read_text(encoding="utf-8") != self.key:
                return []
            text = (self.folder / _ANSWERS).read_text(encoding="utf-8")
            for line in text.splitlines(True):
                if not line.endswith("\n"):
                    break
                found.append(json.loads(line))
        except (OSError, ValueError):
            pass  # what was read before counts
        return found

    def keep(self, answer):
        """Write an answer; returns it as it will be read again."""
        self.strips += 1
        return json.loads(self._write(answer))

    def _write(self, answer) -> str:
        """A full disk only costs the chance to resume."""
        line = json.dumps(answer, default=float)
        if self.folder is None:
            return line
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / "key").write_text(self.key, encoding="utf-8")
                self._file = open(self.folder / _ANSWERS, "a", encoding="utf-8")  # noqa: SIM115
            self._file.write(line + "\n")
            self._file.flush()
        except OSError:
            self.remove()
            self.folder = None
        return line

    def remove(self) -> None:
        """Forget everything that was kept."""
        self.strips = 0
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def zlib_error():
    """What a damaged zip raises."""
    from zipfile import BadZipFile

    return BadZipFile
