"""Run the benchmarks, each in a process of its own, into a table and out/bench.json.

python -m tests.bench [NAME...] runs those whose name contains one of the words. A benchmark is a
function bench_*(folder: Path) -> dict of figures or None, in a file tests/bench/bench_*.py; the
folder is empty and removed afterwards. Setting up inside `with pause():` is not timed.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .clock import paused

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def names() -> list[str]:
    """All benchmarks as file:function, without importing them."""
    found = []
    for path in sorted(HERE.glob("bench_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("bench_"):
                found.append(f"{path.stem}:{node.name}")
    return found


def measure(name: str) -> dict:
    """Run one benchmark in this process: seconds, peak memory in MB, and its own figures."""
    module, function = name.split(":")
    run = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        figures = run(Path(folder)) or {}
        seconds = time.perf_counter() - start - paused()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 3), "peak_mb": round(peak, 1), **figures}


def main(words: list[str]) -> int:
    """Run what matches; 1 when a benchmark failed or none matched."""
    chosen = [name for name in names() if not words or any(word in name for word in words)]
    results, failed = {}, not chosen
    sys.path.insert(0, str(ROOT / ".build" / "plugins"))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for name in chosen:
        command = [sys.executable, "-m", __package__, "--measure", name]
        done = subprocess.run(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            failed = True
            print(f"{name}: failed with exit status {done.returncode}")
            continue
        results[name] = json.loads(done.stdout.splitlines()[-1])
        figures = "  ".join(f"{key} {value}" for key, value in results[name].items())
        print(f"{name}: {figures}", flush=True)
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    partial = out / "bench.json.part"
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(out / "bench.json")
    if not chosen:
        print("No benchmark matches; they stand in tests/bench/bench_*.py.", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
