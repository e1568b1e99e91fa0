"""What a user asks of an export, checked before anything is read."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import ConcordError
from . import domains, stac, tables, writers
from .curate import Curate
from .plan import Gate

MASKS = ("instance", "boundary")
_CHOICES = {
    "resolution": ("reference", "native"),
    "dates": ("all", "median"),
    "low": ("keep", "ignore", "weight"),
    "split_by": domains.KINDS,
    "index": ("csv", "parquet"),
    "captions": ("", "draft", "confirmed"),
}


@dataclass(frozen=True)
class ExportWish:
    """How to cut and split; lengths in map units of the labels, None for a default.

    Args:
        size, stride: pixels; stride None for chips that touch.
        shares: train, validate, test; they sum to 1.
        block: side of the blocks that are dealt to the splits.
        buffer: least distance between chips of different splits; None for one chip.
        licence: SPDX id of the exported set.
        date: ISO date of the images; '' to read it from file names.
        height: rows of a chip, None for square chips.
        grid: raster whose grid the labels are brought on by nearest pixel; '' for their own.
        resolution: 'reference', every image on the chips' grid, or 'native', at its own.
        dates: 'all', every date its own image, or 'median', one composite a sensor.
        rotation: degrees that the chips are turned by, anticlockwise; labels by nearest pixel.
        cell_km: spacing of the Major TOM cells put before the ids; 0 for none.
        low, low_below: what becomes of pixels whose posterior is below this share: 'keep',
            'ignore' (255) or 'weight' (a weight band, 0 below it).
        agreement, clear, votes, match: rasters that the gate reads, '' for none; ``match`` is a
            second class raster, such as another annotator's.
        review, stages: polygons with their review stage, and the stages that let a chip pass.
        split_by: 'blocks', 'layer' (``regions``), 'scene' or 'date'.
        objects: class codes whose regions are objects; () for all.
        min_object: least pixels of an object; boundary_width: pixels.
        masks: further rasters of the native format, 'instance' and 'boundary'.
        sources: {input file name: licence or credit}; when given, it names every input.
        annotators, models, rule: provenance; models are files whose hash is kept.
    """

    size: int = 256
    stride: int | None = None
    gate: Gate = Gate()
    shares: tuple = (0.7, 0.15, 0.15)
    block: float | None = None
    buffer: float | None = None
    seed: int = 0
    licence: str = ""
    formats: tuple = ("native",)
    taxonomy: str = ""
    date: str = ""
    height: int | None = None
    grid: str = ""
    resolution: str = "reference"
    dates: str = "all"
    cell_km: float = 0.0
    rotation: float = 0.0
    low: str = "keep"
    low_below: float = 0.0
    agreement: str = ""
    clear: str = ""
    votes: str = ""
    match: str = ""
    review: tuple = ()
    stages: tuple = ("accepted",)
    split_by: str = "blocks"
    regions: tuple = ()
    curate: Curate = Curate()
    objects: tuple = ()
    min_object: int = 1
    boundary_width: int = 1
    masks: tuple = ()
    captions: str = ""
    index: str = "csv"
    sources: dict = field(default_factory=dict)
    annotators: tuple = ()
    models: tuple = ()
    rule: str = ""
    threads: int = 1

    @property
    def rows(self) -> int:
        return self.height or self.size

    def settings(self) -> dict:
        """Every setting that decides the bytes, as plain JSON."""
        values = asdict(self)
        for name in ("threads", "sources", "annotators", "models", "rule", "licence"):
            values.pop(name)
        values["regions"] = sorted({region.value for region in self.regions})
        values["review"] = sorted({region.value for region in self.review})
        for name in ("grid", "agreement", "clear", "votes", "match"):
            values[name] = Path(values[name]).name
        values |= values.pop("gate")
        values["curate"] = values["curate"] if self.curate.is_active else {}
        values["chip_size"] = values.pop("size")
        values["split"] = list(values.pop("shares"))
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def check(wish: ExportWish, imagery, labels, consensus: str | None) -> list:
    """The formats of a wish that can be met.

    Raises:
        ConcordError: the first thing that cannot.
    """
    if not wish.licence.strip():
        raise ConcordError(
            "The licence of the chips is missing; give an SPDX id such as CC-BY-4.0."
        )
    if re.fullmatch(r"[A-Za-z0-9.+-]+", wish.licence) is None:
        raise ConcordError(
            f"'{wish.licence}' is no SPDX id; give one such as CC-BY-4.0, or 'other'."
        )
    if wish.date and stac.date_in(wish.date) != wish.date:
        raise ConcordError(f"The date '{wish.date}' is no day; give it as 2021-06-30.")
    if (wish.block or 0.0) < 0 or (wish.buffer or 0.0) < 0:
        raise ConcordError("BLOCK and BUFFER are lengths; give numbers above 0.")
    if not -180 <= wish.rotation <= 180:
        raise ConcordError(
            f"A ROTATION of {wish.rotation:g} degrees is no turn; give one from -180 to 180."
        )
    formats = writers.chosen(wish.formats)
    for name, allowed in _CHOICES.items():
        if getattr(wish, name) not in allowed:
            options = ", ".join(option for option in allowed if option)
            raise ConcordError(f"'{getattr(wish, name)}' is no choice of {name}; use {options}.")
    unknown = [mask for mask in wish.masks if mask not in MASKS]
    if unknown:
        raise ConcordError(f"The mask '{unknown[0]}' is not known; use {', '.join(MASKS)}.")
    if not imagery:
        raise ConcordError("No image was given; choose at least one raster to cut.")
    if any(entry.id == "landcovernet" for entry in formats) and not consensus:
        raise ConcordError(
            "The LandCoverNet layout holds a consensus score; choose CONSENSUS or another format."
        )
    if wish.index == "parquet":
        tables.require_parquet()
    _check_sources(wish, imagery, labels, consensus)
    return formats


def _check_sources(wish: ExportWish, imagery, labels, consensus) -> None:
    if not wish.sources:
        return
    inputs = [*imagery, labels, *([consensus] if consensus else [])]
    for path in inputs:
        name = Path(str(path)).name
        if not str(wish.sources.get(name) or wish.sources.get(Path(name).stem) or "").strip():
            raise ConcordError(f"The licence of {name} is missing; state it in SOURCES.")
