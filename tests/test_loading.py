"""Loading the plugin: nothing heavy is imported, and a missing package stops only what needs it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import house
import numpy as np
import pytest
from osgeo import gdal

from tests.gui.conftest import write_raster

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["rasterio", "onnxruntime", "skimage", "scipy", "onnx", "torch"]
PIP = {"skimage": "scikit-image"}
# What a fresh QGIS lacks of requirements.txt, by import name; numpy comes with QGIS's own GDAL.
THIRD_PARTY = [
    "rasterio", "onnxruntime", "skimage", "scipy", "sklearn", "affine", "onnx", "ml_dtypes",
    "dask", "distributed",
]  # fmt: skip

# Runs in a Python of its own, as what other tests imported would hide what loading imports.
SCRIPT = """
import importlib.abc, json, sys
hidden, folder, layers = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
sys.path.insert(0, folder)
from pytest_qgis.mock_qgis_classes import MockMessageBar
from pytest_qgis.qgis_interface import QgisInterface
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QLabel, QMainWindow
application = QgsApplication([], True)
application.initQgis()
window = QMainWindow()
iface = QgisInterface(QgsMapCanvas(window), MockMessageBar(), window)
before = set(sys.modules)
import concord
plugin = concord.classFactory(iface)
plugin.initGui()
loaded = set(sys.modules) - before
problems = []  # of slots; QGIS shows a window with the traceback
sys.excepthook = lambda kind, error, _trace: problems.append(f"{kind.__name__}: {error}")
window.show()
def turn():
    for _ in range(20):
        QApplication.processEvents()

for key in plugin.panels:
    plugin.show_panel(key)
    turn()
QgsProject.instance().addMapLayers([QgsRasterLayer(path, "layer") for path in layers])
for key, panel in plugin.panels.items():
    plugin.show_panel(key)
    for combo in panel.findChildren(QComboBox):
        for place in range(combo.count()):
            combo.setCurrentIndex(place)
            turn()
# A button that no algorithm stands behind says what is missing, too.
plugin.panels["campaign"]._guarded(lambda: plugin.panels["campaign"].campaign.open("none.gpkg"))
turn()
provider = QgsApplication.processingRegistry().providerById("concord")
print("RESULT" + json.dumps({
    "imported": sorted({name.split(".")[0] for name in loaded}),
    "algorithms": {a.name(): list(a.canExecute()) for a in provider.algorithms()},
    "panels": {
        key: [label.text() for label in panel.findChildren(QLabel, "ConcordNeed")]
        for key, panel in plugin.panels.items()
    },
    "opened": plugin.panels["campaign"].status.text(),
    "problems": problems,
}))
sys.stdout.flush()
plugin.unload()
QgsProject.instance().clear()
application.exitQgis()
"""


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """load(names) -> what a fresh Python tells in which these packages cannot be imported."""
    folder = tmp_path_factory.mktemp("layers")
    image = np.random.default_rng(3).normal(0.2, 0.05, (4, 40, 40))
    layers = [
        write_raster(folder / "scene.tif", image, ("blue", "green", "red", "nir")),
        write_raster(folder / "classes.tif", np.ones((40, 40), np.uint8), kind=gdal.GDT_Byte),
    ]

    @cache
    def told(*hidden: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps(hidden), str(ROOT / ".build" / "plugins"),
             *layers],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
        assert lines, done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(lines[0][len("RESULT") :])

    return told


def used_by_engine(package: str) -> bool:
    """True when a file of the engine imports the package."""
    for path in (ROOT / "plugin" / "engine").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(name.split(".")[0] == package for _, name in house.imports(tree, "")):
            return True
    return False


def test_loading_imports_nothing_heavy(load):
    assert sorted(set(HEAVY) & set(load()["imported"])) == []


def test_with_everything_there_every_algorithm_can_run(load):
    complete = load()
    assert complete["algorithms"] and not complete["problems"]
    refusing = {name: answer for name, answer in complete["algorithms"].items() if not answer[0]}
    assert refusing == {}


@pytest.mark.parametrize("package", ["rasterio", "onnxruntime", "skimage", "scipy"])
def test_algorithms_say_which_package_they_need(load, package):
    without = load(package)
    assert sorted(without["algorithms"]) == sorted(load()["algorithms"])
    refusing = {name: why for name, (able, why) in without["algorithms"].items() if not able}
    if used_by_engine(package):
        assert refusing, f"no algorithm says that it needs {package}"
    for name, reason in refusing.items():
        assert PIP.get(package, package) in reason, f"{name} says only: {reason}"


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_without_one_package_the_panels_were_not_even_built(load, package):
    """The Campaign panel imported rasterio, so that QGIS could not load the plugin at all."""
    without = load(package)
    assert sorted(without["panels"]) == sorted(load()["panels"])
    assert without["problems"] == []


def test_in_a_fresh_qgis_the_plugin_did_not_load(load):
    fresh = load(*THIRD_PARTY)
    assert fresh["problems"] == [] and sorted(fresh["panels"]) == sorted(load()["panels"])
    for key, needs in fresh["panels"].items():
        assert any("pip install rasterio" in need for need in needs), f"{key} says only: {needs}"
    assert "pip install rasterio" in fresh["opened"]


def test_all_packages_of_the_requirements_are_hidden():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {re.split("[=<>; #]", line)[0] for line in lines} - {"", "numpy"}
    own = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
    assert {own.get(name, name) for name in THIRD_PARTY} == wanted
