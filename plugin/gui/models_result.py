"""Models panel: what a run found, in words."""

from __future__ import annotations

from ..bridge.text import tr


def lines(report: dict):
    """What a run found, one thing a line."""
    for entry in report.get("classes", []):
        if "share" in entry:
            yield tr("{name}: {share:.1f} %").format(name=entry["name"], share=100 * entry["share"])
        elif "objects" in entry:
            yield tr("{name}: {n} found").format(name=entry["name"], n=entry["objects"])
    values = report.get("values")
    if values:
        yield tr("{low:.4g} to {high:.4g}, mean {mean:.4g}").format(
            low=values["minimum"], high=values["maximum"], mean=values["mean"]
        )
    level = report.get("level") or {}
    if level.get("name"):
        yield tr("Taken for {level}, {why}").format(level=level["name"], why=level["why"])
    elif level:
        yield tr("Processing level: {why}").format(why=level["why"])
    agreement = report.get("overlap_agreement")
    if agreement is not None:
        yield tr("Where tiles overlap they agree on {share:.1f} %").format(share=100 * agreement)
