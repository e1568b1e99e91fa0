"""A checkpoint becomes a model only when it was exported and checked to the end."""

from __future__ import annotations

import sys

import pytest

from concord.plugin.bridge import checkpoints

# Stands for the environment's Python: `-W ignore PROGRAM CHECKPOINT FOLDER`.
PROGRAM = """#!/bin/sh
mkdir -p "$5" && echo "$4" > "$5/made.encoder.onnx"
echo "Writing ONNX"
case "$4" in
  *bad*) echo "It does not have the hash that its name gives."; exit 1 ;;
  *slow*) exec sleep 60 ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


@pytest.fixture
def export(tmp_path, monkeypatch, qgis_app):
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "ready").touch()
    python = environment / "bin" / "python"
    python.write_text(PROGRAM)
    python.chmod(0o755)
    monkeypatch.setattr(checkpoints, "profile_folder", lambda name: tmp_path / name)
    made = checkpoints.CheckpointExport(environment=environment)
    yield made
    made.cancel()


def ended(export, qtbot, checkpoint: str, act=None) -> list:
    with qtbot.waitSignal(export.ended, timeout=20_000) as waited:
        export.start(checkpoint)
        if act is not None:
            act()
    return waited.args


def test_a_checked_pair_is_filed_under_the_checkpoints_name(export, qtbot, tmp_path):
    folder, problem = ended(export, qtbot, "/x/sam_vit_b_01ec64.pth")
    assert problem == "" and folder == str(tmp_path / "models" / "sam_vit_b_01ec64")
    assert (tmp_path / "models" / "sam_vit_b_01ec64" / "made.encoder.onnx").exists()
    assert not list((tmp_path / "sam-export").iterdir()) and not export.busy


@pytest.mark.parametrize("name", ["bad", "slow"])
def test_an_export_that_fails_took_an_earlier_model_of_the_name_with_it(
    export, qtbot, tmp_path, name
):
    earlier = tmp_path / "models" / name / "good.encoder.onnx"
    earlier.parent.mkdir(parents=True)
    earlier.touch()

    def stop():
        qtbot.waitUntil(lambda: (tmp_path / "sam-export" / name).exists(), timeout=10_000)
        assert [p.name for p in earlier.parent.iterdir()] == ["good.encoder.onnx"]
        export.cancel()

    folder, problem = ended(export, qtbot, f"/x/{name}.pth", stop if name == "slow" else None)
    assert folder == "" and ("hash" in problem if name == "bad" else problem)
    assert [p.name for p in earlier.parent.iterdir()] == ["good.encoder.onnx"]
    assert not (tmp_path / "sam-export" / name).exists()
