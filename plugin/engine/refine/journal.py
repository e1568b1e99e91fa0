"""What a long run has finished, kept beside its output, so that a killed run resumes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np

from .. import files


class Journal:
    """Finished tiles in a hidden folder beside the output.

    A journal of other inputs or settings is thrown away. The folder goes when the run ends well
    or is refused or cancelled; only a killed process leaves it.

    Args:
        output: the raster that is being made.
        job: plain values that decide the result.
    """

    def __init__(self, output: str, job: dict):
        target = Path(output)
        self.folder = target.with_name(f".{target.stem}.journal")
        text = json.dumps(job, sort_keys=True, default=str)
        known = self.folder / "job.json"
        if not known.exists() or known.read_text(encoding="utf-8") != text:
            self.remove()
            try:
                self.folder.mkdir(parents=True)
            except OSError as error:
                raise files.explain_os_error(error, target) from error
            files.write_text(known, text)
        self.resumed = sum(1 for _ in self.folder.glob("tile_*.npz"))

    def has(self, number: int) -> bool:
        """Whether a tile is finished."""
        return (self.folder / f"tile_{number}.npz").exists()

    def get(self, number: int) -> dict | None:
        """The arrays of a finished tile."""
        path = self.folder / f"tile_{number}.npz"
        if not self.has(number):
            return None
        with np.load(path) as kept:
            return {name: kept[name] for name in kept.files}

    def put(self, number: int, arrays: dict) -> None:
        with files.atomic_file(self.folder / f"tile_{number}.npz") as path:
            with open(path, "wb") as out:
                np.savez_compressed(out, **arrays)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def stamp(path: str) -> list:
    """[path, size, time of change] of an input, so that a changed file is not resumed on."""
    try:
        found = os.stat(path)
    except OSError:
        return [path]
    return [path, found.st_size, found.st_mtime_ns]
