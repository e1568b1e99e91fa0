"""Exporting chips against a bare GDAL loop and TorchGeo's sampler; memory over 10,000 chips."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from .clock import pause

SIDE, CHIP, BANDS = 4096, 256, ("blue", "green", "red", "nir")
ORACLES = Path(__file__).resolve().parents[2] / ".build" / "oracles" / "bin" / "python"
_OPTIONS = ["COMPRESS=DEFLATE", "PREDICTOR=2", "ZLEVEL=6", "INTERLEAVE=BAND", "TILED=YES"]


def _scene(folder: Path, side: int = SIDE) -> tuple:
    """A scene of ``side`` pixels with texture and its class map; (image, labels)."""
    from concord.plugin.engine import grid, rasters

    rng = np.random.default_rng(5)
    place = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), side, side)
    coarse = rng.normal(size=(side // 32, side // 32)).repeat(32, 0).repeat(32, 1)
    labels = (1 + np.digitize(coarse, (-0.5, 0.5))).astype(np.uint8)
    image, codes = str(folder / "scene_20200601.tif"), str(folder / "labels.tif")
    with rasters.Writer(image, place, len(BANDS), "uint16", names=BANDS, nodata=0) as out:
        for row in range(0, side, 512):
            noise = rng.integers(0, 120, (len(BANDS), 512, side))
            part = 400 + 700 * labels[row : row + 512] + noise
            out.write(part.astype(np.uint16), grid.Window(0, row, side, 512))
    rasters.write(codes, labels, place, nodata=0, categories={1: "water", 2: "crops", 3: "trees"})
    return image, codes


def _export(image: str, labels: str, out: Path, size: int = CHIP) -> dict:
    from concord.plugin.engine.chips import export

    wish = export.ExportWish(
        size=size, licence="CC-BY-4.0", buffer=0, shares=(0.7, 0.15, 0.15), block=size * 40.0
    )
    return export.export([image], labels, str(out), wish)


def _bare_loop(image: str, labels: str, out: Path) -> int:
    """The same GeoTIFFs with GDAL's own bindings and nothing else."""
    from osgeo import gdal

    gdal.UseExceptions()
    driver = gdal.GetDriverByName("GTiff")
    sources = [gdal.Open(image), gdal.Open(labels)]
    count = 0
    for row in range(0, SIDE, CHIP):
        for col in range(0, SIDE, CHIP):
            place = out / f"{col}_{row}"
            place.mkdir(parents=True)
            for source, name in zip(sources, ("image.tif", "label.tif")):
                data = source.ReadAsArray(col, row, CHIP, CHIP)
                data = data[None] if data.ndim == 2 else data
                first = source.GetRasterBand(1)
                options = [*_OPTIONS, "BLOCKXSIZE=256", "BLOCKYSIZE=256"]
                chip = driver.Create(
                    str(place / name), CHIP, CHIP, len(data), first.DataType, options
                )
                left, a, b, top, d, e = source.GetGeoTransform()
                chip.SetGeoTransform((left + col * a, a, b, top + row * e, d, e))
                chip.SetProjection(source.GetProjection())
                for index, band in enumerate(data, 1):
                    target = chip.GetRasterBand(index)
                    target.SetNoDataValue(0)
                    target.SetDescription(source.GetRasterBand(index).GetDescription())
                    target.WriteArray(band)
                chip = None
            count += 1
    return count


_TORCHGEO = """
import sys, time, types, json, os
import torch
_lib = torch.library.Library("torchvision", "DEF")
for _op in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    _lib.define(_op)
torch.set_num_threads(1)
import rasterio
from torchgeo.datasets import RasterDataset
from torchgeo.samplers import GridGeoSampler
image, labels, out = sys.argv[1:4]
class Image(RasterDataset):
    filename_glob = os.path.basename(image)
class Mask(RasterDataset):
    filename_glob = os.path.basename(labels)
    is_image = False
both = Image(os.path.dirname(image)) & Mask(os.path.dirname(labels))
started, count = time.perf_counter(), 0
for query in GridGeoSampler(both, size=256, stride=256):
    sample = both[query]
    x, y = query[0], query[1]
    move = rasterio.Affine(10, 0, x.start, 0, -10, y.stop)
    place = os.path.join(out, str(count)); os.makedirs(place)
    for name, data, kind in (("image.tif", sample["image"].numpy().astype("uint16"), 2),
                             ("label.tif", sample["mask"].numpy().astype("uint8"), 2)):
        data = data[None] if data.ndim == 2 else data
        with rasterio.open(os.path.join(place, name), "w", driver="GTiff", width=256, height=256,
                           count=len(data), dtype=data.dtype, crs=both.crs, transform=move,
                           nodata=0, compress="deflate", predictor=2, zlevel=6,
                           interleave="band", tiled=True, blockxsize=256, blockysize=256) as dst:
            dst.write(data)
    count += 1
print(json.dumps([count, time.perf_counter() - started]))
"""


def _torchgeo(image: str, labels: str, out: Path) -> float | None:
    """Chips a second of GridGeoSampler and write, in the oracles' own Python; None without it."""
    if not ORACLES.exists():
        return None
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(ORACLES), "-c", _TORCHGEO, image, labels, str(out)],
        capture_output=True, text=True, env=clean, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stderr[-400:])
        return None
    count, seconds = json.loads(done.stdout.splitlines()[-1])
    return count / seconds


def bench_export_against_gdal_and_torchgeo(folder: Path) -> dict:
    """256 chips of 256 pixels, 4 bands of 16 bit and a mask, one thread each."""
    with pause():
        image, labels = _scene(folder)
        speeds = {"concord": [], "gdal": []}
        for number in range(3):  # in turns, so that a busy moment hits both
            start = time.perf_counter()
            report = _export(image, labels, folder / f"concord{number}")
            speeds["concord"].append(report["chips"] / (time.perf_counter() - start))
            start = time.perf_counter()
            count = _bare_loop(image, labels, folder / f"gdal{number}")
            speeds["gdal"].append(count / (time.perf_counter() - start))
        best = {name: max(values) for name, values in speeds.items()}
        torchgeo = _torchgeo(image, labels, folder / "torchgeo")
    figures = {
        "chips": report["chips"],
        "concord_chips_s": round(best["concord"], 1),
        "gdal_chips_s": round(best["gdal"], 1),
        "of_gdal": round(best["concord"] / best["gdal"], 2),
    }
    if torchgeo:
        figures["torchgeo_chips_s"] = round(torchgeo, 1)
        figures["of_torchgeo"] = round(best["concord"] / torchgeo, 2)
    return figures


def bench_memory_of_1000_chips(folder: Path) -> dict:
    """1,024 chips of 64 pixels out of a scene of 2048 x 2048; peak_mb is the figure."""
    with pause():
        image, labels = _scene(folder, 2048)
    return {"chips": _export(image, labels, folder / "set", 64)["chips"]}


def bench_memory_of_10000_chips(folder: Path) -> dict:
    """10,000 chips of 64 pixels out of a scene of 6400 x 6400; peak_mb should stay the same."""
    with pause():
        image, labels = _scene(folder, 6656)
    return {"chips": _export(image, labels, folder / "set", 64)["chips"]}
