"""A full disk and a read-only folder, met by a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from algorithms import makers
from algorithms.sentences import one_sentence
from qgis.core import QgsVectorFileWriter

from concord.plugin.engine import rasters
from concord.plugin.engine.grid import Grid

CHILD = Path(__file__).with_name("headless_cases.py")
LIMIT = 60_000  # bytes that a file may have; outputs here need more
LARGE = Grid(makers.CRS, (10.0, 0.0, 5e5, 0.0, -10.0, 5.6e6), 300, 280)


def answers(cases: list, folder: Path, *before: str) -> list:
    """What each case said, run in one QGIS without a window."""
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run(
        [*before, sys.executable, str(CHILD), str(folder / "cases.json")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    assert done.returncode == 0 and lines, done.stdout + done.stderr
    return json.loads(lines[0][8:])


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> dict:
    """An image, a map full of speckle and clicks, large enough to fill a small disk."""
    folder = tmp_path_factory.mktemp("large")
    codes = makers.noisy(makers.truth(LARGE), 0.5)
    people = [
        makers.labels(folder / f"p{n}.tif", makers.noisy(makers.truth(LARGE), 0.5, n), LARGE)
        for n in range(3)
    ]
    rng = np.random.default_rng(0)
    spots = [(i, *rng.integers(5, 275, 2).tolist(), 1) for i in range(1, 400)]
    options = QgsVectorFileWriter.SaveVectorOptions()
    prompts = makers.points(spots, grid=LARGE)
    QgsVectorFileWriter.writeAsVectorFormatV2(
        prompts, str(folder / "prompts.gpkg"), prompts.transformContext(), options
    )
    return {
        "folder": folder,
        "image": makers.image(folder / "image.tif", LARGE),
        "labels": makers.labels(folder / "labels.tif", codes, LARGE),
        "people": people,
        "prompts": str(folder / "prompts.gpkg"),
    }


def every_case(large: dict, out: Path, limit: int) -> list:
    """Each algorithm that writes, with all its outputs below ``out``."""
    target = {
        name: str(out / name) for name in ("a.tif", "b.tif", "c.gpkg", "d.html", "e.json", "chips")
    }
    image, labels = large["image"], large["labels"]
    given = [
        ("loadscene", {"INPUT": image, "DERIVED": "ndvi", "OUTPUT": target["a.tif"],
                       "REPORT": target["e.json"]}),
        ("runmodel", {"INPUT": image, "MODEL": "concord-spectral", "OUTPUT": target["a.tif"],
                      "PROBABILITIES": target["b.tif"], "POLYGONS": target["c.gpkg"]}),
        ("refinelabels", {"IMAGE": image, "LABELS": labels, "ENGINE": "mode",
                          "OUTPUT": target["a.tif"], "PROPOSALS": target["c.gpkg"],
                          "REPORT": target["d.html"]}),
        ("consensus", {"ANNOTATIONS": large["people"], "OUTPUT": target["a.tif"],
                       "AGREEMENT": target["b.tif"], "REPORT": target["d.html"]}),
        ("exportchips", {"IMAGERY": image, "LABELS": labels, "CHIP_SIZE": 128, "BUFFER": 0,
                         "BLOCK": 1280, "SPLIT": "50/50/0", "LICENCE": "CC0-1.0",
                         "OUTPUT": target["chips"]}),
        ("segmentprompts", {"IMAGE": image, "PROMPTS": large["prompts"],
                            "OUTPUT": target["c.gpkg"]}),
        ("samplescene", {"SIZE": 256, "OUTPUT": target["chips"]}),
        ("modelcard", {"MODEL": "concord-spectral", "REPORT": target["e.json"]}),
    ]  # fmt: skip
    return [
        {"algorithm": f"concord:{name}", "parameters": parameters, "limit": limit}
        for name, parameters in given
    ]


def test_a_full_disk_leaves_old_files_and_says_so(large, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    before = makers.snapshot(tmp_path)
    cases = every_case(large, out, LIMIT)[:-1]  # a card is small enough for any disk
    said = answers(cases, tmp_path)
    (tmp_path / "cases.json").unlink()
    for case, text in zip(cases, said):
        assert text, f"{case['algorithm']} did not notice"
        one_sentence(text)
        assert "disk is full" in text and str(out) in text, (case["algorithm"], text)
    left = {name for name in makers.snapshot(tmp_path) if name not in before}
    # Whole outputs that fitted may stay; nothing half-written and nothing hidden may.
    assert not [name for name in left if ".part" in name or "/." in name], left
    assert not [name for name in left if name.endswith((".gpkg", ".html"))], left
    for name in left:
        if name.endswith(".tif"):
            assert makers.look(tmp_path / name).values.size


def test_proposals_that_do_not_fit_leave_the_old_ones(large, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(large["prompts"], out / "c.gpkg")
    before = makers.snapshot(out)["c.gpkg"]
    case = every_case(large, out, 150_000)[2]
    case["parameters"].pop("REPORT")
    (said,) = answers([case], tmp_path)
    one_sentence(said)
    assert "c.gpkg" in said and makers.snapshot(out)["c.gpkg"] == before
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_a_read_only_folder_is_named_before_any_work(large, tmp_path):
    out = tmp_path / "locked"
    out.mkdir()
    (out / "a.tif").write_bytes(b"precious")
    before = []
    if os.geteuid() == 0:  # root may write everywhere unless it gives that right up
        if shutil.which("setpriv") is None:
            pytest.skip("run as root without setpriv")
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    os.chmod(out, 0o555)
    try:
        cases = every_case(large, out, 0)
        said = answers(cases, tmp_path, *before)
    finally:
        os.chmod(out, 0o755)
    for case, text in zip(cases, said):
        one_sentence(text)
        assert "read-only" in text and str(out) in text, (case["algorithm"], text)
    assert [(p.name, p.read_bytes()) for p in out.iterdir()] == [("a.tif", b"precious")]


def test_a_report_is_not_written_for_a_raster_that_was_not(large, tmp_path):
    (said,) = answers(
        [{"algorithm": "concord:loadscene", "limit": LIMIT,
          "parameters": {"INPUT": large["image"], "OUTPUT": str(tmp_path / "a.tif"),
                         "REPORT": str(tmp_path / "a.json")}}], tmp_path,
    )  # fmt: skip
    assert "a.tif" in said and not list(tmp_path.glob("a.*"))
    assert rasters.info(large["image"]).grid == LARGE
