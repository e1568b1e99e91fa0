"""The set-up: environment, profiles, `make process`, and how failures come through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
POINT = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"n": 1},
            "geometry": {"type": "Point", "coordinates": [1, 2]},
        }
    ],
}


def make(*arguments: str, **extra: str) -> subprocess.CompletedProcess:
    """Run make as a user would, with variables in the environment that must do no harm."""
    env = {**os.environ, "PROJ_LIB": "/nonexistent", "GDAL_DATA": "/nonexistent", **extra}
    env.pop("MAKEFLAGS", None)
    return subprocess.run(
        ["make", "-s", "-C", str(ROOT), *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_make_process_keeps_semicolons_quotes_and_spaces(tmp_path):
    source = tmp_path / "point.geojson"
    source.write_text(json.dumps(POINT), encoding="utf-8")
    target = tmp_path / "with space;1.geojson"
    done = make(
        "process",
        f"ARGS=run native:fieldcalculator -- 'INPUT={source}' FIELD_NAME=t FIELD_TYPE=2 "
        f"\"FORMULA='x; y  \\$z'\" 'OUTPUT={target}'",
    )
    assert done.returncode == 0, done.stderr
    feature = json.loads(target.read_text(encoding="utf-8"))["features"][0]
    assert feature["properties"]["t"] == "x; y  $z"
    assert done.stdout.strip().splitlines() == [f"OUTPUT:\t{target}"]


@pytest.mark.parametrize(
    "arguments",
    [
        "run native:buffer -- 'INPUT=/nonexistent/a.shp' 'OUTPUT=/nonexistent/b.shp'",
        "run concord:nosuchalgorithm -- A=1",
        "",
    ],
)
def test_make_process_fails_when_the_algorithm_does(arguments):
    done = make("process", f"ARGS={arguments}")
    assert done.returncode != 0
    assert done.stderr.strip()


def test_process_names_a_missing_raster_once(tmp_path):
    gone = tmp_path / "gone.tif"
    done = make(
        "process", f"ARGS=run concord:loadscene -- 'INPUT={gone}' 'OUTPUT={tmp_path}/o.tif'"
    )
    assert done.returncode != 0
    assert done.stderr.count("gone.tif") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_environment_hides_the_users_qgis(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import qgis_env

    for name in qgis_env.UNSET:
        monkeypatch.setenv(name, "/nonexistent")
    env = qgis_env.environment()
    assert [name for name in qgis_env.UNSET if env.get(name) == "/nonexistent"] == []
    inside = str(ROOT / ".build")
    for name in ("QGIS_CUSTOM_CONFIG_PATH", "QGIS_PLUGINPATH", "TMPDIR", "XDG_RUNTIME_DIR"):
        assert env[name].startswith(inside), name
    assert os.stat(env["XDG_RUNTIME_DIR"]).st_mode & 0o777 == 0o700


def test_crash_is_a_failure(monkeypatch):
    script = str(ROOT / "scripts" / "qgis_env.py")
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    done = subprocess.run([sys.executable, script, *crash], capture_output=True, check=False)
    assert done.returncode == 139


def test_enabling_the_plugin_keeps_other_settings(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import profile_ini

    path = profile_ini.ini_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("[a]\nb=1\n\n[PythonPlugins]\nother=true\nconcord=false\n", encoding="utf-8")
    for _ in range(2):
        profile_ini.enable_plugin(tmp_path)
    lines = path.read_text(encoding="utf-8").split()
    assert sorted(lines) == ["[PythonPlugins]", "[a]", "b=1", "concord=true", "other=true"]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (
            '<testsuites><testsuite tests="2" failures="0" errors="0" skipped="1"/></testsuites>',
            True,
        ),
        ('<testsuites><testsuite tests="2" failures="1" errors="0"/></testsuites>', False),
        ('<testsuites><testsuite tests="0"/></testsuites>', False),
        ("<testsuites>", False),
        (None, False),
    ],
)
def test_summary_fails_for_failed_empty_and_missing_suites(tmp_path, text, good):
    file = tmp_path / "suite.xml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    script = str(ROOT / "scripts" / "summary.py")
    done = subprocess.run([sys.executable, script, str(file)], capture_output=True, check=False)
    assert (done.returncode == 0) is good


def test_desktop_verdicts(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import desktop

    log, status = tmp_path / "log", tmp_path / "status.json"
    log.write_text("last words\n", encoding="utf-8")
    assert desktop.verdict(status, log, 0, 5) == 1  # no report
    assert "last words" in capsys.readouterr().out
    status.write_text('{"status": 0}', encoding="utf-8")
    assert desktop.verdict(status, log, 0, 5) == 0
    assert desktop.verdict(status, log, -11, 5) == 1  # a crash while closing
    assert desktop.verdict(status, log, None, 5) == 1  # stopped
    status.write_text('{"status": 3}', encoding="utf-8")
    assert desktop.verdict(status, log, 0, 5) == 3
