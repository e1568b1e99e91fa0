"""Formulas of spectral indices, evaluated by walking a whitelisted syntax tree."""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Mapping

import numpy as np

from ..errors import ConcordError

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_LONGEST, _LARGEST_POWER = 500, 16.0


@functools.lru_cache(maxsize=512)
def parse(formula: str) -> ast.expr:
    """The tree of a formula of numbers, names, brackets and + - * / **.

    Raises:
        ConcordError: anything else stands in it.
    """
    try:
        if len(formula) > _LONGEST:
            raise SyntaxError("too long")
        tree = ast.parse(formula, mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ConcordError(
            f"The formula '{formula[:60]}' cannot be used ({error}); write it with band names, "
            "numbers, brackets and + - * / **."
        ) from error
    return tree


def _check(node: ast.AST) -> None:
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _check(node.left)
        _check(node.right)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        _check(node.operand)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        if abs(node.value) > 1e12:
            raise ValueError("a number is too large")
    elif not isinstance(node, ast.Name):
        raise ValueError(f"{type(node).__name__} is not allowed")


def names(formula: str) -> set:
    """The names that a formula uses."""
    return {node.id for node in ast.walk(parse(formula)) if isinstance(node, ast.Name)}


def evaluate(formula: str, values: Mapping) -> np.ndarray:
    """The formula on arrays or numbers by name; float32, NaN where it has no value."""
    with np.errstate(all="ignore"):
        result = np.asarray(_value(parse(formula), values), dtype=np.float32)
    if result.ndim == 0:
        return result
    finite = np.isfinite(result)
    if not finite.all():
        result = np.where(finite, result, np.float32(np.nan))
    return result


def _value(node: ast.expr, values: Mapping):
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, values))
    left, right = _value(node.left, values), _value(node.right, values)
    if isinstance(node.op, ast.Pow):
        # Towers of powers of plain numbers would run for ever.
        if not isinstance(right, np.ndarray) and abs(right) > _LARGEST_POWER:
            raise ConcordError(f"The formula raises to the power {right}, which is too large.")
        if isinstance(right, (int, float)) and right == 2 and isinstance(left, np.ndarray):
            return left * left
        return np.power(left, right) if isinstance(left, np.ndarray) else float(left) ** right
    if isinstance(node.op, ast.Div) and not isinstance(right, np.ndarray) and right == 0:
        return left * np.nan
    return _BINARY[type(node.op)](left, right)
