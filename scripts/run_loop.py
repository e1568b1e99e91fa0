"""`make run`: the whole loop, headless, through Concord's own Processing provider.

Without --data it makes a synthetic sample scene; with it, it runs on the real data there. Every
step prints one line: what it did, the time it took and one figure.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".build" / "plugins"), str(Path(__file__).resolve().parent)]
MADE = ("maps", "chips", "sample", "real", "report.html", "report.json", "concord.qgz",
        "canvas.png", "splits.geojson")  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--data", type=Path, help="folder of real data")
    parser.add_argument("--size", type=int, default=1024, help="pixels of the sample scene")
    return parser.parse_args()


def _clear(out: Path) -> None:
    """Remove what an earlier run made; nothing else in the folder is touched."""
    out.mkdir(parents=True, exist_ok=True)
    for name in MADE:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (out / "maps").mkdir()


def main() -> int:
    arguments = _arguments()
    if arguments.data is not None and not arguments.data.is_dir():
        print(f"The data folder {arguments.data} does not exist; check DATA.", file=sys.stderr)
        return 2
    from loop import headless

    with headless.qgis():
        from loop import outcome, real, sample
        from loop.steps import Failed, Steps

        from concord.plugin.engine.errors import ConcordError

        out = arguments.out.resolve()
        _clear(out)
        steps = Steps()
        try:
            if arguments.data is None:
                loop = sample.run(steps, out, arguments.size)
            else:
                loop = real.run(steps, out, arguments.data.resolve())
            outcome.write(loop, steps, out)
        except (ConcordError, Failed) as error:
            print(f"Stopped: {error}", file=sys.stderr)
            return 1
    print(f"Results in {arguments.out}/: report.html, concord.qgz, canvas.png, maps/, chips/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
