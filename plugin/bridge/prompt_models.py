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
        bundled.REGIONS: tr(
            "For one click on what has a plain, sharp edge: ponds, even fields, plain roofs."
        ),
        bundled.NETWORK: tr(
            "For boxes round roofs, and for outlines that you correct with several clicks."
        ),
    }.get(model, "")
