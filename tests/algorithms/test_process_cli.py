"""`make process`: the same algorithms from a shell, with an exit status."""

from __future__ import annotations

import os
import subprocess

import pytest
from algorithms import makers

from concord.plugin.engine import files


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("with spaces, and commas")
    return {
        "folder": folder,
        "one": makers.image(folder / "visible light.tif", bands=("blue", "green", "red")),
        "two": makers.image(folder / "infrared.tif", bands=("nir",)),
    }


@pytest.fixture
def process(root):
    def run(arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["make", "--no-print-directory", "process", f"ARGS={arguments}"],
            cwd=root, env=dict(os.environ), capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    return run


def test_lists_and_spaces_survive_and_the_run_ends_with_zero(process, given):
    target, report = given["folder"] / "a scene.tif", given["folder"] / "a report.json"
    done = process(
        f"run concord:loadscene -- 'INPUT={given['one']};{given['two']}' 'DERIVED=ndvi;ndwi' "
        f"'OUTPUT={target}' 'REPORT={report}'"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert makers.look(target).names == [*makers.BANDS, "ndvi", "ndwi"]
    assert len(files.read_json(report)["bands"]) == 6
    assert str(target) in done.stdout and "Traceback" not in done.stdout + done.stderr


def test_a_missing_raster_is_one_sentence_and_an_exit_status(process, given):
    target = given["folder"] / "never.tif"
    gone = given["folder"] / "gone away.tif"
    done = process(f"run concord:runmodel -- 'INPUT={gone}' 'OUTPUT={target}'")
    assert done.returncode != 0 and not target.exists()
    assert done.stderr.count("gone away.tif does not exist; check the path.") == 1
    assert "Traceback" not in done.stderr + done.stdout


def test_a_full_refusal_and_a_bad_set_of_chips(process, given):
    folder = given["folder"] / "no chips"
    folder.mkdir()
    done = process(f"run concord:checkchips -- 'INPUT={folder}'")
    assert done.returncode != 0
    assert "holds no manifest.json; choose a set exported by Concord." in done.stderr
    done = process(
        f"run concord:exportchips -- 'IMAGERY={given['one']}' 'LABELS={given['one']}' "
        f"'OUTPUT={folder}'"
    )
    assert done.returncode != 0 and "licence" in done.stderr.lower()  # QGIS's own words


def test_an_unknown_algorithm_ends_with_a_status(process):
    done = process("run concord:nothing -- 'A=b'")
    assert done.returncode != 0 and "nothing" in done.stderr
