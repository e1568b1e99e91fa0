"""Print one line a test suite from its junit files; non-zero when one failed or did not finish."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def summary(path: Path) -> tuple[str, bool]:
    """One line about a suite, and whether it passed with at least one test."""
    try:
        suites = list(ElementTree.parse(path).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return f"{path.stem}: did not finish", False
    count = {
        key: sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    }
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    line = f"{path.stem}: {passed} passed, {failed} failed, {count['skipped']} skipped"
    return f"{line}, {seconds:.1f} s", failed == 0 and passed > 0


def main(paths: list[str]) -> int:
    """Print the summaries; 1 when a suite failed."""
    results = [summary(Path(path)) for path in paths]
    for line, _ in results:
        print(line)
    return 0 if all(good for _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
