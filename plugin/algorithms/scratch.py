"""A place for what an algorithm must make on its way although nobody asked for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from ..engine import files
from ..engine.errors import explain_os_error
from .checks import EMPTY, destination_text


def asked(algorithm, parameters) -> list:
    """Names of the outputs that are asked for."""
    names = [d.name() for d in algorithm.destinationParameterDefinitions()]
    return [name for name in names if parameters.get(name) not in EMPTY]


@contextlib.contextmanager
def file(algorithm, parameters, name: str, suffix: str):
    """The path of a file that is gone afterwards.

    It lies in a hidden folder beside an output that is asked for, always the same, so that a
    killed run finds its journal there; without such an output among temporary files.
    """
    beside = _beside(algorithm, parameters)
    if beside is None:
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder) / f"{name.lower()}{suffix}")
        return
    folder = beside.with_name(f".{beside.name}.unasked")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, beside) from error
    try:
        yield str(folder / f"{name.lower()}{suffix}")
    finally:
        _clear(folder)


def _clear(folder: Path) -> None:
    """Remove the files; the journal of a run that failed is a folder and stays, to go on from."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_file():
                entry.unlink()
        if not any(folder.iterdir()):
            shutil.rmtree(folder)


def _beside(algorithm, parameters) -> Path | None:
    for name in asked(algorithm, parameters):
        text = destination_text(parameters[name])
        if text and "|" not in text:
            return Path(text).absolute()
    return None


def told(report: dict, unasked) -> dict:
    """A report without the places of files that were not asked for."""
    return {key: None if str(value) in unasked else value for key, value in report.items()}


def retell(path: str, unasked) -> None:
    """The same for a report that is written already."""
    if unasked:
        files.write_json(path, told(files.read_json(path), unasked))
