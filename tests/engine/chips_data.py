"""A small scene for the tests of chips: two dates, radar at 20 m, three classes, a consensus."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

SIDE, CHIP = 256, 32
GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), SIDE, SIDE)
COARSE = Grid("EPSG:32632", (20.0, 0.0, 5e5, 0.0, -20.0, 5e6), SIDE // 2, SIDE // 2)
BANDS = ["blue", "green", "red", "nir"]
CLASSES = {1: "water", 2: "trees", 3: "crops"}


@dataclass(frozen=True)
class Scene:
    """Paths of the rasters and their arrays."""

    first: str
    second: str
    radar: str
    labels: str
    consensus: str
    codes: np.ndarray
    posterior: np.ndarray

    @property
    def imagery(self) -> list:
        return [self.first, self.second, self.radar]


def scene(folder: Path) -> Scene:
    """Write the scene."""
    from scipy import ndimage

    rng = np.random.default_rng(1)
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 6)
    codes = (1 + np.digitize(smooth, np.quantile(smooth, (0.4, 0.7)))).astype(np.uint8)
    codes[:8, :8] = 0
    image = (rng.integers(0, 200, (4, SIDE, SIDE)) + codes * 800 + 1).astype(np.uint16)
    posterior = rng.integers(40, 100, codes.shape).astype(np.uint8)
    paths = [str(folder / f"{name}.tif") for name in
             ("s2_20200101", "s2_20200601", "sar_20200103", "labels", "consensus")]  # fmt: skip
    rasters.write(paths[0], image, GRID, names=BANDS, nodata=0)
    rasters.write(paths[1], image + 50, GRID, names=BANDS, nodata=0)
    radar = rng.normal(-12, 2, (2, SIDE // 2, SIDE // 2)).astype(np.float32)
    rasters.write(
        paths[2], radar, COARSE, names=["vv", "vh"], units=["dB", "dB"], nodata=float("nan")
    )
    rasters.write(paths[3], codes, GRID, nodata=0, categories=CLASSES)
    both = np.stack([codes, posterior])
    rasters.write(paths[4], both, GRID, names=["class", "posterior"], nodata=0)
    return Scene(*paths, codes, posterior)


def wish(**more):
    """A wish for chips of 32 pixels without a buffer."""
    from concord.plugin.engine.chips import export

    return export.ExportWish(**{"size": CHIP, "licence": "CC-BY-4.0", "buffer": 0.0, **more})


def digests(folder: Path) -> dict:
    """{file name: SHA-256} of everything below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip
