"""Reading what a run reported."""

from __future__ import annotations

import json
from pathlib import Path

from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices

from ..bridge.text import tr
from ..engine.errors import ConcordError
from .runner import Outcome


def of(outcome: Outcome) -> dict:
    """The numbers of a run's report; empty when it wrote none."""
    path = outcome.results.get("REPORT")
    return read(str(path)) if path else {}


def read(path: str | Path) -> dict:
    """The numbers of a report, of which the path of the page or of the numbers is given.

    Raises ConcordError when they cannot be read.
    """
    path = Path(path).with_suffix(".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConcordError(
            tr("The report {path} cannot be read ({why}).").format(path=path, why=error)
        ) from error


def show(path: str) -> None:
    """Open a report in the user's own program for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(path))
