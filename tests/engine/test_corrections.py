"""The user's word on single files, and what is said of files that stay out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from concord.plugin.engine import corrections, load, rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid

GRID = Grid("EPSG:32632", (10.0, 0.0, 5e5, 0.0, -10.0, 5e6), 40, 30)


def save(path, value, bands=1, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((bands, GRID.height, GRID.width), value, np.uint16)
    rasters.write(path, array, GRID, **more)
    return str(path)


def parse(**entries):
    return corrections.parse(json.dumps(entries))


def build(tmp_path, inputs, corrected):
    out = str(tmp_path / "scene.tif")
    report = load.load_scene(inputs, out, check_shift=False, corrected=corrected)
    return report, rasters.info(out), rasters.read(out)


def test_sensor_date_and_band_of_a_file_are_corrected(tmp_path):
    path = save(tmp_path / "plain_a.tif", 12_000)
    given = {path: {"sensor": "landsat-8-9-c2-l2", "date": "2021-07-01", "bands": "swir16"}}
    report, info, values = build(tmp_path, [path], corrections.parse(json.dumps(given)))
    assert info.names == ["swir16"] and report["dates"] == ["2021-07-01"]
    assert values[0, 5, 5] == pytest.approx(12_000 * 2.75e-5 - 0.2, rel=1e-5)
    (entry,) = report["files"]
    assert entry["sensor"] == "landsat-8-9-c2-l2"
    assert entry["reason"].endswith("corrected by the user")


def test_bands_of_a_stack_are_named_and_scaled_by_their_preset(tmp_path):
    path = save(tmp_path / "stack.tif", 2000, 3)
    given = {path: {"sensor": "sentinel-2-l2a", "bands": ["nir", "red", "green"]}}
    _, info, values = build(tmp_path, [path], corrections.parse(json.dumps(given)))
    assert info.names == ["nir", "red", "green"]
    assert values[:, 5, 5] == pytest.approx([0.2] * 3)


def test_a_file_of_a_folder_is_left_out_or_taken_in_by_the_user(tmp_path):
    folder = tmp_path / "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM"
    red, mask = save(folder / "B04.tif", 900), save(folder / "mask_extra.tif", 7)
    save(folder / "B08.tif", 3000)
    given = {red: {"use": False}, mask: {"bands": "quality"}}
    report, info, _ = build(tmp_path, [str(folder)], corrections.parse(json.dumps(given)))
    assert sorted(info.names) == ["nir", "quality"]
    assert {"file": red, "reason": "left out by the user"} in report["skipped"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "is not understood"),
        ("{", "is not understood"),
        ('{"a.tif": {"date": "2021-02-31"}}', "is no day"),
        ('{"a.tif": {"bands": "Near Infrared"}}', "is no band name"),
        ('{"a.tif": {"bands": "red;red"}}', "not told apart"),
    ],
)
def test_a_correction_that_cannot_be_is_a_sentence(text, words):
    with pytest.raises(ConcordError, match=words):
        corrections.parse(text)


def test_too_few_band_names_are_a_sentence(tmp_path):
    path = save(tmp_path / "stack.tif", 2000, 3)
    with pytest.raises(ConcordError, match="has 3 bands, 2 names were given"):
        load.look([path], corrected=parse(**{path: {"bands": "red;nir"}}))


def test_looking_at_files_reads_no_pixel_and_says_what_stays_out(tmp_path):
    folder = tmp_path / "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM"
    save(folder / "R10m" / "B04_10m.tif", 900)
    save(folder / "R20m" / "B04_20m.tif", 900)
    found = load.look([str(folder)])
    (entry,) = found["files"]
    assert (entry["sensor"], entry["date"]) == ("sentinel-2-l2a", "2020-06-01")
    assert entry["bands"] == ["red"]
    (out,) = found["skipped"]
    # The reason names folder and file, because products repeat their file names.
    assert out["reason"] == "red is already there from R10m/B04_10m.tif"


def test_cirrus_of_l1c_among_bands_of_l2a_is_warned_of(tmp_path):
    surface = tmp_path / "place" / "S2A_MSIL2A_20200601T100031_N0214_R122_T32TQM"
    top = tmp_path / "place" / "S2A_MSIL1C_20200601T100031_N0214_R122_T32TQM"
    for band in ("B04", "B08"):
        save(surface / f"{band}.tif", 900)
    save(top / "B10.tif", 20)
    out = str(tmp_path / "a.tif")
    report = load.load_scene([str(tmp_path / "place")], out, check_shift=False)
    (warning,) = [text for text in report["warnings"] if "one level out" in text]
    assert warning.startswith("cirrus is of Sentinel-2 L1C")
    assert "N0214_R122_T32TQM/B10.tif" in warning and "Sentinel-2 L2A" in warning
    # Two sensors of one level are no such mixture.
    assert not load.look([str(surface)])["warnings"]
