"""Whether a model fits a layer, as far as headers tell; reads no pixels, so lists can ask."""

from __future__ import annotations

import functools
import os

from qgis.core import QgsRasterLayer

from ..engine.errors import ConcordError
from . import settings


def against(model: str, layer: QgsRasterLayer | None) -> str | None:
    """Why a model would be refused for an image, '' where its header says nothing against it.

    None where that cannot be told: no image or none in a file, or a model without a whole card.
    """
    if layer is None or layer.providerType() != "gdal" or not os.path.isfile(layer.source()):
        return None
    seen, card = _header(layer.source(), os.path.getmtime(layer.source())), settings.card_of(model)
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
