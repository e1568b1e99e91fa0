"""Sensor presets as data, product metadata, and recognising which preset a file belongs to."""

from .presets import (
    FOLDER,
    GENERIC,
    Preset,
    PresetBand,
    Quality,
    last_mention,
    plain,
    preset,
    presets,
)
from .product import Product
from .products import product_of, stac_files
from .recognise import Recognised, SceneBand, kept, recognise

__all__ = [
    "FOLDER",
    "GENERIC",
    "Preset",
    "PresetBand",
    "Product",
    "Quality",
    "Recognised",
    "SceneBand",
    "kept",
    "last_mention",
    "plain",
    "preset",
    "presets",
    "product_of",
    "recognise",
    "stac_files",
]
