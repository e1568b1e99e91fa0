"""Writing whole files or nothing: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from pathlib import Path

from .errors import ConcordError, explain_os_error


def _temporary_name(target: Path) -> Path:
    # The suffix stays last, because GDAL drivers look at it.
    return target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.part{target.suffix}")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # in a folder that may not be entered, even asking fails
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _explain(error: OSError, target: Path, temporary: Path) -> ConcordError:
    """A sentence about the target, or about another file that the work stumbled over."""
    other = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
    ours = {target, temporary, *target.parents}
    if other is None or other in ours or temporary in other.parents:
        return explain_os_error(error, target)
    return ConcordError(f"{other} cannot be used ({error.strerror}); check that the file exists.")


@contextlib.contextmanager
def atomic_file(target: str | Path):
    """Yield a temporary path beside ``target``; rename it on success, remove it on failure.

    Raises:
        ConcordError: the folder is missing or read-only, or the disk is full.
    """
    target = Path(target)
    temporary = _temporary_name(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Asked before the work starts, so that an hour's run does not end in a refusal.
        temporary.touch()
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise _explain(error, target, temporary) from error
    finally:
        _remove(temporary)


def is_dataset_name(text: str) -> bool:
    """Whether GDAL finds a raster by a name that is no path: a virtual file or a layer inside one.

    Such as /vsizip/a.zip/b.tif, NETCDF:"a.nc":red, GPKG:a.gpkg:table or the text of a virtual
    raster; C:/a.tif is a path.
    """
    return (
        text.startswith(("/vsi", "<VRTDataset"))
        or re.match(r"[A-Za-z][A-Za-z0-9_]+:", text) is not None
    )


def absolute(name: str) -> str:
    """A path as an absolute one; GDAL's names of what is no path stay."""
    return name if is_dataset_name(name) else str(Path(name).resolve())


def require_writable(target: str | Path) -> None:
    """Refuse a path whose folder cannot be written or made; nothing is left behind.

    Raises:
        ConcordError: as ``atomic_file``.
    """
    target = Path(target)
    folder = target.absolute().parent
    try:
        while not folder.exists():
            folder = folder.parent
        probe = folder / _temporary_name(target).name
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise explain_os_error(error, target) from error


@contextlib.contextmanager
def atomic_folder(target: str | Path):
    """Yield a temporary folder that becomes ``target`` on success.

    An existing non-empty ``target`` is refused, so that nothing of the user's is overwritten.
    """
    target = Path(target)
    temporary = _temporary_name(target)
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConcordError(f"{target} already holds files; choose a new or empty folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if target.exists():
            target.rmdir()
        os.replace(temporary, target)
    except OSError as error:
        raise _explain(error, target, temporary) from error
    finally:
        _remove(temporary)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically, with the same bytes on every platform."""
    with atomic_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())


def write_json(path: str | Path, value) -> None:
    """Write JSON atomically; key order is kept, NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read a JSON file.

    Raises:
        ConcordError: the file is missing or is no JSON.
    """
    try:
        with open(path, encoding="utf-8-sig") as f:  # Windows puts a byte order mark first
            return json.load(f)
    except OSError as error:
        raise ConcordError(f"{path} cannot be read; check that the file exists.") from error
    except ValueError as error:
        raise ConcordError(f"{path} is not valid JSON; repair it or choose another.") from error


def file_behind(name: str | Path) -> Path:
    """The file that holds what one of GDAL's names stands for; a path is itself.

    /vsizip/a.zip/b.tif is in a.zip, NETCDF:"a.nc":red in a.nc, GPKG:a.gpkg:table in a.gpkg.
    """
    text = str(name)
    if not is_dataset_name(text):
        return Path(text)
    quoted = re.findall(r'"([^"]+)"', text)
    inner = quoted[0] if quoted else re.sub(r"^(/vsi[a-z0-9_]+/|[A-Za-z0-9_]+:)", "", text)
    places = [Path(inner), *Path(inner).parents, Path(inner.rpartition(":")[0] or inner)]
    return next((place for place in places if place.is_file()), Path(text))


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces; of the file that holds a layer of GDAL's."""
    digest = hashlib.sha256()
    with open(file_behind(path), "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
