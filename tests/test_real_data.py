"""The real data are there, and where they are missing CI fails instead of skipping."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_folders_of_the_loop_are_there(real_data):
    for name in ("sen1floods-es", "chesapeake", "models/dynamicworld"):
        assert (real_data / name).is_dir(), f"{real_data / name} is missing"


@pytest.mark.parametrize(("ci", "word"), [("true", "1 error"), ("false", "1 skipped")])
def test_missing_data_fail_in_ci_and_skip_elsewhere(ci, word, tmp_path):
    test = "test_real_data.py::test_the_folders_of_the_loop_are_there"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{test}"],
        cwd=ROOT,
        env={**os.environ, "CI": ci, "CONCORD_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert word in done.stdout, done.stdout + done.stderr
    assert "set CONCORD_DATA" in done.stdout
    assert (done.returncode == 0) is (ci == "false")
