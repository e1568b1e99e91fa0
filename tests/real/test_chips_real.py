"""Chips of real Sentinel-1 and -2 with a hand label, opened by other people's readers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import audit, check, export, plan, reading, split

CHIP = 32


@pytest.fixture(scope="module")
def water(real_data, tmp_path_factory):
    """Sentinel-1 and -2 of a Spanish reservoir with its hand label as class codes."""
    folder, place = real_data / "sen1floods-es", tmp_path_factory.mktemp("water")
    source = folder / "Labels" / "Spain_7370579_LabelHand.tif"
    codes = (rasters.read(source)[0].astype(int) + 1).astype(np.uint8)
    rasters.write(place / "hand.tif", codes, rasters.info(source).grid, nodata=0,
                  categories={1: "not water", 2: "water"})  # fmt: skip
    images = [str(folder / part / f"Spain_7370579_{part}Hand.tif") for part in ("S2", "S1")]
    return images, str(place / "hand.tif"), place


@pytest.fixture(scope="module")
def chips(water):
    images, labels, place = water
    wish = export.ExportWish(
        size=CHIP, licence="CC-BY-4.0", date="2019-09-17", taxonomy="water2",
        formats=("native", "coco", "torchgeo", "zarr"), gate=plan.Gate(min_labelled=0.5),
    )  # fmt: skip
    report = export.export(images, labels, str(place / "set"), wish)
    return place / "set", report


def test_pixels_codes_and_places_are_those_of_the_sources(chips, water):
    root, report = chips
    images, labels, _ = water
    assert report["chips"] > 50 and all(e["chips"] for e in report["splits"])
    grid = rasters.info(labels).grid
    for folder in sorted((root / "chips").iterdir())[::7]:
        info = rasters.info(folder / "label.tif")
        window = grid.window_of(info.grid.bounds)
        assert np.array_equal(rasters.read(folder / "label.tif"),
                              rasters.read(labels, window=window))  # fmt: skip
        for image in images:
            (path,) = folder.glob(f"{Path(image).stem}.tif")
            assert np.array_equal(rasters.read(path), rasters.read(image, window=window),
                                  equal_nan=rasters.read(path).dtype.kind == "f")  # fmt: skip


def test_the_set_is_sound_and_its_splits_keep_their_distance(chips):
    root, report = chips
    found = check.check(str(root))
    assert found["passed"], found["findings"][:3]
    side = CHIP * rasters.info(next((root / "chips").glob("*/label.tif"))).grid.pixel_size[0]
    assert report["nearest_between_splits"] >= side * (1 - 1e-6)


def test_radar_fields_of_sentinel_1(chips):
    root, _ = chips
    item = json.loads(next((root / "chips").glob("*/*.json")).read_text("utf-8"))
    assert item["properties"]["sar:polarizations"] == ["VV", "VH"]
    assert any("/sar/v1.3.0/" in url for url in item["stac_extensions"])


def test_the_set_opens_as_the_hand_label(chips, water, tmp_path):
    root, _ = chips
    found = reading.open_set(str(root), str(tmp_path / "open"))
    info = rasters.info(found.layers["labels"])
    grid = rasters.info(water[1]).grid
    window = grid.window_of(info.grid.bounds)
    back, hand = rasters.read(found.layers["labels"])[0], rasters.read(water[1], window=window)[0]
    assert np.array_equal(back[back > 0], hand[back > 0]) and (back > 0).sum() > 50_000


def test_a_random_split_of_real_chips_is_caught(chips, tmp_path):
    """What most tools do: every chip to a split of its own accord."""
    import shutil

    root, _ = chips
    copy = tmp_path / "random"
    shutil.copytree(root, copy)
    rng = np.random.default_rng(0)
    for path in (copy / "chips").glob("*/*.json"):
        item = json.loads(path.read_text("utf-8"))
        item["properties"]["ml-aoi:split"] = str(rng.choice(split.SPLITS, p=(0.7, 0.15, 0.15)))
        path.write_text(json.dumps(item), encoding="utf-8")
    report = check.check(str(copy))
    assert not report["passed"] and any(f["kind"] == "leak" for f in report["findings"])


def test_autocorrelation_range_of_the_reservoir_is_plausible(water):
    reach = audit.autocorrelation_range(water[1])
    pixel = rasters.info(water[1]).grid.pixel_size[0]
    assert 10 < reach / pixel <= 256


_TORCHGEO = """
import json, sys
import torch
lib = torch.library.Library("torchvision", "DEF")
for op in ("nms", "qnms"):
    lib.define(op + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.set_num_threads(1)
torch.manual_seed(0)
sys.path.insert(0, sys.argv[1])
import dataset
from torchgeo.datasets import stack_samples
from torchgeo.samplers import RandomGeoSampler
from torch.utils.data import DataLoader
both = dataset.Spain7370579S2Hand(sys.argv[1]) & dataset.Masks(sys.argv[1])
loader = DataLoader(both, sampler=RandomGeoSampler(both, size=28, length=48), batch_size=8,
                    collate_fn=stack_samples)
first = next(iter(loader))
codes = sorted(set(first["mask"].unique().tolist()))
net = torch.nn.Sequential(torch.nn.Conv2d(13, 16, 3, padding=1), torch.nn.ReLU(),
                          torch.nn.Conv2d(16, 3, 1))
optimiser = torch.optim.Adam(net.parameters(), 1e-2)
losses = []
for _ in range(4):
    total = 0.0
    for batch in loader:
        x, y = batch["image"].float() / 10000, batch["mask"].long()
        y = y[:, 0] if y.ndim == 4 else y
        y[y == 255] = 0
        loss = torch.nn.functional.cross_entropy(net(x), y, ignore_index=0)
        optimiser.zero_grad(); loss.backward(); optimiser.step()
        total += float(loss)
    losses.append(total)
print(json.dumps({"shape": list(first["image"].shape), "codes": codes,
                  "crs": both.crs.to_epsg(), "losses": losses}))
"""


def test_torchgeo_draws_batches_and_a_network_learns(chips, root):
    python = root / ".build" / "oracles" / "bin" / "python"
    if not python.exists():
        pytest.skip("TorchGeo needs newer packages than QGIS's; put it into .build/oracles")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PROJ", "GDAL"))}
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", _TORCHGEO, str(chips[0] / "torchgeo")],
        capture_output=True, text=True, env=clean, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shape"] == [8, 13, 28, 28] and found["crs"] == 4326
    assert set(found["codes"]) <= {0, 1, 2, 255} and {1, 2} <= set(found["codes"])
    assert found["losses"][-1] < found["losses"][0]
