"""The promptable models that come with the plugin, the default in front."""

from __future__ import annotations

from pathlib import Path

from .. import packages

MODELS = Path(__file__).resolve().parents[3] / "models"
NETWORK, REGIONS = "concord-prompt", "regions"


def offered() -> list:
    """The ids of what came with the plugin; what works here in front, the better one first.

    The network is better after any number of clicks on held-out buildings and floods, on ponds and
    fields after corrections (models/concord-prompt/card.md).
    """
    found = [NETWORK, REGIONS] if folder(NETWORK) is not None else [REGIONS]
    return sorted(found, key=lambda model: bool(lacking(model)))


def lacking(model: str) -> list:
    """Import names of the packages that this model needs and that are not there."""
    return [] if model == REGIONS else packages.missing("onnxruntime")


def default() -> str:
    """The id of the model that answers when none was chosen."""
    return offered()[0]


def folder(model: str) -> Path | None:
    """The folder of a bundled network, None for anything else."""
    path = MODELS / model
    plain = bool(model) and Path(model).name == model
    return path if plain and any(path.glob("*.onnx")) else None
