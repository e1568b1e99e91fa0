"""What is known of a product beside its rasters, and reading it out of text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Product:
    """Facts of the product that a file belongs to.

    ``scales`` is {band alias: (scale, offset)}, with '' for every band; ``units`` and ``formulas``
    are {band alias: text} where they are not the preset's; ``names`` is {file name: common name};
    ``corrected`` says that the baseline offset was already undone in the files, ``sure`` that the
    sensor is named to its processing level.
    """

    path: str
    sensor: str = ""
    baseline: str = ""
    date: str = ""
    cloud: float | None = None
    corrected: bool = False
    scales: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)
    units: dict = field(default_factory=dict)
    formulas: dict = field(default_factory=dict)
    notes: tuple = ()
    sure: bool = True

    @property
    def title(self) -> str:
        return Path(self.path).name


def stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def one(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1).strip() if match else ""
