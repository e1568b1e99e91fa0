"""Run qgis_process with Concord enabled: process.py run concord:ALG -- 'PARAM=VALUE' ...

Passes arguments and exit status through. Of `run`, only messages, results and each error once
are shown; QGIS prints its inputs again, a progress line, and every error three times.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import IO

from profile_ini import enable_plugin
from qgis_env import ROOT, environment, folder, program

RULE = "----------------"
NOISE = ("DeprecationWarning", "QStandardPaths:", "Logged warning: Duplicate provider")


def results_and_messages(lines: Iterable[str]) -> Iterable[str]:
    """The lines of a run without the block of inputs, the progress line and empty lines."""
    heading = False
    section = ""
    for line in lines:
        text = line.rstrip("\n")
        if text == RULE:
            heading = not heading
            continue
        if heading:
            section = text
            continue
        if not text:
            # An empty line ends the inputs, once at least one was listed.
            section = "messages" if section == "listed" else section
            continue
        if section in ("Inputs", "listed") and "\t" in text:
            section = "listed"
            continue
        if text.startswith("0...") and text.strip("0123456789.- done") == "":
            continue
        yield text


def each_error_once(lines: Iterable[str]) -> Iterable[str]:
    """Lines of the error stream without QGIS's own warnings and repetitions."""
    seen: set[str] = set()
    for line in lines:
        text = line.rstrip("\n").replace("ERROR:\t", "").replace("Logged critical: ", "")
        if text.strip() and text not in seen and not any(word in text for word in NOISE):
            seen.add(text)
            yield text


def show(lines: Iterable[str], stream: IO[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        print(line, file=stream, flush=True)


def main(arguments: list[str]) -> int:
    """Run qgis_process.bin with these arguments; its exit status, 128 + signal after a crash."""
    if not arguments:
        sys.exit(
            "Nothing to run. Example: make process ARGS=\"run concord:modelcard -- 'MODEL=a.onnx'\""
        )
    enable_plugin(folder("qgis") / "profiles" / "default")
    run = arguments[0] == "run" and "--json" not in arguments
    with subprocess.Popen(
        [program("qgis_process.bin"), *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        errors = threading.Thread(
            target=show, args=(each_error_once(process.stderr), sys.stderr), daemon=True
        )
        errors.start()
        show(
            results_and_messages(process.stdout)
            if run
            else (line.rstrip("\n") for line in process.stdout),
            sys.stdout,
        )
        errors.join()
        status = process.wait()
    if status < 0:
        print(f"QGIS crashed (signal {-status}).", file=sys.stderr)
        return 128 - status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
