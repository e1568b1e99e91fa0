"""Formulas of spectral indices, evaluated by walking a whitelisted syntax tree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping

import numpy as np

from ..errors import ConcordError

_BINARY = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: None,  # see _power
}
_UNARY = (ast.USub, ast.UAdd)
_STRIP = 1 << 16  # values of a strip
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
    """The formula on arrays (rows, cols) or numbers by name; float32, NaN where it has no value.

    Works in strips of rows that stay in the processor's cache.
    """
    tree = parse(formula)
    used = {name: values[name] for name in names(formula)}
    shapes = {v.shape for v in used.values() if isinstance(v, np.ndarray) and v.ndim == 2}
    if len(shapes) != 1:
        return _finite(np.asarray(_compute(tree, used), np.float32))
    shape = shapes.pop()
    out = np.empty(shape, np.float32)
    rows = max(1, _STRIP // max(1, shape[1]))
    for top in range(0, shape[0], rows):
        strip = {
            name: v[top : top + rows] if isinstance(v, np.ndarray) and v.ndim == 2 else v
            for name, v in used.items()
        }
        out[top : top + rows] = _finite(np.asarray(_compute(tree, strip), np.float32))
    return out


def _finite(result: np.ndarray) -> np.ndarray:
    """NaN for infinities; a sum finds out quickly whether there is anything to do."""
    if result.ndim and not np.isfinite(result.sum(dtype=np.float64)):
        return np.where(np.isfinite(result), result, np.float32(np.nan))
    return result


def _compute(tree: ast.expr, values: Mapping):
    with np.errstate(all="ignore"):
        return _value(tree, values)[0]


def _value(node: ast.expr, values: Mapping) -> tuple:
    """(value, whether it is an array of our own that may be overwritten)."""
    if isinstance(node, ast.Name):
        return values[node.id], False
    if isinstance(node, ast.Constant):
        return node.value, False
    if isinstance(node, ast.UnaryOp):
        value, own = _value(node.operand, values)
        if isinstance(node.op, ast.UAdd):
            return value, own
        return (np.negative(value, out=value), True) if own else (-value, _is_array(value))
    left, own_left = _value(node.left, values)
    right, own_right = _value(node.right, values)
    if isinstance(node.op, ast.Pow):
        return _power(left, right), _is_array(left) or _is_array(right)
    if isinstance(node.op, ast.Div) and not _is_array(right) and right == 0:
        return left * np.nan, _is_array(left)
    operation = _BINARY[type(node.op)]
    if not (_is_array(left) or _is_array(right)):
        return operation(left, right), False
    if own_left and (not _is_array(right) or right.shape == left.shape):
        return operation(left, right, out=left), True
    if own_right and (not _is_array(left) or left.shape == right.shape):
        return operation(left, right, out=right), True
    return operation(left, right), True


def _is_array(value) -> bool:
    return isinstance(value, np.ndarray)


def _power(left, right):
    # Towers of powers of plain numbers would run for ever.
    if not _is_array(right) and abs(right) > _LARGEST_POWER:
        raise ConcordError(f"The formula raises to the power {right}, which is too large.")
    if _is_array(left) and not _is_array(right):
        if right == 2:
            return left * left
        return np.sqrt(left) if right == 0.5 else np.power(left, np.float32(right))
    return np.power(left, right) if _is_array(right) else float(left) ** right
