"""The aligned stack of a Sentinel-2 tile and indices over it: build time, read speed, memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from .clock import pause

SIDE, ORIGIN = 10980, (300000.0, 5100000.0)
TEN = ("B02", "B03", "B04", "B08")
TWENTY = ("B05", "B06", "B07", "B8A", "B11", "B12")
SIXTY = ("B01", "B09")


def _tile(folder: Path) -> Path:
    """A tile's product folder, made in a process of its own whose memory does not count."""
    product = folder / "S2A_MSIL2A_20210601T100031_N0300_R122_T32TQM_20210601T130000"
    code = f"from tests.bench.bench_scene import _make; _make({str(product)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return product


def _make(place: str) -> None:
    """Twelve bands of a tile at 10, 20 and 60 m, of noise that repeats."""
    import rasterio

    product = Path(place)
    product.mkdir()
    random = np.random.default_rng(1)
    for names, size in ((TEN, 10), (TWENTY, 20), (SIXTY, 60)):
        side = SIDE * 10 // size
        part = random.integers(100, 4000, (512, 512), dtype=np.uint16)
        plane = np.tile(part, (side // 512 + 1, side // 512 + 1))[:side, :side]
        for name in names:
            with rasterio.open(
                product / f"{name}.tif",
                "w",
                driver="GTiff",
                width=side,
                height=side,
                count=1,
                dtype="uint16",
                crs="EPSG:32632",
                transform=rasterio.Affine(size, 0, ORIGIN[0], 0, -size, ORIGIN[1]),
                tiled=True,
                blockxsize=512,
                blockysize=512,
            ) as out:
                out.write(plane, 1)


def _strips(path: str, rows: int, indexes) -> tuple:
    """(seconds, sum of a corner) of reading the first ``rows`` rows in blocks of 512 x 2048."""
    from osgeo import gdal

    gdal.UseExceptions()
    gdal.SetCacheMax(256 << 20)
    dataset = gdal.Open(path)
    start, total = time.process_time(), 0.0  # of this process alone, other work does not count
    for row in range(0, rows, 512):
        for col in range(0, SIDE, 2048):
            width, height = min(2048, SIDE - col), min(512, rows - row)
            for index in indexes:
                block = dataset.GetRasterBand(index).ReadAsArray(col, row, width, height)
                total += float(block[0, 0])
    seconds = time.process_time() - start
    dataset = None
    return seconds, total


def bench_scene_stack(folder: Path) -> dict:
    """Build the 12-band VRT (< 2 s) and read it beside a gdal.Warp VRT of the same bands (0.8)."""
    from osgeo import gdal

    from concord.plugin.engine import load

    gdal.UseExceptions()
    with pause():
        product = _tile(folder)
    target = str(folder / "stack.vrt")
    start = time.perf_counter()
    load.load_scene([str(product)], target, check_shift=False)
    build = time.perf_counter() - start
    with pause():
        plain = _plain(product, folder)
        rows = 1024
        indexes = range(1, 13)
        times = {"own": [], "plain": []}
        for _ in range(3):
            times["plain"].append(_strips(plain, rows, indexes)[0])
            times["own"].append(_strips(target, rows, indexes)[0])
    own, other = min(times["own"]), min(times["plain"])
    speed = 12 * rows * SIDE / own / 1e6
    return {
        "build_s": round(build, 3),
        "build_limit_s": 2.0,
        "read_ratio": round(other / own, 3),
        "read_ratio_wanted": 0.8,
        "read_mpx_s": round(speed, 1),
    }


def _plain(product: Path, folder: Path) -> str:
    """What gdal.Warp makes of the same bands: one VRT a band, bilinear, stacked."""
    from osgeo import gdal

    bounds = (ORIGIN[0], ORIGIN[1] - SIDE * 10, ORIGIN[0] + SIDE * 10, ORIGIN[1])
    parts = []
    for path in sorted(product.glob("*.tif")):
        part = str(folder / f"{path.stem}.vrt")
        gdal.Warp(
            part,
            str(path),
            format="VRT",
            outputBounds=bounds,
            xRes=10,
            yRes=10,
            resampleAlg="bilinear",
            outputType=gdal.GDT_Float32,
            srcNodata=0,
            dstNodata=float("nan"),
        )
        parts.append(part)
    target = str(folder / "plain.vrt")
    gdal.BuildVRT(target, parts, separate=True)
    return target


def bench_scene_index(folder: Path) -> dict:
    """Write a full-scene NDVI beside a virtual stack: memory must stay under 500 MB."""
    import resource

    from concord.plugin.engine import load

    with pause():
        product = _tile(folder)
    start = time.perf_counter()
    load.load_scene(
        [str(product / f"{name}.tif") for name in ("B04", "B08")],
        str(folder / "index.vrt"),
        derived=["ndvi"],
        check_shift=False,
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "write_mpx_s": round(SIDE * SIDE / seconds / 1e6, 1),
        "peak_limit_mb": 500,
        "within": peak < 500,
    }


def bench_scene_formula(_folder: Path) -> dict:
    """EVI over 100 Mpx in windows, by the whitelisted parser and as numpy: ratio 0.7 wanted."""
    from concord.plugin.engine.derive import catalogue, formulas

    formula = catalogue.entries()["evi"][1]["formula"]
    constants = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0}
    random = np.random.default_rng(2)
    near, red, blue = (random.random((1024, 1024), dtype=np.float32) for _ in range(3))
    rounds = 96
    times = {"own": [], "numpy": []}
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(rounds):
            2.5 * (near - red) / (near + 6.0 * red - 7.5 * blue + 1.0)
        times["numpy"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(rounds):
            formulas.evaluate(formula, {"N": near, "R": red, "B": blue, **constants})
        times["own"].append(time.perf_counter() - start)
    ratio = min(times["numpy"]) / min(times["own"])
    return {
        "formula_ratio": round(ratio, 3),
        "formula_ratio_wanted": 0.7,
        "mpx_s": round(rounds * near.size / min(times["own"]) / 1e6, 1),
    }
