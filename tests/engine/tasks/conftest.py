"""Fixtures for models of every task."""

from tests.engine.tiny import graph, image, run  # noqa: F401
