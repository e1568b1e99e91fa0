"""Halves of a promptable model, which are no models to run on an extent."""

from __future__ import annotations

from ..errors import ConcordError
from ..segment import pair
from ..segment.skim import skim


def is_half(path: str) -> bool:
    """Whether a file is the encoder or the decoder of a pair that answers clicks and boxes."""
    try:
        graph = skim(path)
    except ConcordError:  # no model at all; opening it says so
        return False
    if any(name.endswith("point_coords") for name in graph.inputs):
        return True
    try:
        return pair.find(path) is not None
    except ConcordError:  # an encoder without its decoder may be a model of embeddings
        return False


def refuse(model) -> None:
    """Refuse a half whose card lacks what a run needs; to complete that would not help."""
    if model.card.missing and is_half(str(model.path)):
        raise ConcordError(
            f"{model.path.name} answers clicks and boxes; use it in the Annotate panel, or with "
            "concord:segmentprompts."
        )
