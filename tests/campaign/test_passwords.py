"""A password typed into STORE is refused before anything keeps it."""

from __future__ import annotations

import pytest


def test_a_password_in_store_is_refused_before_processing_keeps_it(server, run_algorithm):
    from qgis.core import QgsApplication, QgsProcessingContext

    from concord.plugin.bridge import campaign_db
    from concord.plugin.engine.errors import ConcordError

    registry = QgsApplication.processingRegistry()
    asked = 0
    for algorithm in registry.providerById("concord").algorithms():
        if algorithm.parameterDefinition("STORE") is None:
            continue
        asked += 1
        for text in (server.uri(), "postgresql://ana:secret-1@127.0.0.1/gis"):
            values, context = {"STORE": text}, QgsProcessingContext()
            fine, why = algorithm.checkParameterValues(values, context)
            assert not fine and "secret" not in why
            assert "authentication configuration" in why, (algorithm.id(), why)
    assert asked >= 6
    with pytest.raises(ConcordError) as caught:
        campaign_db.address("postgresql://ana:secret-1@127.0.0.1/gis")
    assert "secret" not in str(caught.value)
