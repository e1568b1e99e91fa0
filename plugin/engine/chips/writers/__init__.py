"""Every format in one place: what it is called, how it is written and how it is checked."""

from __future__ import annotations

from ...errors import ConcordError
from . import (
    coco,
    esri,
    eurosat,
    flair,
    ftw,
    landcovernet,
    native,
    netcdf,
    pastis,
    rastervision,
    torchgeo,
    voc,
    yolo,
    zarr,
)
from .base import Format, Sample, Setup

_MODULES = (
    native, coco, yolo, voc, esri, torchgeo, rastervision, zarr, netcdf, eurosat, landcovernet,
    flair, pastis, ftw,
)  # fmt: skip
REGISTRY = {entry.id: entry for module in _MODULES for entry in module.FORMATS}

__all__ = ["REGISTRY", "Format", "Sample", "Setup", "chosen"]


def chosen(names) -> list:
    """The formats of a wish, without repetition.

    Raises:
        ConcordError: a name is not registered.
    """
    found = []
    for name in dict.fromkeys(str(name).strip().lower() for name in names):
        if name not in REGISTRY:
            known = ", ".join(REGISTRY)
            raise ConcordError(f"The format '{name}' is not known; use {known}.")
        found.append(REGISTRY[name])
    return found
