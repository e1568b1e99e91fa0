"""The plots of a campaign's report, from the report's own numbers; panel and page share them."""

from __future__ import annotations

from .. import plots
from ..plots import LIGHT, Theme

STATES = {
    "open": ("#b0b7bd", "Open"),
    "voted": ("#e0a100", "Everybody has submitted"),
    "reviewed": ("#4f7cac", "Reviewed"),
    "sealed": ("#2e9e5b", "Sealed"),
}
_MOST = 4000  # rectangles of a map; more make a page slow and tell no more


def of_report(values: dict, theme: Theme = LIGHT) -> list:
    """[(title, SVG text)] of what ``results.judged`` found; empty plots are left out.

    A report of an earlier version, without some of the numbers, gives fewer plots.
    """
    classes = sorted(values.get("classes", []), key=lambda c: c["code"])
    names = [c["name"] for c in classes]
    return [
        *_in_time(values, theme),
        *_calibration(values, theme),
        *_confusions(values.get("gold", []), "known answers", "known", names, theme),
        *_confusions(values.get("course", []), "the consensus", "consensus", names, theme),
        *_states(values, theme),
    ]


def _drawn(title: str, draw, *content, **more) -> tuple:
    return title, draw(title, *content, **more)


def _in_time(values: dict, theme: Theme) -> list:
    found = []
    steps = values.get("agreement_over_time", [])
    if steps:
        shares = [None if t["agreement"] is None else 100 * t["agreement"] for t in steps]
        labels = [f"{t['until'][5:10]}" if i in (0, len(steps) - 1) else "" for i, t in
                  enumerate(steps)]  # fmt: skip
        series = [("pairs", shares)]
        title = "Agreement of pairs over time"
        found.append(_drawn(title, plots.lines, labels, series, " %", 100, theme=theme))
    course = values.get("course", [])
    parts = max((len(c["agreement"]) for c in course), default=0)
    labels = [f"quarter {i + 1}" for i in range(parts)]
    drift = [(c["name"], _percent(c["agreement"])) for c in course]
    if course:
        title = "Agreement with the consensus, by quarters of one's own work"
        found.append(_drawn(title, plots.lines, labels, drift, " %", 100, theme=theme))
    speed = [(c["name"], [s and s / 60 for s in c.get("seconds", [])]) for c in course]
    if any(value for _name, line in speed for value in line):
        title = "Minutes a task, by quarters of one's own work"
        found.append(_drawn(title, plots.lines, labels, speed, theme=theme))
    return found


def _percent(shares) -> list:
    return [None if share is None else 100 * share for share in shares]


def _calibration(values: dict, theme: Theme) -> list:
    known = values.get("calibration") or {}
    bins = [(b["stated"], b["true"], b["pixels"]) for b in known.get("bins", [])]
    if not bins:
        return []
    title = f"Posterior and truth on known answers (error {known['error']:.3f})"
    return [_drawn(title, plots.calibration, bins, theme=theme)]


def _confusions(people, against: str, rows: str, names, theme: Theme) -> list:
    return [
        _drawn(f"{p['name']} against {against}, % of a row", plots.confusion, names,
               p["confusion"], rows, theme=theme)
        for p in people if p.get("confusion") and any(map(sum, p["confusion"]))
    ]  # fmt: skip


def _states(values: dict, theme: Theme) -> list:
    """The tasks where they lie, coloured by state, with what is left to do."""
    boxes = [tuple(box) for box in values.get("map", []) if box[4] in STATES]
    if not boxes or len(boxes) > _MOST:
        return []
    hours = values.get("overview", {}).get("hours_left", 0)
    return [_drawn(f"Tasks by state, about {hours:.1f} h left", plots.places, boxes, STATES,
                   theme=theme)]  # fmt: skip
