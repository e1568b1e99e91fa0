"""The wavelength of a band, as ENVI headers, GDAL and band names write it."""

from __future__ import annotations

import re

_TO_MICROMETRES = {"nm": 1e-3, "nanometers": 1e-3, "nanometer": 1e-3, "nanometres": 1e-3}
_IN_NAME = re.compile(r"([\d.]+)\s*(nanomet\w+|nm|micromet\w+|µm|um)\b", re.IGNORECASE)


def of_band(dataset, index: int) -> tuple:
    """(centre in µm or None, width in µm or None, whether the bad-band list excludes it)."""
    tags = {key.lower(): value for key, value in dataset.tags(index).items()}
    imagery = dataset.tags(index, ns="IMAGERY")
    if "CENTRAL_WAVELENGTH_UM" in imagery:
        width = _number(imagery.get("FWHM_UM", ""))
        return _number(imagery["CENTRAL_WAVELENGTH_UM"]), width, tags.get("bbl") == "0"
    centre, width = _number(tags.get("wavelength", "")), _number(tags.get("fwhm", ""))
    unit = tags.get("wavelength_units", "").lower()
    if centre is None:
        match = _IN_NAME.search(dataset.descriptions[index - 1] or "")
        if match is None:
            return None, None, False
        centre, unit = _number(match.group(1)), match.group(2).lower()
    if centre is None:
        return None, None, False
    # Without a unit, a number above 100 can only be nanometres.
    nanometres = unit in _TO_MICROMETRES or unit.startswith("nano") or (not unit and centre > 100)
    factor = 1e-3 if nanometres else 1.0
    return centre * factor, width * factor if width else None, tags.get("bbl") == "0"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
