"""Rule 6: rasters keep their CRS when PROJ_LIB, PROJ_DATA, GDAL_DATA point at QGIS's own folders.

QGIS on Windows and macOS sets them so. Rasterio's own PROJ cannot read that database and would
then answer, silently, that a file has no CRS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = {
    "PROJ_LIB": "/usr/share/proj",
    "PROJ_DATA": "/usr/share/proj",
    "GDAL_DATA": "/usr/share/gdal",
}
CODE = 32632

# argv: JSON {folder, plugins, first}; writes and reads in the main thread and in a worker.
SCRIPT = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
options = json.loads(sys.argv[1])
sys.path.insert(0, options["plugins"])
assert os.environ["PROJ_LIB"] == "/usr/share/proj"
if options["first"] == "osgeo":
    from osgeo import gdal, osr
    osr.SpatialReference().ImportFromEPSG(4326)
import numpy as np
from concord.plugin.engine import grid, rasters
place = grid.Grid("EPSG:32632", (10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0), 8, 6)

def write(name):
    path = os.path.join(options["folder"], name)
    rasters.write(path, np.full((1, 6, 8), 7, np.uint8), place)
    return path

def crs(path):
    return rasters.info(path).grid.crs

with ThreadPoolExecutor(1) as worker:
    by_worker = worker.submit(write, "worker.tif").result()
    by_main = write("main.tif")
    print("RESULT" + json.dumps({
        "main reads main": crs(by_main),
        "main reads worker": crs(by_worker),
        "worker reads main": worker.submit(crs, by_main).result(),
        "worker reads worker": worker.submit(crs, by_worker).result(),
    }))
"""


@pytest.fixture(params=["rasterio first", "osgeo first"])
def answers(request, tmp_path) -> tuple[dict, Path]:
    """What a Python with the system's folders in its environment reads and writes."""
    for folder in SYSTEM.values():
        assert Path(folder).is_dir(), f"{folder} is missing; this test needs the system's data"
    options = {
        "folder": str(tmp_path),
        "plugins": str(ROOT / ".build" / "plugins"),
        "first": request.param.split()[0],
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(options)],
        env={**os.environ, **SYSTEM},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert done.returncode == 0 and lines, done.stderr
    return json.loads(lines[0][len("RESULT") :]), tmp_path


def test_crs_survives_in_main_and_worker_thread(answers):
    found, _ = answers
    assert found == dict.fromkeys(found, f"EPSG:{CODE}")


def test_what_was_written_has_its_crs_for_qgis(answers):
    from qgis.core import QgsRasterLayer

    _, folder = answers
    for name in ("main.tif", "worker.tif"):
        layer = QgsRasterLayer(str(folder / name), name)
        assert layer.isValid()
        assert layer.crs().authid() == f"EPSG:{CODE}"
