"""What becomes of a graph's outputs: one adapter a file, all of them listed here.

Three families share one runner. *Dense* adapters give planes for every pixel, which are cropped
or blended; *object* adapters give outlines, which are merged over tiles; *chip* adapters give one
answer for a whole tile.
"""

from __future__ import annotations

import importlib

# kind of a card (card.KINDS) -> module here and its class
_ADAPTERS = {
    "classes": ("classes", "Classes"),
    "multilabel": ("multilabel", "MultiLabel"),
    "regression": ("regression", "Regression"),
    "superresolution": ("superresolution", "SuperResolution"),
    "boxes": ("boxes", "Boxes"),
    "instances": ("instances", "Instances"),
    "chips": ("chips", "ChipClasses"),
    "embeddings": ("chips", "Embeddings"),
}


def adapter(model, unsure: bool = False):
    """The adapter of a model's task; the card's ``kind`` must be known."""
    module, name = _ADAPTERS[model.card.kind]
    return getattr(importlib.import_module(f".{module}", __name__), name)(model, unsure)
