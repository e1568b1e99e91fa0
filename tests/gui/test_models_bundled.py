"""The bundled models stand first, each with a line on what it is good for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from concord.plugin.bridge import settings
from concord.plugin.engine.infer import session
from concord.plugin.gui.models import ModelsPanel


def test_models_for_real_images_come_first_and_the_stand_in_last(open_panel, tmp_path):
    added = tmp_path / "a.onnx"
    added.write_bytes(b"")
    settings.add_path(settings.MODELS, str(added))
    stems = [Path(path).stem for path in settings.models()]
    assert stems[:3] == list(settings.BUNDLED)
    bundled = stems[: stems.index("concord-spectral") + 1]
    assert bundled[-1] == "concord-spectral" and stems.index("a") >= len(bundled)
    panel = open_panel(ModelsPanel)
    assert panel.model.value().endswith("concord-landcover-s2.onnx")
    assert "Sentinel-2" in panel.about.text() and panel.about.isVisibleTo(panel)
    lines = []
    for path in settings.models()[:3]:
        panel.model.reload(path)
        lines.append(panel.about.text())
    assert "Sentinel-2" in lines[0] and "aerial" in lines[1] and "Roofs" in lines[2]
    panel.model.reload(str(added))
    assert panel.about.text() == "" and not panel.about.isVisibleTo(panel)


def test_a_card_that_is_no_card_has_no_line(tmp_path):
    (tmp_path / "m.mlm.json").write_text("[1]", encoding="utf-8")
    assert settings.about_model(str(tmp_path / "m.onnx")) == ""
    assert settings.about_model(str(tmp_path / "none.onnx")) == ""


def test_the_list_showed_bare_file_names(open_panel, tmp_path):
    added = tmp_path / "mine.onnx"
    added.write_bytes(b"")
    settings.add_path(settings.MODELS, str(added))
    combo = open_panel(ModelsPanel).model.combo
    assert [combo.itemText(i) for i in range(4)] == [
        "Concord land cover, Sentinel-2", "Concord land cover, aerial",
        "Concord buildings, aerial", "Concord spectral stand-in",
    ]  # fmt: skip
    assert combo.findText("mine") >= 4


def test_a_card_without_a_summary_says_its_first_sentence(tmp_path):
    model = tmp_path / "m.onnx"
    shutil.copy(session.BUNDLED / "concord-prompt" / "encoder.onnx", model)
    card = {"id": "m", "properties": {"description": "Ponds of the north. Not for oceans."}}
    (tmp_path / "m.mlm.json").write_text(json.dumps(card), encoding="utf-8")
    assert settings.about_model(str(model)) == "Ponds of the north"


def test_a_card_that_was_completed_is_read_anew(tmp_path):
    model = tmp_path / "m.onnx"
    shutil.copy(session.BUNDLED / "concord-prompt" / "encoder.onnx", model)
    assert "Ponds" not in settings.about_model(str(model))
    card = {"id": "m", "properties": {"summary": "Ponds"}}
    (tmp_path / "m.mlm.json").write_text(json.dumps(card), encoding="utf-8")
    assert settings.about_model(str(model)) == "Ponds"
