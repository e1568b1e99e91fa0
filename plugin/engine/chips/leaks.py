"""Leaks between the splits of a set: chips that overlap, come too near, or hold the same pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import split
from .store import MANIFEST


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, in which file, in words."""

    kind: str
    file: str
    detail: str


@dataclass(frozen=True)
class Checked:
    """A chip as the checker saw it; ``digest`` of its pixels, '' when they say nothing."""

    id: str
    split: str
    bounds: tuple
    digest: str


def findings_of(chips: list, manifest: dict) -> list:
    settings = manifest.get("settings")
    buffer = settings.get("buffer") if isinstance(settings, dict) else None
    findings = []
    if not isinstance(buffer, (int, float)) or buffer < 0:
        findings.append(Finding("leak", MANIFEST, "it does not say the buffer"))
        buffer = 0.0
    boxes = np.array([c.bounds for c in chips]).reshape(-1, 4)
    names = np.array([c.split for c in chips])
    for chip in chips:
        gaps = split.distance(np.array(chip.bounds), boxes)
        other = names != chip.split
        for index in np.flatnonzero(other & (gaps < 0)):
            detail = f"{chip.split} chip overlaps {chips[index].id} of {chips[index].split}"
            findings.append(Finding("leak", chip.id, detail))
        near = other & (gaps >= 0) & (gaps < buffer * (1 - 1e-6))
        for index in np.flatnonzero(near):
            detail = f"{gaps[index]:g} from {chips[index].id} of another split, buffer {buffer:g}"
            findings.append(Finding("leak", chip.id, detail))
    return findings + twins(chips)


def twins(chips: list) -> list:
    """Chips of different splits with the very same pixels."""
    seen: dict = {}
    findings = []
    for chip in chips:
        other = seen.setdefault(chip.digest, chip)
        if chip.digest and other.split != chip.split:
            detail = f"same pixels as {other.id} of {other.split}"
            findings.append(Finding("leak", chip.id, detail))
    return findings
