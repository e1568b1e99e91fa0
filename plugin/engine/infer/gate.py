"""A cheap model that looks first: tiles in which it finds nothing are left out of the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import files, jobs
from ..errors import ConcordError
from ..grid import Window
from ..progress import Progress
from . import levels, plan, preflight
from .session import Model
from .values import classes_of
from .verdicts import BOX, refuse_red
from .work import Task, TileRunner

KINDS = ("chips", "classes")


@dataclass(frozen=True)
class Gate:
    """Which model looks first, and what opens a tile.

    Args:
        classes: names of the classes that are looked for; () takes the second of two.
        least: a tile is open from this probability of a chip, or this share of its pixels, on.
    """

    model: Model
    classes: tuple = ()
    least: float = 0.05

    def wanted(self) -> np.ndarray:
        """(n,) bool: which of the model's classes are looked for.

        Raises:
            ConcordError: another task, or a class that the model does not know.
        """
        card = self.model.card.require_complete(str(self.model.path))
        name = self.model.path.name
        if card.kind not in KINDS:
            raise ConcordError(
                f"{name} is made for '{card.task}'; a gate needs a model that classifies chips or "
                "pixels."
            )
        if not 0 < self.least <= 1:
            raise ConcordError(f"GATE_LEAST is {self.least:g}; give a share above 0, at most 1.")
        names = [c.name for c in classes_of(card)[0]]
        if not self.classes and len(names) == 2:
            return np.array([False, True])
        unknown = [c for c in self.classes if c not in names]
        if unknown or not self.classes:
            said = f"knows no class '{unknown[0]}'" if unknown else "needs GATE_CLASSES"
            raise ConcordError(f"The gate {name} {said}; it has {', '.join(names)}.")
        return np.array([n in self.classes for n in names])

    def describe(self) -> dict:
        """What the result depends on, as JSON values."""
        return {"model": self.model.card.id, "sha256": files.sha256(self.model.path),
                "classes": list(self.classes), "least": self.least,
                "constants": self.model.card.constants}  # fmt: skip


def tells_levels(gate: Gate | None) -> bool:
    """Whether the gate's model tells processing levels apart."""
    return gate is not None and levels.of(gate.model.card) is not None


def closed_tiles(gate: Gate, job: plan.Job) -> tuple:
    """(the job's tiles in which the gate finds less than is asked for, what level it assumed)."""
    wanted = gate.wanted()
    model, wish = gate.model, job.wish
    wished = wish.level if tells_levels(gate) else ""
    level = jobs.answered(lambda: levels.over(model.card, job.scenes, wished), job.progress)
    model.card = levels.applied(model.card, level)
    model.require_inputs()
    verdicts = jobs.answered(
        lambda: preflight.check(model.card, job.scenes[0], model, job.scenes[1:], level),
        job.progress,
    )
    if not wish.override:
        refuse_red(verdicts, model.path.name, BOX)
    asked = plan.RunWish(None, None, wish.extent, wish.extent_crs, wish.mask, wish.executor)
    look = plan.planned(model, job.scenes, asked, job.progress)
    look.task = Task(("main",))
    threads = jobs.threads_of(wish.executor)
    work = TileRunner(model, job.scenes, wish.mask, look.task, at_once=threads)
    scores = _shares(look, work, wanted, job.tiles, job.progress)
    closed = frozenset(tile for tile, score in zip(job.tiles, scores) if score < gate.least)
    return closed, level


def _shares(look: plan.Job, work: TileRunner, wanted, tiles: list, progress: Progress):
    """(n,) best probability or share of pixels in each tile's core."""
    chips = work.adapter.family == "chips"
    found, seen = np.zeros(len(tiles)), np.zeros(len(tiles))
    with plan.answers(look, work, look.tiles) as made:
        for done, ((answer, keep), part) in enumerate(zip(made, look.tiles), 1):
            progress.report(done, len(look.tiles), "Looking with the gate model")
            if answer is None:
                continue
            hit = None if chips else np.isin(answer["main"][0], work.adapter.codes[0][wanted])
            for number, tile in enumerate(tiles):
                here = _shared(part.core, tile.core)
                if here is None:
                    continue
                if chips:
                    found[number] = max(found[number], float(answer[wanted].sum()))
                else:
                    found[number] += int(hit[here].sum())
                    seen[number] += int(keep[here].sum())
    return found if chips else found / np.maximum(seen, 1)


def _shared(part: Window, other: Window):
    """(rows, columns) of ``part`` that lie in the other window; None where they do not meet."""
    first, left = max(part.row, other.row), max(part.col, other.col)
    last = min(part.row + part.height, other.row + other.height)
    right = min(part.col + part.width, other.col + other.width)
    if first >= last or left >= right:
        return None
    return slice(first - part.row, last - part.row), slice(left - part.col, right - part.col)
