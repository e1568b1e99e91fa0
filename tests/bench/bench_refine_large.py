"""Refinement of a map of 10,980 x 10,980 pixels: time and, in `peak_mb`, memory."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from .clock import pause
from .refine_scenes import chesapeake

SIDE = 10980
_PIECE = 1024  # pixels along a side of what is laid side by side


def _checks() -> tuple:
    """(bands (4, 1024, 1024) uint8, classes): noise in blocks, an easy picture."""
    values = np.random.default_rng(0).integers(40, 200, (4, 64, 64))
    piece = np.repeat(np.repeat(values, 16, 1), 16, 2).astype(np.uint8)
    return piece, (piece[0] % 8 + 1).astype(np.uint8)


def _aerial() -> tuple:
    """(bands (4, 1024, 1024) uint8, classes): the eight NAIP chips and their 1 m map, mirrored."""
    chips = chesapeake()
    planes = [np.concatenate([bands, cover[None]]) for bands, _, cover in chips]
    half = np.concatenate([np.concatenate(planes[:4], 2), np.concatenate(planes[4:], 2)], 1)
    piece = np.concatenate([half, half[:, ::-1]], 1).astype(np.uint8)
    return piece[:4], piece[4]


def _laid(folder: Path, piece: np.ndarray, codes: np.ndarray) -> tuple:
    from concord.plugin.engine import rasters
    from concord.plugin.engine.grid import Grid

    place = Grid("EPSG:32618", (1.0, 0.0, 5e5, 0.0, -1.0, 5e6), SIDE, SIDE)
    image, labels = str(folder / "image.tif"), str(folder / "map.tif")
    described = {"names": ["red", "green", "blue", "nir"], "units": ["DN"] * 4}
    with rasters.Writer(image, place, 4, "uint8", **described) as writer:
        for tile in place.tiles(_PIECE):
            writer.write(piece[:, : tile.core.height, : tile.core.width], tile.core)
    with rasters.Writer(labels, place, 1, "uint8", nodata=0) as writer:
        for tile in place.tiles(_PIECE):
            writer.write(codes[: tile.core.height, : tile.core.width], tile.core)
    return image, labels


def _refined(folder: Path, drawn, engine: str) -> dict:
    from concord.plugin.engine.refine import run

    with pause():
        image, labels = _laid(folder, *drawn())
    start = time.process_time()
    values, _, proposals = run.refine([image], labels, str(folder / "out.tif"), engine=engine)
    return {
        "megapixels": round(values["pixels"] / 1e6, 1),
        "processor_seconds_per_mpx": round((time.process_time() - start) / (SIDE / 1e3) ** 2, 3),
        "proposals": len(proposals),
        "settings": values["settings"],
    }


def bench_whole_tile_guided(folder: Path) -> dict:
    """`guided`, 4 bands and 8 classes."""
    return _refined(folder, _checks, "guided")


def bench_whole_tile_auto(folder: Path) -> dict:
    """`auto` on real pictures and a clean map: it looks for regions the image contradicts."""
    return _refined(folder, _aerial, "auto")


def bench_whole_tile_fused(folder: Path) -> dict:
    """`fused`, the engine that `auto` takes most, on the same pictures."""
    return _refined(folder, _aerial, "fused")
