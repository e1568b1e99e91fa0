"""The promptable models that come with the plugin, the default in front."""

from __future__ import annotations

from pathlib import Path

from .. import packages

MODELS = Path(__file__).resolve().parents[3] / "models"
NETWORK, REGIONS = "concord-prompt", "regions"


def offered() -> list:
    """The ids that can be used here, the better one first; the network with onnxruntime.

    The network is better after any number of clicks on held-out buildings and floods, on ponds and
    fields after corrections (models/concord-prompt/card.md).
    """
    usable = folder(NETWORK) is not None and not packages.missing("onnxruntime")
    return [NETWORK, REGIONS] if usable else [REGIONS]


def default() -> str:
    """The id of the model that answers when none was chosen."""
    return offered()[0]


def folder(model: str) -> Path | None:
    """The folder of a bundled network, None for anything else."""
    path = MODELS / model
    plain = bool(model) and Path(model).name == model
    return path if plain and any(path.glob("*.onnx")) else None
