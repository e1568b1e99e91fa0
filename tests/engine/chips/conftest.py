"""Chip sets to look at and to harm."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips.export import ExportWish, export
from concord.plugin.engine.grid import Grid


@pytest.fixture(scope="session")
def albers():
    """A CRS without an EPSG code, as NOAA's C-CAP maps have it."""
    return "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-95 +datum=NAD83 +units=m"


def build(root, name, side=64, grid=None, labels=None, score=None, images=None, **wish):
    """(folder, report) of a set over a random map and image below ``root``."""
    rng, given = np.random.default_rng(5), root / f"{name}-in"
    if labels is None:
        labels = rng.integers(1, 4, (side, side)).astype(np.uint8)
    rows, cols = labels.shape
    grid = grid or Grid("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0), cols, rows)
    mask = str(given / "map.tif")
    rasters.write(mask, labels, grid, categories={1: "a", 2: "b", 3: "c"})
    if images is None:
        pixels = rng.integers(1, 4000, (2, rows, cols)).astype(np.uint16)
        images = [str(given / "S2A_20210630.tif")]
        rasters.write(images[0], pixels, grid, names=["B04", "B08"])
    consensus = None
    if score is not None:
        consensus = str(given / "c.tif")
        planes = np.stack([labels, score]).astype(np.uint8)
        rasters.write(consensus, planes, grid, names=["class", "posterior"])
    asked = {"size": 16, "licence": "CC-BY-4.0", "buffer": 0.0, "block": 160.0, **wish}
    return root / name, export(images, mask, str(root / name), ExportWish(**asked), consensus)


@pytest.fixture
def make_set(tmp_path):
    """make_set(name, ...) -> what ``build`` gives, in this test's folder."""
    return lambda name="chips", **more: build(tmp_path, name, **more)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    root = tmp_path_factory.mktemp("pristine")
    wish = {"shares": (0.5, 0.25, 0.25), "block": 320.0, "buffer": 80.0}
    return build(root, "chips", side=112, **wish)[0]


@pytest.fixture
def chip_set(pristine, tmp_path):
    """A copy of one set, to be harmed."""
    return Path(shutil.copytree(pristine, tmp_path / "chips"))
