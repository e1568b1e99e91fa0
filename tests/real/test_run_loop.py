"""`make run`, which is scripts/run_loop.py: outputs, lines, and a project that opens styled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer

from concord.plugin.engine import files

STEPS = ("loadscene", "segmentprompts", "runmodel", "refinelabels", "consensus", "exportchips",
         "checkchips")  # fmt: skip


def loop_into(root: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(root / "scripts" / "run_loop.py"), "--out", str(out), *arguments],
        cwd=root, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def check_outcome(out: Path, done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    values = files.read_json(out / "report.json")
    assert {step["algorithm"] for step in values["steps"]} >= set(STEPS)
    for step in values["steps"]:
        (line,) = [text for text in done.stdout.splitlines() if f" {step['what']} " in text]
        assert step["figure"] and step["figure"] in line
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") >= 5 and 'src="http' not in page
    assert (out / "canvas.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert any((out / "chips" / "chips").iterdir())
    return values


def check_project(path: Path) -> None:
    """Every layer opens and has a style that was meant for it."""
    project = QgsProject.instance()
    project.clear()
    try:
        assert project.read(str(path))
        layers = project.mapLayers().values()
        assert len(layers) >= 8
        for layer in layers:
            assert layer.isValid(), layer.name()
            if isinstance(layer, QgsRasterLayer):
                kind = layer.renderer().type()
                assert kind in ("paletted", "multibandcolor", "singlebandpseudocolor"), layer.name()
            else:
                assert layer.renderer().type() != "singleSymbol" or layer.name().startswith("Prom")
        kinds = {x.renderer().type() for x in layers if isinstance(x, QgsRasterLayer)}
        assert {"paletted", "multibandcolor"} <= kinds
    finally:
        project.clear()
        QgsApplication.processEvents()


def test_the_loop_on_the_sample_scene(root, provider, tmp_path):
    done = loop_into(root, tmp_path / "out folder", "--size", "256")
    check_outcome(tmp_path / "out folder", done)
    check_project(tmp_path / "out folder" / "concord.qgz")


def test_the_loop_on_real_data(root, provider, real_data, tmp_path):
    done = loop_into(root, tmp_path / "out", "--data", str(real_data))
    values = check_outcome(tmp_path / "out", done)
    check_project(tmp_path / "out" / "concord.qgz")
    figures = values["figures"]
    assert abs(figures["dynamicworld_water_iou"] - 0.64) < 0.01
    assert figures["landcover_water_iou"] > 0.70 and figures["buildings_iou"] > 0.44
    assert set(figures["chesapeake"]) >= {"auto", "mode", "slic", "felzenszwalb", "watershed"}
    assert figures["chesapeake"]["felzenszwalb"]["accuracy_after"] > 0.87


def test_the_loop_says_what_is_missing(root, provider, tmp_path):
    done = loop_into(root, tmp_path / "out", "--data", str(tmp_path / "no data"))
    assert done.returncode != 0 and "no data does not exist" in done.stderr
    (tmp_path / "empty").mkdir()
    done = loop_into(root, tmp_path / "out", "--data", str(tmp_path / "empty"))
    assert done.returncode != 0 and "is missing" in done.stderr
    assert "Traceback" not in done.stderr
