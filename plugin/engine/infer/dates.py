"""Images of several dates of one place: files that bring a band again begin the next date."""

from __future__ import annotations

from .. import rasters, sensors
from ..scene import Scene


def groups(paths) -> list:
    """[[paths of the first date], [paths of the second], ...] in the order given."""
    dates: list = [[]]
    seen: set = set()
    for path in paths:
        found = sensors.recognise(rasters.require_crs(rasters.info(path)), "auto")
        names = {band.name for band in found.bands}
        if names & seen:
            dates.append([])
            seen = set()
        seen |= names
        dates[-1].append(path)
    return dates


def wanted(card) -> int:
    """How many dates a card's inputs name; 0 when a time axis takes any number."""
    if any("T" in entry.axes for entry in card.inputs):
        return 0
    return 1 + max((date for entry in card.inputs for _, date in entry.channels), default=0)


def open_scenes(paths, card) -> list:
    """Scenes of all dates on the first one's grid; one scene when the card names one date."""
    if wanted(card) == 1:
        return [Scene(paths)]
    parts = groups(paths)
    first = Scene(parts[0])
    return [first, *(Scene(part, first.grid) for part in parts[1:])]
