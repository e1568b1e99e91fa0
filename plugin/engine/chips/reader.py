"""What is known about a chip before anything is written: label, consensus, clear share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import rasters
from ..errors import ConcordError
from ..grid import Grid
from ..labels import ClassRaster
from ..taxonomy import IGNORE, NO_DATA
from . import objects, plan, shares


class LabelReader:
    """Labels with everything that judges them, by windows of the label grid.

    Args:
        stack: an ExitStack that closes the rasters.
        labels: a class raster's path, or an object with ``grid``, ``read`` and ``taxonomy``.
        wish: an ``ExportWish``.
    """

    def __init__(self, stack, labels, consensus: str | None, wish):
        self.wish = wish
        if isinstance(labels, (str, Path)):
            target = rasters.info(wish.grid).grid if wish.grid else None
            if target is not None and not target.crs:
                rasters.require_crs(rasters.info(wish.grid))
            if wish.rotation:
                target = plan.turned(target or rasters.info(labels).grid, wish.rotation)
            self.mask = stack.enter_context(ClassRaster(labels, target))
        elif wish.rotation:
            raise ConcordError(
                "Chips around points cannot be turned; set ROTATION to 0 or give a class raster."
            )
        else:
            self.mask = labels
        self.grid: Grid = self.mask.grid
        plan.require_straight(self.grid, wish.formats)
        self._posterior = shares.posterior(stack, consensus, self.mask)
        self._agreement = shares.agreement(stack, wish.agreement, self.grid)
        self._clear = shares.band(stack, wish.clear, self.grid)
        self._votes = shares.band(stack, wish.votes, self.grid)
        self._match = None
        if wish.match:
            self._match = stack.enter_context(ClassRaster(wish.match, self.grid))
        gate = wish.gate
        for needed, raster, title, name in (
            (gate.min_agreement, self._agreement, "least agreement", "AGREEMENT"),
            (gate.min_clear, self._clear, "least clear share", "CLEAR"),
            (gate.min_annotators, self._votes, "least number of annotators", "VOTES"),
            (gate.min_match, self._match, "least object match score", "MATCH"),
        ):
            if needed and raster is None:
                raise ConcordError(
                    f"The {title} needs the raster {name}; choose it or set it to 0."
                )
        if wish.low != "keep" and self._posterior is None:
            raise ConcordError(
                "Unsure pixels can only be left out or weighted with a consensus raster; choose "
                "CONSENSUS or keep them."
            )

    @property
    def has_posterior(self) -> bool:
        return self._posterior is not None

    def read(self, window) -> tuple:
        """(label, posterior or None, weight or None) of a window, unsure pixels as wished."""
        label = self.mask.read(window)
        posterior = self._posterior(window) if self._posterior is not None else None
        weight = None
        if self.wish.low != "keep":
            used = (label != NO_DATA) & (label != IGNORE)
            unsure = used & (posterior < round(self.wish.low_below * 100))
            if self.wish.low == "ignore":
                label = np.where(unsure, IGNORE, label).astype(np.uint8)
            else:
                weight = np.where(used & ~unsure, posterior, 0).astype(np.uint8)
        return label, posterior, weight

    def content(self, window) -> plan.Content:
        """What a chip holds, for the gate."""
        label, posterior, _ = self.read(window)
        more = {}
        if self._agreement is None and self._votes is None and self._match is None:
            used = np.zeros(0, bool)  # nobody asks for it
        else:
            used = (label != NO_DATA) & (label != IGNORE)
        if self._agreement is not None and used.any():
            more["agreement"] = float(self._agreement(window)[used].mean() / 100.0)
        if self._clear is not None:
            more["clear"] = float((self._clear(window) > 0).mean())
        if self._votes is not None and used.any():
            more["annotators"] = float(np.median(self._votes(window)[used]))
        if self._match is not None:
            other = self._match.read(window)
            codes = self.wish.objects or sorted(set(np.unique(label[used]).tolist()))
            more["match"] = objects.match_score(label, other, codes)
        return plan.content_of(label, posterior, **more)
