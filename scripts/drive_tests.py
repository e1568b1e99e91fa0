"""Driver for in_desktop.py: runs tests/desktop with pytest inside the desktop."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path


def drive() -> int:
    """Pytest's exit status; its words go to CONCORD_PYTEST_OUT."""
    import pytest
    from qgis.PyQt.QtCore import PYQT_VERSION_STR

    folder = Path(__file__).resolve().parents[1] / "tests" / "desktop"
    # A stub of the interface would take the place of the real one: no pytest-qgis here.
    arguments = [str(folder), "-c", str(folder / "pytest.ini"), "--confcutdir", str(folder)]
    arguments += ["-o", f"qt_api=pyqt{PYQT_VERSION_STR.split('.')[0]}"]
    arguments += ["--junitxml", os.environ["CONCORD_JUNIT"]]
    arguments += json.loads(os.environ["CONCORD_PYTEST_ARGS"])
    sys.argv = ["pytest"]
    with open(os.environ["CONCORD_PYTEST_OUT"], "w", encoding="utf-8", buffering=1) as out:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            return int(pytest.main(arguments))
