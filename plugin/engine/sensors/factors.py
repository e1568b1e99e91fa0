"""Scale, offset, unit and formula of each band: the file's own, the product's, or the preset's."""

from __future__ import annotations

import re
from pathlib import Path

from .presets import Preset, PresetBand
from .product import Product


class Factors:
    """Scale and offset of each band: the file's own, the product's, or the preset's."""

    def __init__(self, info, chosen: Preset, product: Product | None):
        self.chosen, self.product, self.notes = chosen, product, []
        self.unit = ""  # what the values are when they cannot be what the preset says
        self.name = Path(info.path).name
        self.baseline, self.told = _baseline(info.path, product)
        for note in product.notes if product is not None else ():
            self._say(note)

    def of(self, own, band: PresetBand) -> tuple:
        """(scale, offset, doubtful) of one band."""
        chosen = self.chosen
        if (own.scale, own.offset) != (1.0, 0.0):  # the file's own scale wins
            return own.scale, own.offset, False
        if own.dtype.startswith("float") and chosen.unit == "reflectance":
            self._say(f"{self.name}: float values are taken as reflectance 0-1")
            return 1.0, 0.0, False
        if chosen.baseline_offset:
            return self._sentinel2(own, band)
        if own.dtype == "uint8" and band.unit is None and chosen.unit == "reflectance":
            return self._eight_bit()
        told = self._of_product(band, "scales")
        scale = band.scale if band.scale is not None else chosen.scale
        offset = band.offset if band.offset is not None else chosen.offset
        return (*(told or (scale, offset)), False)

    def _eight_bit(self) -> tuple:
        """A product of 16 bits stretched to 8 for looking at: its scale is lost."""
        self.unit = "DN"
        self._say(f"{self.name}: 8-bit values are no reflectance, used as DN")
        return 1.0, 0.0, False

    def unit_of(self, own, band: PresetBand) -> str:
        """The unit of the values that ``of`` leads to."""
        told = "" if own.dtype.startswith("float") else self._of_product(band, "units")
        return self.unit or told or own.unit or band.unit or self.chosen.unit

    def formula_of(self, own, band: PresetBand) -> str:
        """What is computed of the scaled values; float files hold the result already."""
        if own.dtype.startswith("float"):
            return ""
        return self._of_product(band, "formulas") or self.chosen.formula

    def _of_product(self, band: PresetBand, what: str):
        """The product's scale, unit or formula of a band; None where it says nothing."""
        if self.product is None:
            return None
        known = getattr(self.product, what)
        return next((known[a] for a in (band.name, *band.aliases) if a in known), None)

    def _sentinel2(self, own, band: PresetBand) -> tuple:
        """The baseline 04.00 offset, once: never on copies that have it undone already."""
        if own.dtype == "uint8":
            return self._eight_bit()
        chosen, product = self.chosen, self.product
        if product is not None and product.corrected:
            self._say(f"{product.title}: the baseline offset was undone before, none is applied")
            return chosen.scale, 0.0, False
        if product is not None and product.scales:
            aliases = (band.name, *(a.replace("B0", "B") for a in band.aliases), "")
            told = next((product.scales[a] for a in aliases if a in product.scales), None)
            if told is not None:
                if told[1]:
                    self._say(
                        f"{product.title}: offset {told[1] / told[0]:.0f} applied to the digital "
                        "numbers"
                    )
                return (*told, False)
        if self.baseline >= 400:
            self._say(
                f"baseline {self.baseline:04d} by {self.told}: offset -1000 applied to the "
                "digital numbers"
            )
            return chosen.scale, chosen.baseline_offset, True
        return chosen.scale, 0.0, False

    def _say(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _baseline(path: str, product: Product | None) -> tuple:
    """(processing baseline as 400 for 04.00 or 0, who says so); 9999 is a reprocessing of old."""
    if product is not None and product.baseline:
        digits = re.sub(r"\D", "", product.baseline)
        if len(digits) == 4 and digits != "9999":
            return int(digits), product.title
    match = re.search(r"_N(\d{4})_", str(path))
    if match is None or match.group(1) == "9999":
        return 0, ""
    return int(match.group(1)), "the product's name"
