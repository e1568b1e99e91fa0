"""The values of a campaign: people, places, tasks, settings. Plain data, no store, no QGIS."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from ..errors import ConcordError
from ..grid import Grid, Window

ROLES = ("annotator", "reviewer", "lead")
_LONGEST_NAME = 63  # bytes; a person is a role in PostgreSQL, whose names end there


@dataclass(frozen=True)
class Person:
    """Somebody of the campaign. ``kind`` is crowd or expert, ``role`` what they may do."""

    name: str
    role: str = "annotator"
    kind: str = "crowd"


@dataclass(frozen=True)
class Site:
    """A place that can become a task: a window of the campaign's grid.

    ``place`` is equal for sites that overlap; nobody is given the same place twice.
    """

    window: Window
    place: int
    stratum: str = ""
    score: float = 0.0


@dataclass(frozen=True)
class Task:
    """One place to label, how many people label it, and who (empty: whoever asks first)."""

    id: int
    site: Site
    copies: int
    people: tuple = ()
    gold: bool = False


@dataclass(frozen=True)
class Settings:
    """What a campaign was set up with; stored as JSON and never changed afterwards."""

    title: str
    grid: Grid
    chip: int
    imagery: tuple
    taxonomy: dict
    stages: int = 1
    reveal: str = "seal"
    seed: int = 0
    tolerance: int = 1
    min_agreement: float = 0.8
    max_undecided: float = 0.05
    minutes: float = 10.0
    min_posterior: float = 0.0
    costs: dict = field(default_factory=dict)  # class code -> weight of a mistake, 1 where absent

    def as_json(self) -> dict:
        values = {k: v for k, v in self.__dict__.items() if k not in ("grid", "imagery", "costs")}
        costs = {str(code): weight for code, weight in self.costs.items()}
        return {**values, "grid": self.grid.describe(), "imagery": list(self.imagery),
                "costs": costs}  # fmt: skip

    @staticmethod
    def from_json(values: dict) -> Settings:
        grid = values["grid"]
        kept = {k: v for k, v in values.items() if k in Settings.__dataclass_fields__}
        kept["grid"] = Grid(
            grid["crs"], tuple(grid["transform"]), int(grid["width"]), int(grid["height"])
        )
        kept["imagery"] = tuple(values["imagery"])
        kept["costs"] = {int(code): float(w) for code, w in values.get("costs", {}).items()}
        return Settings(**kept)


@dataclass(frozen=True)
class Plan:
    """Everything that a store needs to begin: settings, people, tasks, answers of gold tasks."""

    settings: Settings
    people: tuple
    tasks: tuple
    gold: dict = field(default_factory=dict)  # task id -> uint8 array (rows, cols)
    notes: tuple = ()


def key_of(name: str) -> str:
    """What makes two names the same person: case, width and spaces do not tell people apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def people_of(names, role: str = "annotator", kind: str = "crowd") -> list:
    """Persons from names.

    Raises:
        ConcordError: no name, a name that is empty, too long or unprintable, or one given twice.
    """
    people, seen = [], {}
    for raw in names:
        name = " ".join(str(raw).split())
        if not name or not name.isprintable():
            raise ConcordError("A name of an annotator is empty or unprintable; correct the list.")
        if len(name.encode()) > _LONGEST_NAME:
            raise ConcordError(f"The name '{name[:20]}…' is too long; use at most 63 letters.")
        if key_of(name) in seen:
            raise ConcordError(
                f"'{name}' and '{seen[key_of(name)]}' are the same name; give every person one "
                "name of their own."
            )
        seen[key_of(name)] = name
        people.append(Person(name, role, kind))
    return people


def team(annotators, reviewers=(), lead: str = "") -> tuple:
    """The people of a campaign; the lead may also review but is no annotator.

    Raises:
        ConcordError: fewer than two annotators, or one name in two roles.
    """
    everybody = [
        *people_of(annotators),
        *people_of(reviewers, "reviewer", "expert"),
        *people_of([lead] if lead else [], "lead", "expert"),
    ]
    if sum(p.role == "annotator" for p in everybody) < 2:
        raise ConcordError("A campaign needs at least two annotators; add another name.")
    people_of([p.name for p in everybody])  # refuses one name in two roles
    return tuple(everybody)
