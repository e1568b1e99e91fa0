"""Where refinement engines are registered, each with a sentence for the user."""

from __future__ import annotations

from ..errors import ConcordError

DESCRIPTIONS = {
    "mode": "Majority of the 7 by 7 neighbours: removes speckle, does not look at the image.",
    "slic": "Majority inside compact superpixels of the image.",
    "felzenszwalb": "Majority inside segments that follow edges of the image.",
    "watershed": "Majority inside watershed basins of the image's gradient.",
}


def engine_of(name: str, metres: float, scale: float | None = None):
    """The engine called ``name`` for pixels of ``metres``.

    Args:
        scale: Felzenszwalb's scale; None for one that suits the pixel size.
    """
    if name not in DESCRIPTIONS:
        raise ConcordError(
            f"The engine '{name}' is not known; use {', '.join(sorted(DESCRIPTIONS))}."
        )
    if name == "mode":
        from .mode import ModeEngine

        return ModeEngine()
    from .segments import SegmentEngine, default_scale

    return SegmentEngine(name, scale or default_scale(metres))
