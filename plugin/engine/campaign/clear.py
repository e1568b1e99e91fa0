"""How much of a task each date of the campaign's imagery shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ConcordError
from ..grid import Grid
from ..series.clear import CLEAR, NO_DATA, ONLY_DATA, ClearReader
from ..series.dated import Dated, group, named_as_mask

_MOST = 400  # files beside an image that are looked at for quality layers


@dataclass(frozen=True)
class ClearDate:
    """``share`` is the clear part (0-1) of the place, None without data; ``method`` tells how.

    ``known`` is False where nothing tells clouds from ground: a share of 1 means data then.
    """

    date: str
    share: float | None
    method: str
    known: bool = True


def of_window(imagery, place: Grid) -> list:
    """Clear share of every date on a place, by quality layers where they lie beside the imagery.

    Pixels without data count as not clear. Images without a date, or that are missing, are left
    out; nothing is raised, because a task can be labelled without this.
    """
    there = [path for path in imagery if Path(path).exists()]
    if not there:
        return []
    try:
        dates, _ = group([*there, *_beside(there)])
    except ConcordError:
        return []
    return [one for one in (_of_date(dated, place) for dated in dates) if one is not None]


def _beside(imagery) -> list:
    """Quality layers in the folders of the images; their names tell them."""
    found = []
    for folder in dict.fromkeys(Path(path).parent for path in imagery):
        files = sorted(path for path in folder.iterdir() if path.is_file())[:_MOST]
        found += [str(path) for path in files if named_as_mask(str(path))]
    return [path for path in found if path not in imagery]


def _of_date(dated: Dated, place: Grid) -> ClearDate | None:
    try:
        with ClearReader(dated, place) as reader:
            states = reader.read()
            method = reader.method
    except ConcordError:
        return None  # one unreadable date must not keep anybody from the task
    if (states == NO_DATA).all():
        return ClearDate(dated.date, None, method)
    share = float((states == CLEAR).mean())
    return ClearDate(dated.date, share, method, not method.startswith(ONLY_DATA))
