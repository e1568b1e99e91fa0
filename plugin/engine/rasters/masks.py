"""Which band of a file says where its data are."""

from __future__ import annotations

from rasterio.enums import MaskFlags

SHARED = "mask,1"  # GDAL's name of the mask that a file's bands share


def band_of(dataset, bands) -> str:
    """GDAL's name of the band that hides pixels of an open dataset: ``mask,1``, or an alpha band.

    '' when the file has neither. An alpha band is asked itself: a nodata value would hide it.
    """
    alpha = next((band.index for band in bands if band.is_alpha), None)
    flags = dataset.mask_flag_enums[0]
    if alpha and (MaskFlags.alpha in flags or MaskFlags.per_dataset not in flags):
        return str(alpha)
    return SHARED if MaskFlags.per_dataset in flags else ""
