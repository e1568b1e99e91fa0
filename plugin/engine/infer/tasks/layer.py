"""How one raster result is written."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layer:
    """Bands of a raster result: number type, names, units, and for classes colours and names."""

    count: int
    dtype: str
    names: list | None = None
    units: list | None = None
    nodata: float | None = None
    colours: dict = field(default_factory=dict)
    categories: dict = field(default_factory=dict)

    def description(self) -> dict:
        """Keywords of ``rasters.Writer``."""
        return {
            "names": self.names,
            "units": self.units,
            "nodata": self.nodata,
            "colours": self.colours or None,
            "categories": self.categories or None,
        }
