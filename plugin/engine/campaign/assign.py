"""Who labels what: equal loads, everybody compared with everybody, no place twice."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from .values import Site, Task


def copies_of(count: int, copies: int, overlap: float, seed: int) -> list:
    """How many people label each task: ``copies`` for a share ``overlap``, one for the others."""
    if copies < 1:
        raise ConcordError("Every task needs at least one copy; set the copies to 1 or more.")
    if not 0 <= overlap <= 1:
        raise ConcordError("The overlap is a share between 0 and 1; correct it.")
    several = round(count * overlap)
    order = np.random.default_rng(seed).permutation(count)
    result = np.ones(count, int)
    result[order[:several]] = copies
    return [int(n) for n in result]


def balance(sites: list, copies: list, people: list, everyone=(), seed: int = 0) -> list:
    """Tasks with the people who label them.

    People with the least work come first; among those, the ones who were least often together
    with the people already chosen, so that all pairs are compared. Deterministic for a seed.

    Args:
        sites: places in task order (ids start at 1).
        copies: people per task, same order.
        people: names.
        everyone: indexes of tasks that all people label (gold).

    Raises:
        ConcordError: a task needs more different people than there are.
    """
    if copies and max(copies) > len(people):
        raise ConcordError(
            f"{max(copies)} copies of a task need {max(copies)} annotators and there are "
            f"{len(people)}; add annotators or lower the copies."
        )
    random = np.random.default_rng(seed)
    everyone = set(everyone)
    load = np.zeros(len(people))
    together = np.zeros((len(people), len(people)))
    seen: dict = {}
    chosen_of: dict = {}
    order = [*everyone, *(int(i) for i in random.permutation(len(sites)) if i not in everyone)]
    for index in order:
        site: Site = sites[index]
        taken = seen.setdefault(site.place, set())
        wanted = len(people) if index in everyone else copies[index]
        chosen: list = []
        free = [p for p in range(len(people)) if p not in taken]
        while free and len(chosen) < wanted:
            tie = random.random(len(free))
            ranked = sorted(
                range(len(free)),
                key=lambda i, f=free, t=tie, c=chosen: (load[f[i]], together[f[i], c].sum(), t[i]),
            )
            person = free.pop(ranked[0])
            together[person, chosen] += 1
            together[chosen, person] += 1
            load[person] += 1
            chosen.append(person)
        if not chosen:
            raise ConcordError(
                "More sites overlap at one place than there are annotators; draw sites apart or "
                "add annotators."
            )
        taken.update(chosen)
        chosen_of[index] = tuple(people[p] for p in sorted(chosen))
    return [
        Task(i + 1, site, len(chosen_of[i]), chosen_of[i], i in everyone)
        for i, site in enumerate(sites)
    ]


def pool(sites: list, copies: list, people: list, everyone=()) -> list:
    """Tasks that nobody is named for: whoever asks next gets one, up to its copies."""
    if copies and max(copies) > len(people):
        raise ConcordError(
            f"{max(copies)} copies of a task need {max(copies)} annotators and there are "
            f"{len(people)}; add annotators or lower the copies."
        )
    return [
        Task(i + 1, site, len(people) if i in everyone else copies[i], (), i in everyone)
        for i, site in enumerate(sites)
    ]


def loads(tasks) -> dict:
    """{name: number of tasks} of planned tasks."""
    found: dict = {}
    for task in tasks:
        for name in task.people:
            found[name] = found.get(name, 0) + 1
    return found
