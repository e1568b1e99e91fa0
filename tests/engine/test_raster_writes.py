"""Rasters whose writing fails, and a dataset closed under a reader."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Window
from concord.plugin.engine.rasters.turns import Turns


def test_a_failed_writer_leaves_the_old_raster(put, make_grid, tmp_path):
    path = Path(put("a.tif", np.ones((300, 300), np.uint8)))
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        with rasters.Writer(path, make_grid(300, 300), 1, "uint8") as writer:
            writer.write(np.zeros((10, 300), np.uint8), Window(0, 0, 300, 10))
            raise ZeroDivisionError
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("limit", [4096, 200_000])  # at the first block, and far into the file
def test_a_full_disk_leaves_the_old_raster(put, tmp_path, on_a_full_disk, limit):
    path = Path(put("a.tif", np.ones((300, 300), np.uint8)))
    before = path.read_bytes()
    said = on_a_full_disk(
        "import numpy as np\nfrom concord.plugin.engine import rasters\n"
        "from concord.plugin.engine.grid import Grid\n"
        "a = np.random.default_rng(1).random((3, 300, 300)).astype('float32')\n"
        "g = Grid('EPSG:32632', (10., 0., 5e5, 0., -10., 5e6), 300, 300)",
        f"rasters.write({str(path)!r}, a, g)",
        limit,
    )
    assert said.startswith("The disk is full") and str(path) in said
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_read_only_folder_leaves_the_old_raster(open_folder, read_only_folder, make_grid):
    path = open_folder / "a.tif"
    rasters.write(path, np.ones((4, 4), np.uint8), make_grid(4, 4))
    before = path.read_bytes()
    with read_only_folder(open_folder), pytest.raises(ConcordError, match=r"a\.tif .*read-only"):
        rasters.write(path, np.zeros((4, 4), np.uint8), make_grid(4, 4))
    assert path.read_bytes() == before and [p.name for p in open_folder.iterdir()] == ["a.tif"]


def test_closing_waits_for_a_read_in_another_thread(put, make_grid):
    """A dataset closed under a reading thread takes the whole program with it."""
    code = """
import sys, threading
from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.grid import Grid
def reading(raster):
    try:
        while True:
            raster.read()
    except ConcordError:
        pass
for _ in range(20):
    raster = rasters.Raster(sys.argv[1], Grid('EPSG:32632', (7., 0., 5e5, 0., -7., 5e6), 300, 300))
    threads = [threading.Thread(target=reading, args=(raster,)) for _ in range(2)]
    [t.start() for t in threads]
    raster.read()
    raster.close()
    [t.join() for t in threads]
"""
    path = put("a.tif", np.zeros((2, 300, 300), np.float32))
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]


def test_who_waits_for_a_raster_goes_before_who_has_just_had_it():
    """Beside threads that read in a loop, closing took seconds, and once more than a minute."""
    turns, order = Turns(), []

    def wait():
        with turns:
            order.append("waited")

    for _ in range(20):
        thread = threading.Thread(target=wait)
        with turns:
            thread.start()
            while not turns.is_awaited:
                time.sleep(0.001)
        with turns:
            order.append("came back")
        thread.join()
    assert order == ["waited", "came back"] * 20
