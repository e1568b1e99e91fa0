"""Where refinement engines are registered, each with a sentence for the user."""

from __future__ import annotations

from pathlib import Path

from .. import packages
from ..errors import ConcordError

DESCRIPTIONS = {
    "auto": "Estimates the kind of noise, takes the engine that repairs it and says why.",
    "mode": "Majority of the 7 by 7 neighbours: removes speckle, does not look at the image.",
    "potts": "Weighs each pixel against its neighbours: removes speckle, keeps thin objects.",
    "slic": "Majority inside compact superpixels of the image.",
    "felzenszwalb": "Majority inside segments that follow edges of the image.",
    "watershed": "Majority inside watershed basins of the image's gradient.",
    "prompt": "Majority inside regions that a promptable model draws (SAModified); slow.",
    "guided": "Smooths the classes along the edges of the image.",
    "shift": "Moves the map back to where its edges meet the image's.",
    "confident": "Relabels pixels that a model trained on other blocks is sure of.",
    "fused": "Classes smoothed along edges, mixed with a model trained on other blocks.",
    "contradicted": "Relabels whole regions that the image contradicts: left out or out of date.",
    "outdated": "Relabels whole objects that no longer look like their class on the image.",
}
LEARNS = ("confident", "contradicted", "fused")  # these need scikit-learn


def engine_of(
    name: str, metres: float, scale: float | None = None, folder: Path | None = None,
    examples=None, network=None,
):  # fmt: skip
    """The engine called ``name`` for pixels of ``metres``.

    Args:
        scale: Felzenszwalb's scale; None for one that suits the pixel size.
        folder: where engines that cut regions keep them; None for memory.
        examples: a Source of labels known to be right, for `auto`.
        network: a ``Network`` that `auto` may ask.

    Raises:
        ConcordError: an unknown name, or scikit-learn is missing where it is needed.
    """
    if name not in DESCRIPTIONS:
        raise ConcordError(
            f"The engine '{name}' is not known; use {', '.join(sorted(DESCRIPTIONS))}."
        )
    if (name in LEARNS or examples is not None) and packages.missing("sklearn"):
        raise ConcordError(packages.sentence(["sklearn"]))
    if examples is not None and name != "auto":
        raise ConcordError(f"The engine {name} cannot learn from examples; use auto.")
    if name in ("slic", "felzenszwalb", "watershed", "auto"):
        from .segments import SegmentEngine, default_scale

        if name == "auto":
            from .auto import AutoEngine

            # A model's answer wants smaller segments than a vote of the map's own classes.
            return AutoEngine(examples, scale or default_scale(metres) / 2, folder, network)
        return SegmentEngine(name, scale or default_scale(metres), folder)
    return _others(name, folder)


def _others(name: str, folder):
    if name == "mode":
        from .mode import ModeEngine

        return ModeEngine()
    if name == "potts":
        from .potts import PottsEngine

        return PottsEngine()
    if name == "prompt":
        from .prompt import PromptEngine

        return PromptEngine(folder=folder)
    if name == "guided":
        from .guided import GuidedEngine

        return GuidedEngine()
    if name == "shift":
        from .shifted import ShiftEngine

        return ShiftEngine()
    if name == "confident":
        from .confident import ConfidentEngine

        return ConfidentEngine()
    if name == "fused":
        from .fused import FusedEngine

        return FusedEngine()
    if name == "contradicted":
        from .contradicted import ContradictedEngine

        return ContradictedEngine(folder=folder)
    from .outdated import OutdatedEngine

    return OutdatedEngine(folder)
