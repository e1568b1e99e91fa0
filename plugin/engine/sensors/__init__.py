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
from .recognise import SENSORS, Recognised, SceneBand, recognise

__all__ = [
    "FOLDER",
    "GENERIC",
    "SENSORS",
    "Preset",
    "PresetBand",
    "Product",
    "Quality",
    "Recognised",
    "SceneBand",
    "last_mention",
    "plain",
    "preset",
    "presets",
    "product_of",
    "recognise",
    "stac_files",
]
