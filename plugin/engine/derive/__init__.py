"""Derived bands: one code path for display, models and export.

A name asks for one or several bands: an index of the catalogue (``ndvi``, ``evi``, …), ``vv_vh``,
``rvi``, ``vv_lee``, ``vv_refined_lee``, ``slope``, ``aspect``, ``hillshade``, ``tpi_30``,
``roughness_30`` (window in metres), ``ndsm``, ``pca_3``, ``mnf_3`` or ``sharpen_gsa``.
"""

from .base import Derived, Planes
from .plan import compute, halo_of, known_names, plan

__all__ = ["Derived", "Planes", "compute", "halo_of", "known_names", "plan"]
