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


ABOUT = "about.json"


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


def zlib_error():
    """What a damaged zip raises."""
    from zipfile import BadZipFile

    return BadZipFile
