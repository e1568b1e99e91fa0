"""Fixtures for all tests but those of tests/desktop."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
)
from qgis.PyQt import sip

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config) -> None:
    """Say early what would otherwise be a puzzling import error."""
    if not (ROOT / ".build" / "plugins" / "concord").exists():
        raise pytest.UsageError(
            "Run 'make setup-dev' once; the link .build/plugins/concord is missing."
        )


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_qgis(qgis_app):
    """A layer that the interpreter frees after QGIS has gone takes the whole run down with it.

    Exceptions that pass through QGIS are never freed, nor are the layers that their frames hold.
    """
    yield
    QgsProject.instance().clear()
    gc.collect()
    for thing in gc.get_objects():
        if isinstance(thing, QgsMapLayer) and not sip.isdeleted(thing) and sip.ispyowned(thing):
            sip.delete(thing)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root, which is the plugin folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: CONCORD_DATA, seen from the root; default ../shared/data."""
    folder = (ROOT / os.environ.get("CONCORD_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        message = f"The real data are missing: set CONCORD_DATA to their folder ({folder} is none)."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def provider(qgis_processing):
    """Concord's Processing provider, registered as the plugin registers it."""
    from concord.plugin.algorithms.provider import ConcordProvider

    registry = QgsApplication.processingRegistry()
    found = registry.providerById("concord")
    if found is None:
        assert registry.addProvider(ConcordProvider()), "QGIS refused the provider"
        found = registry.providerById("concord")
    return found


class Messages(QgsProcessingFeedback):
    """A feedback that keeps what an algorithm says, as (kind, text)."""

    def __init__(self) -> None:
        super().__init__(False)
        self.messages: list[tuple[str, str]] = []

    def pushInfo(self, text):
        self.messages.append(("info", text))

    def pushWarning(self, text):
        self.messages.append(("warning", text))

    def reportError(self, text, fatal=False):
        self.messages.append(("error", text))


@pytest.fixture
def run_algorithm(provider):
    """run_algorithm(id, parameters) -> results; what it said stands in run_algorithm.messages.

    An algorithm that fails raises QgsProcessingException, as in the toolbox.
    """
    import processing

    def run(algorithm_id: str, parameters: dict) -> dict:
        feedback = Messages()
        run.messages = feedback.messages
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        context.setFeedback(feedback)
        run.context = context  # the results' temporary layers live as long as it
        return processing.run(algorithm_id, parameters, feedback=feedback, context=context)

    run.messages = []
    run.context = None
    yield run
    run.context = None  # what outlives QGIS takes the interpreter down with it
