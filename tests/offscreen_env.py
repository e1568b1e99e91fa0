"""Loaded by pytest before all else: without a display Qt draws offscreen instead of aborting."""

from __future__ import annotations

import os

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# PROJ's and GDAL's own variables would mislead rasterio here; test_proj_data.py sets them itself.
for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA"):
    os.environ.pop(name, None)
