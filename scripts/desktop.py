"""Start the real QGIS desktop with Concord enabled, in profiles of our own below .build.

show          on the user's own display, optionally with a project file
test          run tests/desktop inside it, on a display of its own (Xvfb)
screenshots   picture every panel, on a display of its own, into out/screenshots/
scenes        load every folder of the real data through the Scene panel and picture it, likewise
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from profile_ini import ini_file, new_profile
from qgis_env import BUILD, ROOT, environment, folder, program

THEMES = ("default", "Night Mapping", "Blend of Gray")


def command(home: Path) -> list[str]:
    """QGIS on the profile below a folder, without splash screen and version check."""
    profiles = ["--profiles-path", str(home), "--profile", "own"]
    return [program("qgis.bin"), *profiles, "--nologo", "--noversioncheck"]


def profile_folder(home: Path) -> Path:
    """Where QGIS keeps that profile."""
    return home / "profiles" / "own"


@contextlib.contextmanager
def display(size: str) -> Iterator[str]:
    """A new X display of this size ("1600x1000") that nobody sees; its name, such as ":3"."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            sys.exit("Xvfb did not start. Install xvfb and see that /tmp/.X11-unix is writable.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def stop(process: subprocess.Popen) -> None:
    """End QGIS and all it started; its group is its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def drive(name: str, options: argparse.Namespace, extra: dict[str, str]) -> int:
    """Run the module drive_NAME inside the desktop on a display of its own; 0 when it succeeded.

    It reports through CONCORD_STATUS (see in_desktop.py). A missing report, a crash, also one
    while closing, and a time-out are failures; then the end of QGIS's log is shown.
    """
    home = folder(f"desktop/{name}-{os.getpid()}")
    new_profile(profile_folder(home), options.theme, topology=name == "tests")
    status_file = home / "status.json"
    log_file = BUILD / f"desktop-{name}.log"
    env = environment()
    env.pop("WAYLAND_DISPLAY", None)
    env.update(
        extra,
        CONCORD_DRIVE=f"drive_{name}",
        CONCORD_STATUS=str(status_file),
        PYQGIS_STARTUP=str(ROOT / "scripts" / "desktop_startup.py"),
        PYTHONPATH=env["PYTHONPATH"] + os.pathsep + str(ROOT / "scripts"),
        QT_QPA_PLATFORM="xcb",
        QT_SCALE_FACTOR=options.scale,
    )
    with display(options.size) as env["DISPLAY"], log_file.open("w") as log:
        process = subprocess.Popen(
            [*command(home), "--code", str(ROOT / "scripts" / "in_desktop.py")],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            exit_code: int | None = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            exit_code = None
        finally:
            stop(process)
    status = verdict(status_file, log_file, exit_code, options.timeout)
    shutil.rmtree(home, ignore_errors=True)
    return status


def verdict(status_file: Path, log_file: Path, exit_code: int | None, timeout: float) -> int:
    """0 when the driven file reported success and QGIS closed cleanly; else says what happened."""
    report = json.loads(status_file.read_text()) if status_file.exists() else {}
    if report.get("error"):
        print(report["error"])
    if exit_code is None:
        problem = f"QGIS was stopped after {timeout:.0f} s."
    elif exit_code != 0:
        problem = f"QGIS ended with exit code {exit_code} (negative: killed by that signal)."
    elif "status" not in report:
        problem = "QGIS ended without reporting a result."
    else:
        return int(report["status"])
    tail = log_file.read_text(errors="replace").splitlines()[-40:]
    # Not into the error stream: a run on record may keep only what was printed.
    print("\n".join(["--- the end of QGIS's log", *tail, "---", problem]), flush=True)
    return 1


def show(options: argparse.Namespace) -> int:
    """Open the desktop for a person; their own QGIS profile is not touched."""
    if not os.environ.get("DISPLAY"):
        sys.exit("There is no display (DISPLAY is not set), so QGIS cannot be shown.")
    home = folder("desktop/user")
    if not ini_file(profile_folder(home)).exists():
        new_profile(profile_folder(home), options.theme)
    project = ["--project", options.project] if options.project else []
    env = environment(shown=True)
    return subprocess.run([*command(home), *project], cwd=ROOT, env=env, check=False).returncode


def test(options: argparse.Namespace) -> int:
    """Run tests/desktop; pytest's own words come from the file it writes while inside."""
    words = BUILD / "desktop-pytest.txt"
    words.unlink(missing_ok=True)
    extra = {
        "CONCORD_PYTEST_OUT": str(words),
        "CONCORD_PYTEST_ARGS": json.dumps(options.rest),
        "CONCORD_JUNIT": str(BUILD / "desktop.xml"),
    }
    status = drive("tests", options, extra)
    if words.exists():
        print(words.read_text(errors="replace"), end="")
    return status


def screenshots(options: argparse.Namespace) -> int:
    """Picture every panel; SUFFIX keeps a variant (dark, scaled) beside the plain pictures."""
    started = time.monotonic()
    suffix = "" if options.theme == "default" else "-dark"
    suffix += "" if options.scale == "1" else f"-{float(options.scale):.0%}".rstrip("%")
    target = ROOT / "out" / "screenshots"
    target.mkdir(parents=True, exist_ok=True)
    extra = {"CONCORD_SHOTS": str(target), "CONCORD_SHOTS_SUFFIX": suffix}
    if options.mode == "scenes":
        extra["CONCORD_DATA"] = os.environ.get("CONCORD_DATA") or str(ROOT / "../shared/data")
    status = drive(options.mode, options, extra)
    print(
        f"Pictures *{suffix}.png in {target.relative_to(ROOT)}, {time.monotonic() - started:.0f} s"
    )
    return status


def parse(arguments: list[str]) -> argparse.Namespace:
    """Command line to options; what follows -- goes to pytest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["show", "test", "screenshots", "scenes"])
    parser.add_argument("project", nargs="?", help="project file to open (show only)")
    parser.add_argument("--theme", choices=THEMES, default="default", help="user interface theme")
    parser.add_argument("--scale", default="1", help="interface scale, such as 1.5")
    parser.add_argument("--size", default="1600x1000", help="size of the display in pixels")
    parser.add_argument("--timeout", type=float, default=300, help="seconds until QGIS is stopped")
    own, rest = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        own, rest = arguments[:cut], arguments[cut + 1 :]
    options = parser.parse_args(own)
    options.rest = rest
    return options


def main(arguments: list[str]) -> int:
    """Run one mode; the exit status."""
    options = parse(arguments)
    modes = {"show": show, "test": test, "screenshots": screenshots, "scenes": screenshots}
    return modes[options.mode](options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
