"""What a check found, in words with a traffic light, and when that refuses a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..errors import ConcordError

GREEN, AMBER, RED = "green", "amber", "red"
BOX = "Run in spite of Stop"  # OVERRIDE of concord:runmodel, as the toolbox shows it
# What is not there cannot be read in spite of anything.
_HOPELESS = ("Card", "Dates", "Bands", "No data")


@dataclass(frozen=True)
class Verdict:
    """One check: ``level`` green, amber or red; ``what`` was looked at; ``detail`` in words.

    The detail of a red one ends with its remedy, after a semicolon.
    """

    level: str
    what: str
    detail: str

    def as_json(self) -> dict:
        return asdict(self)


def worst(verdicts) -> str:
    """The level that decides."""
    levels = [v.level for v in verdicts]
    return RED if RED in levels else AMBER if AMBER in levels else GREEN


def refuse_red(verdicts, model: str, box: str = "") -> None:
    """Refuse a run with a red verdict, naming the gravest.

    Args:
        box: what the user could tick to run all the same, where there is such a box.
    """
    reds = [v for v in verdicts if v.level == RED]
    if not reds:
        return
    first = next((v for v in reds if v.what in _HOPELESS), reds[0])
    tick = f", or tick '{box}' in the toolbox" if box and first.what not in _HOPELESS else ""
    raise ConcordError(
        f"{model} does not fit the image: {first.what.lower()} {first.detail}{tick}."
    )
