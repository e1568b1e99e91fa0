"""What a lead wants to know: gold scores, drift, the queue of doubtful tasks, agreement in time.

Works on plain values: a vote has ``task``, ``person``, ``mask`` (rows, cols), ``seconds`` and
``created``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..consensus import aggregate, judge, patterns
from ..progress import SILENT, Progress

NOBODY = np.uint8(0)


@dataclass(frozen=True)
class Doubt:
    """One task in the queue; ``weight`` is mean posterior entropy x area x cost."""

    task: int
    weight: float
    entropy: float
    agreement: float
    undecided: float
    voters: int
    flags: int = 0
    posterior: float = 1.0  # mean over the labelled pixels, 0-1


def by_task(votes) -> dict:
    """{task: {person: vote}}."""
    found: dict = {}
    for vote in votes:
        found.setdefault(vote.task, {})[vote.person] = vote
    return found


def _planes(cast: dict, people) -> list:
    shape = next(iter(cast.values())).mask.shape
    return [cast[p].mask if p in cast else np.zeros(shape, np.uint8) for p in people]


def pooled(votes, people, codes, method: str = "dawidskene", progress: Progress = SILENT):
    """(Result, Patterns) of all tasks together: people are judged once for the campaign."""
    coding = patterns.Coding(codes, len(people))
    tally = patterns.Tally(coding)
    tasks = by_task(votes)
    for done, cast in enumerate(tasks.values()):
        progress.report(done, len(tasks), "Counting votes")
        tally.add(coding.encode(_planes(cast, people)))
    numbers = tally.numbers()
    every = patterns.Patterns(coding.decode(numbers), tally.counts(numbers), coding.codes)
    return aggregate.METHODS[method](every), every


def settle(cast: dict, people, codes, result) -> tuple:
    """(class codes, posterior 0-100, agreement 0-100, entropy 0-1) of one task, 2-d each."""
    planes = _planes(cast, people)
    every, _coding, numbers, found = patterns.count(planes, codes)
    own = aggregate.again(found, result)
    place = np.searchsorted(numbers, every)
    table = np.append(found.codes, [0, 255])
    shape = planes[0].shape
    columns = (*aggregate.as_bytes(own, table), own.entropy())
    return tuple(column[place].reshape(shape) for column in columns)


def queue(votes, people, codes, result, area: float = 1.0, costs=None, flags=None,
          progress: Progress = SILENT) -> list:  # fmt: skip
    """Tasks with the worst first: mean entropy x labelled area x cost.

    Args:
        area: map units squared of a pixel.
        costs: {class code: weight} of a mistake, 1 where not given.
        flags: {task: number of people who flagged it}; each counts as one more voter in doubt.
    """
    weights = np.ones(256)
    for code, cost in (costs or {}).items():
        weights[code] = cost
    found = []
    tasks = by_task(votes)
    for done, (task, cast) in enumerate(sorted(tasks.items())):
        progress.report(done, len(tasks), "Weighing doubt")
        classes, posterior, share, entropy = settle(cast, people, codes, result)
        voted = classes != NOBODY
        flagged = (flags or {}).get(task, 0)
        size = max(int(voted.sum()), 1)
        heavy = float((entropy * weights[classes])[voted].sum()) * area
        found.append(
            Doubt(
                task,
                heavy * (1 + flagged / max(len(cast), 1)),
                float(entropy[voted].sum() / size),
                float(share[voted].sum() / size / 100),
                float((classes == 255).sum() / size),
                len(cast),
                flagged,
                float(posterior[voted].sum() / size / 100),
            )
        )
    return sorted(found, key=lambda d: (-d.weight, d.task))


def gold_scores(votes, gold: dict, codes, tolerance: int = 1) -> list:
    """Every person's work on the tasks with known answers.

    Returns:
        dicts: name, tasks, accuracy (all pixels), accuracy_inside (away from edges), low and high
        of the latter (95 %, over tasks), confusion (true, voted) away from edges.
    """
    people: dict = {}
    for vote in votes:
        if vote.task in gold:
            known = gold[vote.task]
            keep = judge.away_from_edges(known, vote.mask, tolerance)
            people.setdefault(vote.person, []).append(
                (judge.confusion(known, vote.mask, codes),
                 judge.confusion(known, vote.mask, codes, keep))
            )  # fmt: skip
    found = []
    for name in sorted(people):
        whole = sum(m for m, _ in people[name])
        inner = [m for _, m in people[name]]
        low, high = judge.interval(inner) or (None, None)
        found.append(
            {"name": name, "tasks": len(inner), "accuracy": judge.accuracy(whole),
             "accuracy_inside": judge.accuracy(sum(inner)), "low": low, "high": high,
             "confusion": sum(inner).tolist()}
        )  # fmt: skip
    return found


def course(votes, people, codes, result, parts: int = 4) -> list:
    """Agreement with the consensus and speed of each person, in quarters of their own work.

    Returns:
        dicts: name, agreement (list of ``parts`` shares or None), seconds (same), drift (last
        part minus first, None when unknown), accuracy against the consensus with low and high
        (95 %, over tasks) and confusion (consensus, voted). These flatter everybody a little,
        because a person's own vote is part of the consensus.
    """
    tasks = by_task(votes)
    seen: dict = {}
    against: dict = {}
    for cast in tasks.values():
        agreed = settle(cast, people, codes, result)[0]
        for person, vote in cast.items():
            both = (vote.mask > 0) & (vote.mask < 255) & (agreed > 0) & (agreed < 255)
            right = int((vote.mask == agreed)[both].sum())
            against.setdefault(person, []).append(judge.confusion(agreed, vote.mask, codes))
            seen.setdefault(person, []).append((vote.created, right, int(both.sum()), vote.seconds))
    found = []
    for person in sorted(seen):
        rows = sorted(seen[person])
        pieces = [p for p in np.array_split(np.arange(len(rows)), parts)]
        shares, speed = [], []
        for piece in pieces:
            total = sum(rows[i][2] for i in piece)
            shares.append(sum(rows[i][1] for i in piece) / total if total else None)
            speed.append(float(np.mean([rows[i][3] for i in piece])) if len(piece) else None)
        known = [s for s in shares if s is not None]
        drift = known[-1] - known[0] if len(known) > 1 else None
        whole = sum(against[person])
        low, high = judge.interval(against[person]) or (None, None)
        found.append({"name": person, "agreement": shares, "seconds": speed, "drift": drift,
                      "accuracy": judge.accuracy(whole), "low": low, "high": high,
                      "confusion": whole.tolist()})  # fmt: skip
    return found


def calibration(votes, gold: dict, people, codes, result, bins: int = 10) -> dict:
    """Posterior against truth on the tasks with known answers.

    Returns:
        {"bins": [{"stated", "true", "pixels"}], "error"}: mean posterior and share of right
        pixels of each tenth, and their mean distance (expected calibration error); {} without
        known answers.
    """
    stated, right = [], []
    for task, cast in by_task(votes).items():
        if task in gold:
            known = gold[task]
            classes, posterior, *_ = settle(cast, people, codes, result)
            both = (known > 0) & (known < 255) & (classes > 0) & (classes < 255)
            stated.append(posterior[both] / 100)
            right.append(classes[both] == known[both])
    if not stated or not sum(len(s) for s in stated):
        return {}
    stated, right = np.concatenate(stated), np.concatenate(right)
    place = np.minimum((stated * bins).astype(int), bins - 1)
    rows = [
        {"stated": float(stated[place == b].mean()), "true": float(right[place == b].mean()),
         "pixels": int((place == b).sum())} for b in np.unique(place)
    ]  # fmt: skip
    return {"bins": rows, "error": judge.calibration_error(stated, right, bins)}


def agreement_over_time(votes, parts: int = 10) -> list:
    """Raw agreement of pairs, over tasks in the order in which they were completed."""
    tasks = [cast for cast in by_task(votes).values() if len(cast) > 1]
    tasks.sort(key=lambda cast: max(v.created for v in cast.values()))
    found = []
    for piece in np.array_split(np.arange(len(tasks)), min(parts, max(len(tasks), 1))):
        equal = total = 0
        for i in piece:
            masks = [v.mask for v in tasks[i].values()]
            for j, one in enumerate(masks):
                for other in masks[:j]:
                    both = (one > 0) & (one < 255) & (other > 0) & (other < 255)
                    equal += int((one == other)[both].sum())
                    total += int(both.sum())
        if len(piece):
            found.append(
                {"until": max(v.created for v in tasks[piece[-1]].values()),
                 "tasks": len(piece), "agreement": equal / total if total else None}
            )  # fmt: skip
    return found


def stage_change(reviews) -> list:
    """[(task, from stage, to stage, share of pixels changed)] between reviews of one task."""
    last: dict = {}
    found = []
    for task, _person, stage, _decision, _reason, _created, mask in reviews:
        if task in last and last[task][1].shape == mask.shape:
            found.append((task, last[task][0], stage, float((last[task][1] != mask).mean())))
        last[task] = (stage, mask)
    return found
