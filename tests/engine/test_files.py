"""Whole files or nothing, and sentences about the disk."""

from __future__ import annotations

import os
import re

import pytest

from concord.plugin.engine import files
from concord.plugin.engine.errors import ConcordError


def names(folder) -> list:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_under_its_name_only_when_complete(tmp_path):
    target = tmp_path / "new" / "map.tif"
    with files.atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists() and temporary.parent == target.parent
        assert temporary.suffix == ".tif"
    assert names(target.parent) == ["map.tif"] and target.read_bytes() == b"half"


@pytest.mark.parametrize("error", [ValueError("x"), OSError(28, "No space"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "map.tif"
    target.write_bytes(b"old")
    with pytest.raises((type(error), ConcordError)), files.atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert names(tmp_path) == ["map.tif"] and target.read_bytes() == b"old"


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_appears_only_when_complete(tmp_path, existing):
    target = tmp_path / "chips"
    if existing:
        target.mkdir()
    with files.atomic_folder(target) as temporary:
        (temporary / "a").write_text("1")
        assert not target.exists() or not names(target)
    assert names(tmp_path) == ["chips"] and names(target) == ["a"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), files.atomic_folder(tmp_path / "chips") as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "a").write_text("1")
        raise ValueError
    assert names(tmp_path) == []


@pytest.mark.parametrize("occupant", ["folder", "file"])
def test_an_occupied_folder_is_refused_and_untouched(tmp_path, occupant):
    target = tmp_path / "chips"
    kept = target if occupant == "file" else target / "mine.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    with pytest.raises(ConcordError, match="already holds files"):
        with files.atomic_folder(target):
            pytest.fail("the body must not run")
    assert kept.read_text() == "mine" and names(tmp_path) == ["chips"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_nan(tmp_path, number):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "r.json", {"a": [number]})
    assert names(tmp_path) == []


def test_json_keeps_order_and_letters(tmp_path):
    files.write_json(tmp_path / "r.json", {"b": "Grünland", "a": 1})
    assert (tmp_path / "r.json").read_bytes() == '{\n "b": "Grünland",\n "a": 1\n}\n'.encode()
    assert list(files.read_json(tmp_path / "r.json")) == ["b", "a"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe\x00"])
def test_unreadable_json_is_a_sentence(tmp_path, content):
    path = tmp_path / "r.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConcordError, match=r"r\.json (cannot be read|is not valid JSON)"):
        files.read_json(path)


def test_a_read_only_folder_is_named_with_its_remedy(open_folder, read_only_folder):
    target = open_folder / "report.json"
    target.write_bytes(b"old")
    for write in (lambda: files.write_json(target, {}), lambda: files.write_text(target, "x")):
        with read_only_folder(open_folder), pytest.raises(ConcordError) as caught:
            write()
        assert re.fullmatch(r".*report\.json .* read-only; choose another folder\.",
                            str(caught.value))  # fmt: skip
    with read_only_folder(open_folder), pytest.raises(ConcordError, match="read-only"):
        with files.atomic_folder(open_folder / "chips"):
            pytest.fail("the body must not run")
    assert names(open_folder) == ["report.json"] and target.read_bytes() == b"old"


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path, on_a_full_disk):
    target = tmp_path / "report.json"
    target.write_bytes(b"old")
    said = on_a_full_disk(
        "from concord.plugin.engine import files",
        f"files.write_json({str(target)!r}, ['x' * 100_000])",
        4096,
    )
    assert said.startswith("The disk is full") and str(target) in said and "free some space" in said
    assert names(tmp_path) == ["report.json"] and target.read_bytes() == b"old"


def test_a_folder_where_a_file_should_be_is_a_sentence(tmp_path):
    (tmp_path / "map.tif").mkdir()
    with pytest.raises(ConcordError, match=r"map\.tif cannot be written"):
        files.write_text(tmp_path / "map.tif", "x")
    assert names(tmp_path) == ["map.tif"]


def test_an_error_of_another_file_is_not_blamed_on_the_target(tmp_path):
    for atomic in (files.atomic_file, files.atomic_folder):
        with pytest.raises(ConcordError, match=r"input\.tif cannot be used"):
            with atomic(tmp_path / "out"):
                open(tmp_path / "input.tif", "rb")
    assert names(tmp_path) == []


def test_hash_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert files.sha256(path) == empty
    path.write_bytes(os.urandom(1 << 20) + b"tail")
    first = files.sha256(path)
    path.write_bytes(path.read_bytes()[:-1] + b"L")
    assert files.sha256(path) != first


def test_json_that_windows_saved_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "scheme.json"
    path.write_text('{"id": "ü"}', encoding="utf-8-sig")
    assert files.read_json(path) == {"id": "ü"}
