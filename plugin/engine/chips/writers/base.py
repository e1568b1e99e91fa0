"""What every writer of a format gets: one chip as a sample, and what holds for the whole set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Callable

import numpy as np

from ... import rasters
from ...grid import Grid
from ...taxonomy import IGNORE, NO_DATA, Taxonomy
from .. import objects, png

SPLIT_SHORT = {"train": "train", "validate": "val", "test": "test"}
GREY = (120, 120, 120)


@dataclass(frozen=True)
class Setup:
    """What holds for the whole set; ``dates`` has one a given image, '' where it is not known."""

    scheme: Taxonomy
    grid: Grid
    wish: object
    images: list
    title: str
    dates: list
    bands: dict = field(default_factory=dict)  # image name -> STAC band entries

    @property
    def object_codes(self) -> list:
        """Classes whose regions are objects; all when none was chosen."""
        return list(self.wish.objects) or self.scheme.codes

    @property
    def date(self) -> str:
        return next((d for d in self.dates if d), "")

    @property
    def slug(self) -> str:
        """The set's name as a file name."""
        return re.sub(r"[^0-9A-Za-z]+", "_", self.title).strip("_").lower() or "set"


class Sample:
    """One chip: label (rows, cols) uint8, consensus shares 0-100 or None, cuts of the images."""

    def __init__(self, planned, grid: Grid, label, posterior, weight, cuts: list, setup: Setup):
        self.planned, self.grid, self.label = planned, grid, label
        self.posterior, self.weight, self.cuts, self.setup = posterior, weight, cuts, setup
        self._tiffs: dict = {}

    @property
    def id(self) -> str:
        return self.planned.chip.id

    @property
    def split(self) -> str:
        return self.planned.split

    @property
    def first(self):
        """The cut of the first image that covers the chip."""
        return self.cuts[0]

    def tiff(self, cut) -> bytes:
        """A cut as GeoTIFF, encoded once for all formats."""
        if cut.name not in self._tiffs:
            self._tiffs[cut.name] = cut.image.encode(cut)
        return self._tiffs[cut.name]

    @cached_property
    def label_tiff(self) -> bytes:
        scheme = self.setup.scheme
        return rasters.encode(
            self.label, self.grid, names=["label"], nodata=NO_DATA, categories=scheme.names,
            colours={**scheme.colours, IGNORE: GREY},
        )  # fmt: skip

    def layer(self, array: np.ndarray, name: str, unit: str = "", **more) -> bytes:
        """A further raster on the label's grid as GeoTIFF."""
        return rasters.encode(array, self.grid, names=[name], units=[unit], **more)

    @cached_property
    def picture(self) -> np.ndarray:
        """An 8-bit RGB picture (rows, cols, 3) of the first image with the label's size."""
        picture = self.first.image.picture(self.first)
        rows, cols = self.label.shape
        if picture.shape[:2] == (rows, cols):
            return picture
        ys = ((np.arange(rows) + 0.5) * picture.shape[0] / rows).astype(int)
        xs = ((np.arange(cols) + 0.5) * picture.shape[1] / cols).astype(int)
        return picture[ys][:, xs]

    @cached_property
    def picture_png(self) -> bytes:
        return png.encode(self.picture)

    @cached_property
    def things(self) -> list:
        """The objects of the mask."""
        return objects.things(self.label, self.setup.object_codes, self.setup.wish.min_object)

    @cached_property
    def numbers(self) -> np.ndarray:
        """Object numbers (rows, cols) uint16, 0 outside objects."""
        return objects.numbered(self.things, self.label.shape)

    @cached_property
    def boundary(self) -> np.ndarray:
        """True (rows, cols) on the boundary of objects."""
        return objects.boundary(self.numbers, self.setup.wish.boundary_width)


@dataclass(frozen=True)
class Format:
    """A registered format.

    ``chip(sample) -> ({file name: bytes}, record)``; names are relative to the format's folder and
    the record is plain JSON. ``finish(entries, setup)`` yields (file name, text or pieces of it);
    ``entries()`` gives every chip of the set again. ``check(folder, codes)`` yields
    (kind, file, detail) for everything that is wrong.
    """

    id: str
    title: str
    chip: Callable
    finish: Callable
    check: Callable
    whole: bool = False  # needs to know before cutting which chips hold image data

    @property
    def folder(self) -> str:
        """Where its files lie in the set; the native format is the set's root."""
        return "" if self.id == "native" else f"{self.id}/"


def plain(name: str) -> str:
    """A class name as a folder or file name."""
    return re.sub(r"[^0-9A-Za-z_-]+", "_", name).strip("_") or "class"


def dumps(value) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def json_list(items: Iterable) -> Iterator:
    """A JSON list in pieces, so that a long one never lies in memory."""
    comma = "[\n"
    for item in items:
        yield comma + json.dumps(item, ensure_ascii=False, allow_nan=False)
        comma = ",\n"
    yield "\n]" if comma != "[\n" else "[]"


def own(entries: Callable, name: str, split: str = "") -> Iterator:
    """(entry, record of one format) of every chip, or of those of one split."""
    for entry in entries():
        if name in entry.records and split in ("", entry.split):
            yield entry, entry.records[name]


def raster_problems(path: Path, allowed: set | None = None, name: str = "") -> Iterator:
    """(kind, file, detail) when a raster is missing, cannot be read or holds unknown codes."""
    name = name or path.name
    if not path.is_file():
        yield "files", name, "missing"
        return
    values = rasters.read(path)[0]
    if allowed is not None:
        unknown = sorted(set(np.unique(values).tolist()) - set(allowed))
        if unknown:
            yield "codes", name, f"code {unknown[0]} is not in the taxonomy"
