"""Resuming after a kill, full disks, re-exports, threads: the same bytes, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.chips import export, store
from concord.plugin.engine.errors import Cancelled, ConcordError
from concord.plugin.engine.progress import Progress
from tests.engine import chips_data as data

FORMATS = ("native", "coco", "yolo", "zarr", "pastis")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def scene(place):
    return data.scene(place)


@pytest.fixture(scope="module")
def wanted(place, scene):
    """The bytes of an undisturbed run."""
    run(scene, place / "wanted")
    return data.digests(place / "wanted")


def run(scene, out: Path, **more) -> dict:
    wish = data.wish(**{"formats": FORMATS, "captions": "draft", **more})
    return export.export(scene.imagery[:2], scene.labels, str(out), wish, scene.consensus)


_CHILD = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from concord.plugin.engine.chips import export, store
from tests.engine import chips_data as data
place, how = Path(sys.argv[1]), sys.argv[2]
paths = [str(place / name) for name in
         ("s2_20200101.tif", "s2_20200601.tif", "labels.tif", "consensus.tif")]
wish = data.wish(formats={formats!r}, captions="draft")
if how == "kill":
    add, seen = store.Store.add, []
    def dying(self, entry):
        add(self, entry)
        seen.append(entry)
        if len(seen) == 21:
            os.kill(os.getpid(), signal.SIGKILL)
    store.Store.add = dying
else:
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(how), int(how)))
try:
    export.export(paths[:2], paths[2], sys.argv[3], wish, paths[3])
except Exception as error:
    print(type(error).__name__, error)
"""


def child(place: Path, how: str, out: Path):
    code = _CHILD.format(paths=[p for p in sys.path if p], formats=FORMATS)
    return subprocess.run(
        [sys.executable, "-c", code, str(place), how, str(out)],
        capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip


def test_a_killed_run_resumes_to_the_same_bytes(place, scene, wanted):
    out = place / "killed"
    assert child(place, "kill", out).returncode == -9
    assert not out.exists() and (place / ".killed.part").is_dir()
    journal = place / ".killed.part" / ".journal.jsonl"
    with open(journal, "a", encoding="utf-8") as lines:
        lines.write('{"id": "torn')  # a line that the kill cut short
    report = run(scene, out)
    assert report["resumed"] == 21
    assert data.digests(out) == wanted and not (place / ".killed.part").exists()


def test_a_journal_of_other_settings_is_not_used(place, scene, wanted):
    out = place / "changed"
    assert child(place, "kill", out).returncode == -9
    assert run(scene, out, seed=7)["resumed"] == 0


@pytest.mark.parametrize("limit", ["900", "9000"])  # in a chip, and in a file of the whole set
def test_a_full_disk_stops_cleanly(place, scene, limit):
    out = place / f"full{limit}"
    done = child(place, limit, out)
    assert done.stdout.startswith("ConcordError The disk is full"), done.stdout + done.stderr
    assert not out.exists() and not (place / f".full{limit}.part").exists()


def test_a_full_disk_leaves_an_older_set_whole(place, scene, wanted):
    out = place / "older"
    run(scene, out, seed=9)
    before = data.digests(out)
    done = child(place, "900", out)
    assert "disk is full" in done.stdout
    assert data.digests(out) == before


def test_cancel_leaves_nothing(place, scene):
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 90

    wish = data.wish(formats=FORMATS)
    with pytest.raises(Cancelled):
        export.export(
            scene.imagery[:2], scene.labels, str(place / "cancelled"), wish, None,
            Progress(None, cancelled),
        )  # fmt: skip
    assert not [p for p in place.iterdir() if "cancelled" in p.name]


def test_any_number_of_threads_and_a_second_run_give_the_same_bytes(place, scene, wanted):
    run(scene, place / "three", threads=3)
    assert data.digests(place / "three") == wanted
    stamps = {p: p.stat().st_mtime_ns for p in (place / "three").rglob("*") if p.is_file()}
    assert run(scene, place / "three")["files_written"] == 0
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_re_export_writes_what_changed_and_removes_what_is_gone(place, scene, tmp_path):
    labels, out = tmp_path / "labels.tif", tmp_path / "set"
    info = rasters.info(scene.labels)
    rasters.write(labels, scene.codes, info.grid, nodata=0, categories=data.CLASSES)
    wish = data.wish()
    export.export([scene.first], str(labels), str(out), wish)
    before = data.digests(out)
    kept = next((out / "chips").glob("*/label.tif"))
    changed = scene.codes.copy()
    changed[-32:, -32:] = 255  # the last chip falls
    changed[40, 40] = 1 + changed[40, 40] % 3
    rasters.write(labels, changed, info.grid, nodata=0, categories=data.CLASSES)
    report = export.export([scene.first], str(labels), str(out), wish)
    after = data.digests(out)
    assert report["chips"] == 63 and set(before) - set(after)
    fresh = tmp_path / "fresh"
    export.export([scene.first], str(labels), str(fresh), wish)
    assert after == data.digests(fresh)
    same = [n for n in after if before.get(n) == after[n] and n.endswith(".tif")]
    assert len(same) > 100 and kept.exists()


def test_a_file_that_was_changed_by_hand_is_written_again(place, scene, wanted):
    out = place / "touched"
    run(scene, out)
    victim = next((out / "chips").glob("*/label.tif"))
    victim.write_bytes(b"spoilt")
    assert run(scene, out)["files_written"] == 1
    assert data.digests(out) == wanted


def test_other_peoples_files_are_left_alone(place, scene, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConcordError, match="already holds files"):
        run(scene, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    out = place / "with_notes"
    run(scene, out)
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    run(scene, out, seed=3)
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["../x.tif", "/x.tif", "a/../../x", "C:/x.tif"])
def test_no_file_leaves_the_folder(tmp_path, name):
    with store.Store(tmp_path / "set", "key") as files:
        with pytest.raises(ConcordError, match="leave the folder"):
            files.put(name, b"x")
    assert not (tmp_path / "x.tif").exists()


def test_a_manifest_that_was_tampered_with_deletes_nothing_outside(scene, tmp_path):
    out, victim = tmp_path / "set", tmp_path / "victim.txt"
    victim.write_text("precious", encoding="utf-8")
    export.export([scene.first], scene.labels, str(out), data.wish())
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    manifest["files"]["../victim.txt"] = "0" * 64
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    export.export([scene.first], scene.labels, str(out), data.wish(seed=5))
    assert victim.read_text(encoding="utf-8") == "precious"


def test_names_with_slashes_and_blanks_become_plain(scene, tmp_path):
    odd = tmp_path / "my scene; 50% – north.tif"
    rasters.write(odd, np.ones((1, 256, 256), np.uint8), data.GRID, names=["pan"])
    out = tmp_path / "set"
    export.export([str(odd)], scene.labels, str(out), data.wish())
    names = {p.name for p in (out / "chips").glob("*/*.tif")}
    assert names == {"label.tif", "my_scene_50_north.tif"}
