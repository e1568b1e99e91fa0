"""The promptable models that come with Concord, in the words of the panel."""

from __future__ import annotations

from ..engine import packages
from ..engine.segment import bundled
from .text import tr


def offered() -> list:
    """[(name in the list, id)], the one that is used first in front.

    One that lacks a package is listed all the same: nobody would learn that there is a network.
    """
    titles = {bundled.NETWORK: tr("Concord prompt"), bundled.REGIONS: tr("Regions (no model)")}
    return [(_title(titles[model], bundled.lacking(model)), model) for model in bundled.offered()]


def _title(title: str, absent: list) -> str:
    if not absent:
        return title
    return tr("{name} (needs {package})").format(name=title, package=", ".join(absent))


def about(model: str) -> str:
    """What a model lacks here and how to get it, else what it is good for; may be empty."""
    absent = bundled.lacking(model)
    return packages.sentence(absent) if absent else _good_for(model)


def problem(model: str) -> str:
    """Why a model cannot answer here, in one sentence, or ''."""
    absent = ", ".join(bundled.lacking(model))
    text = tr("Install {package} first (see above), or choose Regions (no model).")
    return text.format(package=absent) if absent else ""


def _good_for(model: str) -> str:
    return {
        bundled.REGIONS: tr("For what has a plain, sharp edge, such as a pond; needs no model."),
        bundled.NETWORK: tr(
            "For roofs, ponds and fields by a click or a box; a second click corrects."
        ),
    }.get(model, "")
