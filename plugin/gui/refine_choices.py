"""What the Refine panel offers: engines, and trained models to ask."""

from __future__ import annotations

from pathlib import Path

from ..bridge import settings
from ..bridge.text import tr

ENGINES = (
    ("auto", "Automatic", "Looks for the kind of noise, takes the engine for it and says why."),
    ("potts", "Speckle", "Removes pixels that their neighbours contradict; keeps thin objects."),
    ("shift", "Shifted map", "Moves the map back to where its edges meet the image's."),
    ("guided", "Edges of the image", "Smooths the classes along the edges of the image."),
    ("fused", "Edges and model", "Mixes smoothed classes with a model trained on other blocks."),
    ("confident", "Confident model", "Relabels what a model of the other blocks is sure of."),
    (
        "contradicted",
        "Missing or outdated places",
        "Relabels whole regions that look like another class; leaves borders alone. For objects of "
        "ten pixels across or more.",
    ),
    ("outdated", "Outdated objects", "Relabels objects that no longer look like their class."),
    (
        "felzenszwalb",
        "Free segments (Felzenszwalb)",
        "Classes vote inside segments that follow the edges of the image.",
    ),
    ("slic", "Compact segments (SLIC)", "Classes vote inside even segments of the image."),
    ("watershed", "Watershed segments", "Classes vote inside basins of the image's gradient."),
    ("prompt", "Prompted regions", "Classes vote inside regions a promptable model draws; slow."),
    ("mode", "Mode filter", "Each pixel takes the most frequent class around it; heeds no image."),
)


def models_to_ask() -> list[tuple]:
    """[(title, MODEL, what it is good for)]: a fitting one, none, then every model on offer."""
    offered = [
        (tr("A bundled one that fits"), "auto", tr("Only where it was trained, or not far away")),
        (tr("None"), "none", ""),
    ]
    return offered + [(Path(m).stem, m, settings.about_model(m)) for m in settings.models()]
