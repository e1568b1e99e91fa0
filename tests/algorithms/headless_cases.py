"""Runs algorithms in a QGIS of its own and prints what each said, as JSON; used by the tests that
limit the disk or the rights of a process.

    headless_cases.py CASES.json      [{"algorithm", "parameters", "limit"}, …]
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".build" / "plugins"), str(ROOT / "scripts")]


def run(case: dict) -> str:
    """The sentence with which a case failed, '' when it did not."""
    import processing
    from qgis.core import QgsProcessingException, QgsProcessingFeedback

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if case.get("limit"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (case["limit"], hard))
        processing.run(case["algorithm"], case["parameters"], feedback=QgsProcessingFeedback(False))
    except QgsProcessingException as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return ""


def main() -> int:
    from loop import headless

    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with headless.qgis():
        answers = [run(case) for case in cases]
    print("ANSWERS " + json.dumps(answers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
