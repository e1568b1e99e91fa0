"""What goes into a graph and what comes out: MLM value scaling, activations, class codes."""

from __future__ import annotations

import numpy as np

from ..errors import ConcordError
from ..taxonomy import ClassDef, colour_of


def classes_of(card) -> tuple:
    """(classes, shift): the card's classes with codes 1-254, and what was added to each code.

    Raises:
        ConcordError: the codes do not fit into 1-254, or one stands twice.
    """
    classes = card.classes
    if len(classes) == 1 and card.activation in ("sigmoid", "logits"):
        classes = (ClassDef(0, f"not {classes[0].name}", ""), ClassDef(1, classes[0].name, ""))
    shift = 1 if any(c.code == 0 for c in classes) else 0  # 0 is kept for no data
    codes = [c.code + shift for c in classes]
    if len(set(codes)) != len(codes) or not all(0 < code < 255 for code in codes):
        raise ConcordError(
            f"The card's class codes {', '.join(str(c.code) for c in classes)} do not fit into "
            "1-254 once each; renumber them."
        )
    named = tuple(
        ClassDef(c.code + shift, c.name, c.colour or colour_of(c.code + shift)) for c in classes
    )
    return named, shift


def scale(image: np.ndarray, card_input) -> np.ndarray:
    """MLM value scaling, one entry for all bands or one a band, in place."""
    rules = card_input.scaling
    if not rules:
        return image
    rules = rules * len(image) if len(rules) == 1 else rules
    if len(rules) != len(image):
        raise ConcordError(
            f"The card scales {len(rules)} bands and names {len(image)}; give one value scaling "
            "for all or one a band."
        )
    for plane, rule in zip(image, rules):
        try:
            _scale_plane(plane, rule or {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConcordError(
                f"The card's value scaling {rule} is incomplete ({error}); correct the card."
            ) from error
    return image


def _scale_plane(plane: np.ndarray, rule: dict) -> None:
    kind = rule.get("type")
    if kind == "scale":
        plane /= rule["value"]
    elif kind == "offset":
        plane -= rule["value"]
    elif kind == "z-score":
        plane -= rule["mean"]
        plane /= rule["stddev"]
    elif kind == "min-max":
        plane -= rule["minimum"]
        plane /= rule["maximum"] - rule["minimum"]
    elif kind in ("clip", "clip-min", "clip-max"):
        np.clip(plane, rule.get("minimum"), rule.get("maximum"), out=plane)
    elif kind is not None:
        raise ConcordError(
            f"The card's value scaling '{kind}' is not supported; fold it into the graph."
        )


def activate(scores: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities (classes, rows, cols) from what the graph gives."""
    if activation == "logits":
        if len(scores) == 1:
            with np.errstate(over="ignore"):
                return activate(1.0 / (1.0 + np.exp(-scores)), "sigmoid")
        scores = np.exp(scores - scores.max(axis=0, keepdims=True))
        return scores / scores.sum(axis=0, keepdims=True)
    if activation == "sigmoid" and len(scores) == 1:
        return np.concatenate([1.0 - scores, scores])
    return scores
