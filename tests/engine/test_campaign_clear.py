"""How clear each date is at a task, by the quality layer beside the image."""

from __future__ import annotations

import numpy as np

from concord.plugin.engine import grid, rasters
from concord.plugin.engine.campaign import clear

PLACE = grid.Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 54e5), 64, 64)


def write(folder, date, clouded_rows):
    image = folder / f"T32TMT_{date}T101021_B04_10m.tif"
    light = np.full((64, 64), 1000, np.uint16)
    rasters.write(image, light, PLACE, names=["red"])
    scl = np.full((64, 64), 4, np.uint8)
    scl[:clouded_rows] = 9
    rasters.write(folder / f"T32TMT_{date}T101021_SCL_10m.tif", scl, PLACE)
    return str(image)


def test_share_of_the_task_and_not_of_the_scene(tmp_path):
    images = [write(tmp_path, "20240110", 16), write(tmp_path, "20240301", 0)]
    task = PLACE.sub(grid.Window(0, 0, 32, 32))
    first, second = clear.of_window(images, task)
    assert (first.date[:10], first.share) == ("2024-01-10", 0.5)
    assert (second.date[:10], second.share) == ("2024-03-01", 1.0)
    assert "SCL" in first.method.upper()
    (other, _) = clear.of_window(images, PLACE.sub(grid.Window(32, 32, 32, 32)))
    assert other.share == 1.0


def test_missing_and_undated_images_say_nothing(tmp_path):
    plain = tmp_path / "photo.tif"
    rasters.write(plain, np.ones((64, 64), np.uint8), PLACE, names=["red"])
    assert clear.of_window([str(plain), str(tmp_path / "gone.tif")], PLACE) == []
    assert clear.of_window([], PLACE) == []


def test_a_plain_cloud_mask_beside_the_bands_counts_and_without_one_clouds_are_unknown(tmp_path):
    folder = tmp_path / "S2B_MSIL2A_20200223T032739_N9999_R018_T48QUE_20230924T183543"
    folder.mkdir()
    rasters.write(folder / "B04.tif", np.full((64, 64), 900, np.uint16), PLACE, names=["red"])
    (alone,) = clear.of_window([str(folder / "B04.tif")], PLACE)
    assert alone.share == 1.0 and not alone.known
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :16] = 1
    rasters.write(folder / "cloud_mask.tif", mask, PLACE)
    (masked,) = clear.of_window([str(folder / "B04.tif")], PLACE)
    assert masked.known and masked.share == 0.75 and masked.date == "2020-02-23"
