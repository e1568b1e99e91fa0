"""Encodings kept in memory and on disk, so that a second prompt at a place answers at once.

The key of an encoding covers all it was made from (model, composite, place, pixels), so an entry
is never wrong, only old; the oldest go when the folder grows over its limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from ..errors import ConcordError
from ..files import atomic_file
from .prompts import Encoding

VERSION = 3  # of what is stored; raise it when an encoding of old would be read wrongly
LIMIT = 2 * 1024**3  # bytes on disk
_SUFFIX = ".npz"


class DiskStore:
    """Encodings as .npz files in one folder, at most ``limit`` bytes, least recently used out."""

    def __init__(self, folder: str | Path, limit: int = LIMIT):
        self.folder, self.limit = Path(folder), limit
        self._lock = threading.Lock()

    def _path(self, key) -> Path:
        digest = hashlib.blake2b(repr((VERSION, key)).encode(), digest_size=20)
        return self.folder / f"{digest.hexdigest()}{_SUFFIX}"

    def read(self, key) -> Encoding | None:
        """The encoding, None when it is absent or its file is damaged."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as kept:
                content = {name: kept[name] for name in kept.files}
            shape = tuple(int(side) for side in content.pop("_shape"))
            with contextlib.suppress(OSError):
                os.utime(path)
        except FileNotFoundError:
            return None
        except Exception:  # a damaged zip shows in many ways; it is made again
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        for name, value in content.items():
            if value.dtype == np.float16:
                content[name] = value.astype(np.float32)
        return Encoding(shape, content)

    def write(self, key, encoding: Encoding) -> None:
        """Keep an encoding; a full or read-only disk costs the encoding, not the prompt."""
        arrays = {
            name: value.astype(np.float16) if _is_feature(value) else value
            for name, value in encoding.content.items()
        }
        with contextlib.suppress(ConcordError, OSError), self._lock:
            with atomic_file(self._path(key)) as temporary, temporary.open("wb") as file:
                np.savez(file, _shape=np.array(encoding.shape), **arrays)
            self._trim()

    def _trim(self) -> None:
        entries = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                entries.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries)[:-1]:  # the newest stays whatever its size
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size

    def size(self) -> tuple:
        """(number of encodings, bytes)."""
        sizes = [path.stat().st_size for path in self.folder.glob(f"*{_SUFFIX}")]
        return len(sizes), sum(sizes)

    def clear(self) -> None:
        """Remove all encodings."""
        with self._lock:
            for path in self.folder.glob(f"*{_SUFFIX}"):
                with contextlib.suppress(OSError):
                    path.unlink()


class EncodingStore:
    """A least-recently-used store in memory, in front of a store on disk when it has one."""

    def __init__(self, limit: int = 32, disk: DiskStore | None = None):
        self._limit, self.disk = limit, disk
        self._kept: OrderedDict = OrderedDict()
        self._lock = threading.Lock()

    def keep_in(self, folder: str | Path, limit: int = LIMIT) -> None:
        """Use a folder on disk from now on."""
        if self.disk is None or (self.disk.folder, self.disk.limit) != (Path(folder), limit):
            self.disk = DiskStore(folder, limit)

    def find(self, key) -> Encoding | None:
        """The encoding under ``key``, from memory or disk, None when there is none."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self.disk.read(key) if self.disk is not None else None
        if found is not None:
            self._remember(key, found)
        return found

    def get(self, key, make) -> Encoding:
        """The encoding under ``key``, made by ``make()`` when it is not there."""
        found = self.find(key)
        if found is not None:
            return found
        # Rounded before its first use, so that answers do not depend on where it comes from.
        made = _rounded(make())
        if self.disk is not None and isinstance(made, Encoding):
            self.disk.write(key, made)
        self._remember(key, made)
        return made

    def _remember(self, key, encoding: Encoding) -> None:
        with self._lock:
            self._kept[key] = encoding
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget what is in memory; the disk keeps its own."""
        with self._lock:
            self._kept.clear()


def _is_feature(value: np.ndarray) -> bool:
    return value.ndim == 4 and value.dtype == np.float32


def _rounded(encoding: Encoding) -> Encoding:
    if not isinstance(encoding, Encoding):  # a provider of one's own may keep anything in memory
        return encoding
    content = {
        name: np.clip(value, -65504, 65504).astype(np.float16).astype(np.float32)
        if _is_feature(value)
        else value
        for name, value in encoding.content.items()
    }
    return Encoding(encoding.shape, content)


SHARED = EncodingStore()
