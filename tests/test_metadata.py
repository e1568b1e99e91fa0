"""metadata.txt and the zip, by the rules of the QGIS plugin store's validator."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = (
    "name qgisMinimumVersion description about version author email repository tracker license"
).split()
SIZE_LIMIT = 25 * 1024 * 1024
# What a user's QGIS reads. Programs and libraries for one platform are refused by the store.
SUFFIXES = set(".py .txt .md .json .svg .png .qml .onnx .html .css .qm .gpl".split())


@pytest.fixture(scope="module")
def metadata() -> dict:
    # The store reads the file with interpolation off and refuses duplicates, as here.
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((ROOT / "metadata.txt").read_text(encoding="utf-8"))
    return dict(parser["general"])


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("package") / "concord.zip"
    script = ROOT / "scripts" / "package.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("field", REQUIRED)
def test_required_field_is_there(metadata, field):
    assert metadata.get(field.lower(), "").strip()


def test_versions(metadata):
    assert metadata["qgisminimumversion"] == "3.22"
    assert metadata["qgismaximumversion"] == "4.99"
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])


def test_changelog_has_the_version(metadata):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{metadata['version']}]" in changelog
    assert metadata["version"] in metadata["changelog"]


def test_texts_are_what_the_store_shows(metadata):
    assert metadata["name"] == "Concord"
    assert re.fullmatch(r"[A-Za-z][\w -]*", metadata["name"])
    assert len(metadata["description"]) <= 250
    assert "<" not in metadata["description"] + metadata["about"]
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", metadata["email"])
    assert metadata["tags"] and all(tag.strip() for tag in metadata["tags"].split(","))


@pytest.mark.parametrize("field", ["homepage", "tracker", "repository"])
def test_links_are_complete(metadata, field):
    link = urlparse(metadata[field])
    assert link.scheme == "https" and link.netloc and link.path.strip("/")


def test_switches(metadata):
    assert metadata["hasprocessingprovider"] == "yes"
    assert metadata["experimental"] in ("True", "False")
    assert metadata["deprecated"] == "False"
    assert metadata["license"] == "GPL-2.0-or-later"


def test_icon_is_there_and_draws(metadata):
    from qgis.PyQt.QtGui import QIcon

    path = ROOT / metadata["icon"]
    assert path.is_file()
    assert not QIcon(str(path)).pixmap(24, 24).isNull()


def names_of(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_zip_has_one_folder_with_what_qgis_reads(package):
    names = names_of(package)
    assert {name.split("/")[0] for name in names} == {"concord"}
    needed = "metadata.txt __init__.py LICENSE CHANGELOG.md requirements.txt plugin/plugin.py"
    assert {f"concord/{name}" for name in needed.split()} <= set(names)
    assert "concord/resources/icons/concord.svg" in names


def test_zip_is_small_and_clean(package):
    assert package.stat().st_size < SIZE_LIMIT
    for name in names_of(package):
        parts = Path(name).parts
        assert not any(part.startswith(".") or part == "__pycache__" for part in parts), name
        assert parts[1] not in ("tests", "scripts", "out", "dist"), name
        assert parts[1:3] != ("models", "training"), name
        assert Path(name).suffix in SUFFIXES or parts[1] == "LICENSE", name


def test_every_model_in_the_zip_has_its_card(package):
    names = set(names_of(package))
    models = [name for name in names if name.endswith(".onnx")]
    assert [m for m in models if m.replace(".onnx", ".mlm.json") not in names] == []


def test_unpacked_zip_is_a_plugin_that_imports(package, tmp_path):
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    code = "import concord; print(concord.classFactory(None).__class__.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "ConcordPlugin", done.stderr


def test_same_files_give_the_same_zip(package, tmp_path):
    again = tmp_path / "again.zip"
    script = ROOT / "scripts" / "package.py"
    subprocess.run([sys.executable, str(script), str(again)], check=True, capture_output=True)
    assert again.read_bytes() == package.read_bytes()
