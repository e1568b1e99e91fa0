"""Loading the plugin: nothing heavy is imported, and a missing package stops only what needs it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import house
import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["rasterio", "onnxruntime", "skimage", "scipy", "onnx", "torch"]
PIP = {"skimage": "scikit-image"}

# Runs in a Python of its own, as what other tests imported would hide what loading imports.
SCRIPT = """
import importlib.abc, json, sys
hidden, folder = json.loads(sys.argv[1]), sys.argv[2]

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
sys.path.insert(0, folder)
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
before = set(sys.modules)
import concord
plugin = concord.classFactory(None)
plugin.initProcessing()
provider = QgsApplication.processingRegistry().providerById("concord")
algorithms = {a.name(): list(a.canExecute()) for a in provider.algorithms()}
print("RESULT" + json.dumps({
    "imported": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
    "algorithms": algorithms,
}))
sys.stdout.flush()
QgsApplication.processingRegistry().removeProvider(provider)
application.exitQgis()
"""


def load(hidden: list[str]) -> dict:
    """Load plugin and provider in a fresh Python in which these packages cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(hidden), str(ROOT / ".build" / "plugins")],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr
    assert done.returncode == 0, done.stderr
    return json.loads(lines[0][len("RESULT") :])


def used_by_engine(package: str) -> bool:
    """True when a file of the engine imports the package."""
    for path in (ROOT / "plugin" / "engine").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(name.split(".")[0] == package for _, name in house.imports(tree, "")):
            return True
    return False


@pytest.fixture(scope="module")
def complete() -> dict:
    return load([])


def test_loading_imports_nothing_heavy(complete):
    assert sorted(set(HEAVY) & set(complete["imported"])) == []


def test_with_everything_there_every_algorithm_can_run(complete):
    assert complete["algorithms"]
    refusing = {name: answer for name, answer in complete["algorithms"].items() if not answer[0]}
    assert refusing == {}


@pytest.mark.parametrize("package", ["rasterio", "onnxruntime", "skimage", "scipy"])
def test_plugin_loads_without_the_package(complete, package):
    without = load([package])
    assert sorted(without["algorithms"]) == sorted(complete["algorithms"])
    refusing = {name: why for name, (able, why) in without["algorithms"].items() if not able}
    if used_by_engine(package):
        assert refusing, f"no algorithm says that it needs {package}"
    for name, reason in refusing.items():
        assert PIP.get(package, package) in reason, f"{name} says only: {reason}"


def test_without_rasterio_the_reason_says_how_to_get_it():
    able, reason = load(["rasterio"])["algorithms"]["loadscene"]
    assert not able
    assert "pip install" in reason
