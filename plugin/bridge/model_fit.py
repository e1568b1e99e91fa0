"""Whether a model fits an image, as far as headers tell; reads no pixels, so lists can ask."""

from __future__ import annotations

import functools
import os

from qgis.core import QgsRasterLayer

from ..engine.errors import ConcordError
from . import settings


def file_of(layer: QgsRasterLayer | None) -> str:
    """The file of an image; empty for none, or for one that is not in a file."""
    return layer.source() if layer is not None and layer.providerType() == "gdal" else ""


def against(model: str, image: str) -> str | None:
    """Why a model would be refused for an image, '' where its header says nothing against it.

    None where that cannot be told: no such file, or a model without a whole card.
    """
    if not os.path.isfile(image):
        return None
    seen, card = _header(image, os.path.getmtime(image)), settings.card_of(model)
    if seen is None or card is None or card.missing or not card.kind:
        return None
    from ..engine.infer import fit

    found = fit.against(card, *seen)
    return f"{found.what.lower()} {found.detail}" if found else ""


@functools.lru_cache(maxsize=64)
def _header(path: str, _changed: float) -> tuple | None:
    """({band: unit}, metres a pixel) of a file; None when it is no scene."""
    try:
        from ..engine import rasters, sensors  # heavy: not while the plugin loads

        info = rasters.require_crs(rasters.info(path))
        units = {band.name: band.unit for band in sensors.recognise(info).bands}
        return units, rasters.metres_per_pixel(info.grid)
    except (ConcordError, ImportError):  # rasterio may be missing
        return None


def promptable(model: str) -> bool:
    """Whether a file is half of a promptable model, which the Annotate panel takes."""
    card = settings.card_of(model)
    incomplete = card is not None and bool(card.missing)
    return incomplete and _promptable(model, os.path.getmtime(model))


@functools.lru_cache(maxsize=256)
def _promptable(model: str, _changed: float) -> bool:
    from ..engine.infer import promptable

    return promptable.is_half(model)
