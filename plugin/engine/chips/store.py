"""Where a set's files go: staged beside the target, journalled, moved into place at the end.

A set that is not there yet appears under its name in one rename. A set that Concord wrote before is
brought up to date: only files whose bytes changed are written, and the old set stays whole until
the new files are ready. A killed run leaves the staged files and a journal; the next run with the
same settings and inputs goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from .. import files
from ..errors import ConcordError, explain_os_error

MANIFEST = "manifest.json"
_JOURNAL = ".journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """One chip in the journal: its files {name: SHA-256} and what the writers keep of it."""

    id: str
    split: str = ""
    files: dict = field(default_factory=dict)
    records: dict = field(default_factory=dict)
    reason: str = ""  # why nothing was written, '' for a chip that was


class Store:
    """The files of one export; a context manager that cleans up unless the process is killed.

    Args:
        target: the set's folder: new, empty, or a set that Concord wrote.
        key: what the run depends on; a journal of another key is thrown away.

    Raises:
        ConcordError: the folder holds other files, is read-only, or the disk is full.
    """

    def __init__(self, target: str | Path, key: str):
        self.target = Path(target)
        self.staging = self.target.with_name(f".{self.target.name}.part")
        self._key = key
        self._old = _known_files(self.target)
        self._set_files: dict = {}
        self._made: set = set()
        self._folders: dict = {}
        self.written = 0

    def __enter__(self):
        try:
            self._resumed = self._resume()
            if not self._resumed:
                shutil.rmtree(self.staging, ignore_errors=True)
                self.staging.mkdir(parents=True)
                self._journal_path.write_text(json.dumps({"key": self._key}) + "\n", "utf-8")
            self._journal = open(self._journal_path, "a", encoding="utf-8", newline="\n")
        except OSError as error:
            shutil.rmtree(self.staging, ignore_errors=True)
            raise explain_os_error(error, self.target) from error
        return self

    def __exit__(self, kind, error, trace):
        with contextlib.suppress(OSError):  # a full disk has spoken before
            self._journal.close()
        # KeyboardInterrupt and a kill keep what was done; a failure or a cancel leaves nothing.
        if kind is not None and issubclass(kind, Exception):
            shutil.rmtree(self.staging, ignore_errors=True)
            if issubclass(kind, OSError):
                raise explain_os_error(error, self.target) from error
        return False

    @property
    def _journal_path(self) -> Path:
        return self.staging / _JOURNAL

    @property
    def done(self) -> int:
        """How many chips an interrupted run had finished."""
        return self._resumed

    def _resume(self) -> int:
        """Cut a torn last line off the journal and count its chips; 0 starts anew."""
        try:
            raw = self._journal_path.read_bytes()
        except OSError:
            return 0
        lines = raw[: raw.rfind(b"\n") + 1].splitlines(keepends=True)
        try:
            if not lines or json.loads(lines[0]).get("key") != self._key:
                return 0
            keep = lines[:1]
            for line in lines[1:]:
                entry = Entry(**json.loads(line))
                if not all(self._has(name, digest) for name, digest in entry.files.items()):
                    break
                keep.append(line)
        except (ValueError, TypeError, AttributeError):
            return 0
        self._journal_path.write_bytes(b"".join(keep))
        return len(keep) - 1

    def _has(self, name: str, digest: str) -> bool:
        staged = self.staging / name
        path = staged if staged.is_file() else self.target / name
        return path.is_file() and files.sha256(path) == digest

    def _place(self, name: str) -> str:
        folder, _, last = name.rpartition("/")
        parent = self._folder(folder, name)
        if name.startswith("/") or last == ".." or "\\" in last or last[1:2] == ":":
            raise self._leaves(name)
        path = os.path.join(parent, last)
        if parent not in self._made:
            try:
                os.mkdir(parent)
            except OSError:  # there already, or its parent is not
                os.makedirs(parent, exist_ok=True)
            self._made.add(parent)
        return path

    def _folder(self, folder: str, name: str) -> str:
        """Where a folder of the set is staged, looked at once."""
        if folder not in self._folders:
            drive = PureWindowsPath(folder).drive
            if ".." in folder.split("/") or folder.startswith("/") or drive or "\\" in folder:
                raise self._leaves(name)
            self._folders = {folder: os.path.join(self.staging, folder)}
        return self._folders[folder]

    @staticmethod
    def _leaves(name: str) -> ConcordError:
        return ConcordError(f"The file name {name} would leave the folder; rename the source.")

    def put(self, name: str, data: bytes) -> str:
        """Stage a file unless the old set has the same bytes; its SHA-256."""
        digest = hashlib.sha256(data).hexdigest()
        if self._old.get(name) == digest and self._has(name, digest):
            return digest
        with open(self._place(name), "wb") as out:
            out.write(data)
        self.written += 1
        return digest

    def put_set_file(self, name: str, chunks: Iterable) -> str:
        """Stage a file of the whole set from pieces of text or bytes; its SHA-256."""
        digest = hashlib.sha256()
        path = self._place(name)
        with open(path, "wb") as out:
            for chunk in [chunks] if isinstance(chunks, (str, bytes)) else chunks:
                data = chunk.encode("utf-8") if isinstance(chunk, str) else chunk
                digest.update(data)
                out.write(data)
        value = digest.hexdigest()
        unchanged = self.target / name
        if unchanged.is_file() and files.sha256(unchanged) == value:
            os.unlink(path)
        else:
            self.written += 1
        if name != MANIFEST:
            self._set_files[name] = value
        return value

    def add(self, entry: Entry) -> None:
        """Note a finished chip; its files are staged already."""
        self._journal.write(json.dumps(vars(entry), ensure_ascii=False) + "\n")
        self._journal.flush()

    def entries(self) -> Iterator:
        """Every chip of the journal that was written, in order; read from disk each time."""
        return (entry for entry in self._all() if not entry.reason)

    def refused(self) -> list:
        """(id, reason) of chips that held nothing to write."""
        return [(entry.id, entry.reason) for entry in self._all() if entry.reason]

    def _all(self) -> Iterator:
        with open(self._journal_path, encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                yield Entry(**json.loads(line))

    def listed(self) -> Iterator:
        """(name, SHA-256) of every file of the set but the manifest."""
        for entry in self.entries():
            yield from entry.files.items()
        yield from sorted(self._set_files.items())

    def commit(self) -> None:
        """Put the staged files in place; what the old set had and the new one lacks goes."""
        names = {name for name, _ in self.listed()} | {MANIFEST}
        self._journal.close()
        self._journal_path.unlink()
        if not self._old:
            if self.target.exists():
                self.target.rmdir()
            os.replace(self.staging, self.target)
            return
        for path in sorted(p for p in self.staging.rglob("*") if p.is_file()):
            name = path.relative_to(self.staging).as_posix()
            if name != MANIFEST:
                self._move(path, name)
        for name in sorted(set(self._old) - names):
            _remove_with_folders(self.target, name)
        if (self.staging / MANIFEST).is_file():
            self._move(self.staging / MANIFEST, MANIFEST)
        shutil.rmtree(self.staging, ignore_errors=True)

    def _move(self, path: Path, name: str) -> None:
        goal = self.target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, goal)


def _remove_with_folders(root: Path, name: str) -> None:
    path = (root / name).resolve()
    if root.resolve() not in path.parents:
        return  # a manifest that was tampered with
    path.unlink(missing_ok=True)
    parent = path.parent
    while parent != root.resolve() and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent


def _known_files(target: Path) -> dict:
    """{name: SHA-256} of a set that Concord wrote there, {} for a new or empty folder."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return {}
    refusal = ConcordError(f"{target} already holds files; choose a new or empty folder.")
    if not (target / MANIFEST).is_file():
        raise refusal
    try:
        manifest = files.read_json(target / MANIFEST)
        listed = manifest["files"]
        if manifest.get("made_with") != "Concord" or not isinstance(listed, dict):
            raise refusal
    except (ConcordError, KeyError, TypeError, AttributeError) as error:
        raise refusal from error
    return {str(name): str(digest) for name, digest in listed.items()} or {MANIFEST: ""}
