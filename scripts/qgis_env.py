"""The environment QGIS runs in here; as a program: qgis_env.py COMMAND ARG... runs it there.

Nothing of the user's QGIS profile is read or written: settings, temporary and run-time files
live in .build. CONCORD_QGIS names the root of another QGIS unpacked beside the system's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build"

# PROJ's and GDAL's would make rasterio's own libraries read the system's data, silently wrong.
UNSET = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONPATH")


def folder(name: str) -> Path:
    """A folder below .build, made when missing; mode 700, as Qt wants of XDG_RUNTIME_DIR."""
    path = BUILD / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def prefix() -> Path:
    """Where QGIS is installed: /usr, or usr below CONCORD_QGIS."""
    other = os.environ.get("CONCORD_QGIS")
    return Path(other).resolve() / "usr" if other else Path("/usr")


def program(name: str) -> str:
    """Path of one of QGIS's programs, such as qgis.bin."""
    path = prefix() / "bin" / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        sys.exit(f"{name} was not found. Run 'make setup' once to install QGIS.")
    return found


def environment(shown: bool = False) -> dict[str, str]:
    """A copy of this process's environment, changed so that QGIS finds the plugin and the venv.

    Unless QGIS is shown to a person it draws offscreen, in English, and has a home of its own.
    """
    env = {key: value for key, value in os.environ.items() if key not in UNSET}
    usr = prefix()
    paths = [usr / "share/qgis/python", usr / "share/qgis/python/plugins"]
    if usr != Path("/usr"):
        paths.insert(0, usr / "lib/python3/dist-packages")
        env["LD_LIBRARY_PATH"] = str(usr / "lib")
        env["QGIS_PREFIX_PATH"] = str(usr)
    # The programs embed /usr/bin/python3 and know nothing of the venv.
    paths.append(Path(sysconfig.get_path("purelib")))
    env["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    env["QGIS_PLUGINPATH"] = str(BUILD / "plugins")
    env["QGIS_CUSTOM_CONFIG_PATH"] = str(folder("qgis"))
    env["TMPDIR"] = str(folder("tmp"))
    if not shown:
        env["QT_QPA_PLATFORM"] = "offscreen"
        env["LC_ALL"] = "C.UTF-8"
        env["XDG_RUNTIME_DIR"] = str(folder("run"))
        for name in ("cache", "config", "data"):
            env[f"XDG_{name.upper()}_HOME"] = str(folder(f"home/{name}"))
    return env


def main(arguments: list[str]) -> int:
    """Run a command in this environment; its exit status, 128 + signal after a crash."""
    if not arguments:
        sys.exit(__doc__)
    status = subprocess.run(arguments, env=environment(), check=False).returncode
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
