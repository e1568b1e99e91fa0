"""Translation of user-facing text, one context for the whole plugin."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication


def tr(message: str) -> str:
    """The message in the user's language (context `Concord`)."""
    return QCoreApplication.translate("Concord", message)
