"""A QGIS without a window, with Processing and Concord's provider, ended cleanly."""

from __future__ import annotations

import contextlib
import sys


@contextlib.contextmanager
def qgis():
    """QGIS for the length of a `with` block."""
    from qgis.core import QgsApplication

    app = QgsApplication([], False)
    app.initQgis()
    sys.path.append(str(QgsApplication.pkgDataPath()) + "/python/plugins")
    from processing.core.Processing import Processing

    from concord.plugin.algorithms.provider import ConcordProvider

    Processing.initialize()
    provider = ConcordProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    try:
        yield app
    finally:
        from qgis.core import QgsProject

        QgsProject.instance().clear()
        QgsApplication.processingRegistry().removeProvider(provider)
        app.exitQgis()
