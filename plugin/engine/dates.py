"""Acquisition dates found in file and folder names."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

# Day forms first, then HLS and MODIS year plus day of year.
_DAY = re.compile(r"(?<!\d)((?:19[7-9]|20[0-4])\d)([-_.]?)(0[1-9]|1[0-2])\2([0-3]\d)(?=\D|$)")
_ORDINAL = re.compile(r"(?<!\d)((?:19[7-9]|20[0-4])\d)([0-3]\d\d)(?=\D|$)")


def in_text(text: str) -> str:
    """The first date in ``text`` as YYYY-MM-DD, '' when there is none."""
    for match in _DAY.finditer(text):
        try:
            parts = (int(match.group(1)), int(match.group(3)), int(match.group(4)))
            return datetime.date(*parts).isoformat()
        except ValueError:
            continue
    for match in _ORDINAL.finditer(text):
        day = int(match.group(2))
        if 1 <= day <= 366:
            start = datetime.date(int(match.group(1)), 1, 1)
            return (start + datetime.timedelta(day - 1)).isoformat()
    return ""


def of_path(path: str | Path) -> str:
    """The date in a file's own name, else in the nearest of three folders above it."""
    path = Path(path)
    for text in (path.stem, *(parent.name for parent in list(path.parents)[:5])):
        found = in_text(text)
        if found:
            return found
    return ""
