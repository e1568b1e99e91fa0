"""From one class scheme to another, with what is lost on the way.

Every class is described by the covers it stands for (water, trees, crops ...), the main one first.
A class goes to the one class of the other scheme that stands for its main cover (if none does, for
any of its covers), for most of its covers, and for as few others as possible; what that class does
not stand for is said. A class whose covers the other scheme does not have has no place there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import files
from .errors import ConcordError
from .taxonomy import FOLDER, IGNORE, NO_DATA, Taxonomy

_CONCEPTS = FOLDER / "crosswalks" / "concepts.json"


@dataclass(frozen=True)
class Crosswalk:
    """``codes`` {code: code of the other scheme}; ``losses`` are sentences, worst first."""

    source: Taxonomy
    target: Taxonomy
    codes: dict
    losses: tuple

    def apply(self, mask: np.ndarray) -> np.ndarray:
        """A uint8 class mask in the other scheme; classes without a place become 255."""
        table = np.full(256, IGNORE, np.uint8)
        table[NO_DATA] = NO_DATA
        for code, other in self.codes.items():
            table[code] = other
        return table[mask]


def known() -> list:
    """Ids of the schemes that have a crosswalk to each other."""
    return sorted(files.read_json(_CONCEPTS))


def between(source: Taxonomy, target: Taxonomy) -> Crosswalk:
    """The crosswalk of two schemes.

    Raises:
        ConcordError: one of them is not described.
    """
    concepts = files.read_json(_CONCEPTS)
    for scheme in (source, target):
        if scheme.id not in concepts:
            raise ConcordError(
                f"There is no crosswalk for the taxonomy {scheme.id}; use one of "
                f"{', '.join(sorted(concepts))} or recode the raster."
            )
    if source.id == target.id:
        return Crosswalk(source, target, {c: c for c in source.codes}, ())
    theirs = {int(code): set(covers) for code, covers in concepts[target.id].items()}
    codes: dict = {}
    nowhere, partly = [], []
    for code, covers in concepts[source.id].items():
        best = _best(covers, theirs)
        name = source.name(int(code))
        if best is None:
            nowhere.append(f"{name} has no place in {target.title} and becomes ignored (255).")
            continue
        codes[int(code)] = best
        missed = set(covers) - theirs[best]
        if missed:
            partly.append(
                f"{name} becomes {target.name(best)}, though part of it is "
                f"{' and '.join(sorted(missed))}."
            )
    return Crosswalk(source, target, codes, (*nowhere, *partly, *_merged(source, target, codes)))


def _best(covers: list, theirs: dict) -> int | None:
    """The class with the main cover, then most of them, the fewest others, the lowest code."""
    wanted = set(covers)
    found = [
        (covers[0] not in other, -len(wanted & other), len(other - wanted), code)
        for code, other in theirs.items()
        if wanted & other
    ]
    return min(found)[3] if found else None


def _merged(source: Taxonomy, target: Taxonomy, codes: dict) -> list:
    groups: dict = {}
    for code, other in codes.items():
        groups.setdefault(other, []).append(source.name(code))
    return [
        f"{', '.join(names)} cannot be told apart as {target.name(other)}."
        for other, names in sorted(groups.items())
        if len(names) > 1
    ]
