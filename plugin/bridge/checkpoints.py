"""A SAM checkpoint turned into an ONNX pair by a process and an environment of its own.

Torch never enters QGIS: the environment is made once in the user's profile, and the program that
exports and checks the pair runs there.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QObject, QProcess, QProcessEnvironment, pyqtSignal

from .text import tr

PROGRAM = Path(__file__).resolve().parents[2] / "resources" / "sam"
PACKAGE = "segment-anything==1.0"


def profile_folder(name: str) -> Path:
    """A folder of Concord's in the user's profile."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "concord" / name


def python() -> str:
    """A Python to make the environment with; QGIS itself may be what `sys.executable` names."""
    names = ("python3.exe", "python.exe") if os.name == "nt" else ("bin/python3", "python3")
    for prefix in (sys.exec_prefix, sys.base_prefix, "/usr"):
        for name in names:
            if (Path(prefix) / name).is_file():
                return str(Path(prefix) / name)
    return shutil.which("python3") or shutil.which("python") or ""


class CheckpointExport(QObject):
    """Runs the steps one after the other; `ended` brings (folder, '') or ('', what went wrong)."""

    progressed = pyqtSignal(str)
    ended = pyqtSignal(str, str)

    def __init__(self, parent: QObject | None = None, environment: Path | None = None):
        super().__init__(parent)
        self._environment = environment or profile_folder("sam-environment")
        self._process: QProcess | None = None
        self._steps: list = []
        self._folder = self._making = Path()
        self._said = ""

    @property
    def busy(self) -> bool:
        return self._process is not None

    def _own_python(self) -> Path:
        place = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return self._environment / place

    def start(self, checkpoint: str) -> None:
        """Export one checkpoint into the user's model folder."""
        if self.busy:
            return
        self._folder = profile_folder("models") / Path(checkpoint).stem
        # What is not checked yet must not be taken for a model, whatever ends QGIS meanwhile.
        self._making = profile_folder("sam-export") / Path(checkpoint).stem
        shutil.rmtree(self._making, ignore_errors=True)
        own, ready = str(self._own_python()), self._environment / "ready"
        pip = [own, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
        self._steps = []
        if not ready.exists():
            maker = python()
            if not maker:
                self.ended.emit("", tr("No Python was found to make the export environment with."))
                return
            self._steps = [
                (tr("Making an environment for the export"),
                 [maker, "-m", "venv", str(self._environment)]),
                (tr("Getting torch (some hundred megabytes, once)"),
                 [*pip, "-r", str(PROGRAM / "requirements-sam.txt")]),
                (tr("Getting segment-anything"), [*pip, "--no-deps", PACKAGE]),
                ("", ready),
            ]  # fmt: skip
        program = [own, "-W", "ignore", str(PROGRAM / "sam_export.py"), checkpoint]
        self._steps.append((tr("Reading the checkpoint"), [*program, str(self._making)]))
        self._next()

    def cancel(self) -> None:
        """Stop; what was half made is removed."""
        self._steps = []
        if self._process is not None:
            self._process.kill()

    def _next(self) -> None:
        text, command = self._steps.pop(0)
        if isinstance(command, Path):
            command.touch()
            self._next()
            return
        self.progressed.emit(text)
        self._said = ""
        self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            environment.remove(name)
        self._process.setProcessEnvironment(environment)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._error)
        self._process.start(command[0], command[1:])

    def _read(self) -> None:
        text = bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            self._said = lines[-1]
            if not self._said.startswith("{"):
                self.progressed.emit(self._said[:160])

    def _error(self, kind) -> None:
        if kind == QProcess.ProcessError.FailedToStart:
            self._close(tr("The export could not be started; is Python installed?"))

    def _finished(self, code: int, _status) -> None:
        if self._process is None:
            return
        self._read()
        if code == 0 and self._steps:
            self._process.deleteLater()
            self._process = None
            self._next()
        elif code == 0:
            self._close("")
        else:
            self._close(self._said or tr("The export was stopped."))

    def _close(self, problem: str) -> None:
        if self._process is not None:
            self._process.deleteLater()
            self._process = None
        self._steps = []
        problem = problem or self._filed()
        shutil.rmtree(self._making, ignore_errors=True)
        self.ended.emit("" if problem else str(self._folder), problem)

    def _filed(self) -> str:
        """Put the checked pair where models are looked for; what went wrong, or nothing."""
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            earlier = self._making.with_name(self._making.name + ".earlier")
            shutil.rmtree(earlier, ignore_errors=True)
            if self._folder.exists():
                self._folder.replace(earlier)
            try:
                self._making.replace(self._folder)
            except OSError:
                if earlier.exists():
                    earlier.replace(self._folder)
                raise
            shutil.rmtree(earlier, ignore_errors=True)
        except OSError as error:
            return tr(
                "{folder} cannot be written ({why}); free it or choose another profile."
            ).format(folder=self._folder, why=error.strerror)
        return ""
