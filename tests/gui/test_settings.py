"""Where results go, and what is remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qgis.core import QgsProcessingUtils, QgsProject

from concord.plugin.bridge import settings
from concord.plugin.engine.errors import ConcordError


@pytest.fixture
def project(qgis_new_project):
    project = QgsProject.instance()
    settings.choose_folder(project, "")
    return project


def test_unsaved_project_saves_into_a_temporary_folder(project):
    assert settings.default_folder(project).name == "concord"
    assert settings.output_folder(project) == settings.default_folder(project)


def test_saved_project_saves_beside_itself(project, tmp_path):
    project.write(str(tmp_path / "a.qgz"))
    assert settings.output_folder(project) == tmp_path / "concord"
    assert not (tmp_path / "concord").exists()  # made when something is written
    assert settings.next_stem(project, "scene") == str(tmp_path / "concord" / "scene-1")
    assert (tmp_path / "concord").is_dir()


def test_labels_went_into_a_folder_that_qgis_empties(project, tmp_path, monkeypatch):
    image = tmp_path / "pictures" / "scene.tif"
    image.parent.mkdir()
    image.touch()
    assert settings.folder_of_work(project, str(image)) == image.parent
    made = Path(QgsProcessingUtils.tempFolder()) / "concord" / "scene-1.tif"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.touch()
    monkeypatch.setattr(settings.QStandardPaths, "writableLocation", lambda _where: str(tmp_path))
    for other in (str(made), "", str(tmp_path / "gone" / "scene.tif"), "type=xyz&url=http://a/b"):
        assert settings.folder_of_work(project, other) == tmp_path
    monkeypatch.setattr(settings.os, "access", lambda *_: False)
    assert settings.folder_of_work(project, str(image)) == tmp_path, "it is locked"
    project.write(str(tmp_path / "a.qgz"))
    assert settings.folder_of_work(project, str(image)) == tmp_path / "concord"
    assert settings.next_stem(project, "x", tmp_path) == str(tmp_path / "x-1")


def test_names_are_numbered_whatever_the_suffix(project, tmp_path):
    settings.choose_folder(project, str(tmp_path))
    (tmp_path / "scene-1.tif").touch()
    (tmp_path / "scene-2.agreement.tif").touch()
    (tmp_path / "scene-3").mkdir()
    assert settings.next_stem(project, "scene") == str(tmp_path / "scene-4")


def test_chosen_folder_travels_with_the_project(project, tmp_path):
    chosen = tmp_path / "results"
    project.write(str(tmp_path / "a.qgz"))
    settings.choose_folder(project, str(chosen))
    project.write()
    project.clear()
    assert settings.chosen_folder(project) == ""
    project.read(str(tmp_path / "a.qgz"))
    assert os.path.realpath(settings.chosen_folder(project)) == os.path.realpath(chosen)


def test_a_folder_that_cannot_be_made_is_one_sentence(project, tmp_path):
    (tmp_path / "file").touch()
    settings.choose_folder(project, str(tmp_path / "file" / "below"))
    with pytest.raises(ConcordError, match="choose another folder"):
        settings.next_stem(project, "scene")


def test_added_paths_are_remembered_once_while_they_exist(project, tmp_path):
    settings.set_value("test_paths", [])
    path = tmp_path / "a.onnx"
    path.touch()
    settings.add_path("test_paths", str(path))
    settings.add_path("test_paths", str(path))
    assert settings.paths("test_paths") == [str(path)]
    path.unlink()
    assert settings.paths("test_paths") == []


def test_a_class_scheme_was_offered_by_its_id_alone(tmp_path):
    assert settings.about_taxonomy("water2").endswith(": 2 classes (not water, water)")
    assert settings.about_taxonomy("lcz42").endswith("…)")
    gone = str(tmp_path / "gone.json")
    assert settings.about_taxonomy(gone) == gone and settings.about_taxonomy("") == ""


def test_the_title_of_a_class_scheme_stands_in_lists(tmp_path):
    assert settings.title_of_taxonomy("nlcd") == "National Land Cover Database"
    path = tmp_path / "own.json"
    path.write_text('{"id": "mine", "classes": [{"code": 1, "name": "reed"}]}')
    assert settings.title_of_taxonomy(str(path)) == "mine"
    path.write_text("no scheme")
    os.utime(path, (1e9, 1e9))
    assert settings.title_of_taxonomy(str(path)) == "own"


def test_a_class_scheme_that_was_edited_kept_its_old_words(tmp_path):
    path = tmp_path / "own.json"
    text = '{"id": "own", "title": "%s", "classes": [{"code": 1, "name": "reed"}]}'
    path.write_text(text % "First")
    assert settings.about_taxonomy(str(path)) == "First: 1 classes (reed)"
    path.write_text(text % "Second")
    os.utime(path, (1e9, 1e9))
    assert settings.about_taxonomy(str(path)) == "Second: 1 classes (reed)"
