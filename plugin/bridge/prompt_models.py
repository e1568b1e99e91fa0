"""The promptable models that come with Concord, in the words of the panel."""

from __future__ import annotations

from ..engine.segment import bundled
from .text import tr


def offered() -> list:
    """[(name in the list, id)], the one that is used first in front."""
    titles = {bundled.NETWORK: tr("Concord prompt"), bundled.REGIONS: tr("Regions (no model)")}
    return [(titles[model], model) for model in bundled.offered()]


def good_for(model: str) -> str:
    """One line on what a model of the list is for; empty for the user's own."""
    return {
        bundled.REGIONS: tr("For what has a plain, sharp edge, such as a pond; needs no model."),
        bundled.NETWORK: tr(
            "For roofs, ponds and fields by a click or a box; a second click corrects."
        ),
    }.get(model, "")
