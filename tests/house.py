"""The rules of the house (DESIGN.md) as functions from a file's syntax tree to violations."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 400
LAYERS = {"engine": 0, "bridge": 1, "algorithms": 2, "gui": 3}
QT = {"PyQt5", "PyQt6", "PySide2", "PySide6", "sip"}
NETWORK = {
    "urllib",
    "requests",
    "http",
    "socket",
    "httplib2",
    "aiohttp",
    "ftplib",
    "ssl",
    "urllib3",
}
UNSAFE = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib"}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import, also in functions; `from a import b` is a.b."""
    parts = package.split(".") if package else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def layer_of(name: str) -> str | None:
    """engine, bridge, algorithms or gui for a dotted name below plugin; None for others."""
    parts = name.split(".")
    return parts[1] if parts[0] == "plugin" and len(parts) > 1 and parts[1] in LAYERS else None


def import_violations(path: str, tree: ast.AST) -> Iterator[str]:
    """Broken import rules of a file; `path` is relative to the root, such as plugin/gui/x.py."""
    package = ".".join(Path(path).parts[:-1])
    here = layer_of(package)
    may_read_rasters = path.startswith(("plugin/engine/rasters.py", "plugin/engine/rasters/"))
    for line, name in imports(tree, package):
        head = name.split(".")[0]
        there = layer_of(name)
        if here == "engine" and head in QT | {"qgis", "osgeo", "gdal", "ogr", "osr"}:
            yield f"{path}:{line} the engine imports {name}"
        if head in QT:
            yield f"{path}:{line} imports {name}; take Qt from qgis.PyQt"
        if here and there and LAYERS[there] > LAYERS[here]:
            yield f"{path}:{line} {here} imports {name}; arrows point from gui to engine"
        if here and name.startswith("plugin.plugin"):
            yield f"{path}:{line} {here} imports the plugin class"
        if head == "concord":
            yield f"{path}:{line} imports {name}; use a relative import"
        if head == "rasterio" and not may_read_rasters:
            yield f"{path}:{line} imports rasterio; only engine/rasters may"
        if head in UNSAFE:
            yield f"{path}:{line} imports {name}; it runs code from files"
        if head in NETWORK or "QtNetwork" in name or "NetworkAccess" in name:
            yield f"{path}:{line} imports {name}; Concord does not use the network"


def call_violations(path: str, tree: ast.AST) -> Iterator[str]:
    """Calls that the house forbids."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "processEvents":
            yield f"{path}:{node.lineno} processEvents; use a task and signals"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield f"{path}:{node.value.lineno} allow_pickle; it runs code from files"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{path}:{node.lineno} bare except"


def enum_violations(path: str, tree: ast.AST) -> Iterator[str]:
    """Enum members of Qt and QGIS reached without their enum, as Qt.LeftButton.

    They are looked up in the running QGIS: a member whose type is not what stands before its dot
    is reached through the class around the enum, which Qt 6 no longer allows.
    """
    known = dict(_qgis_names(tree))
    for node in ast.walk(tree):
        chain = _chain(node)
        if len(chain) < 2 or chain[0] not in known:
            continue
        owner = known[chain[0]]
        for attribute in chain[1:-1]:
            owner = getattr(owner, attribute, None)
        value = getattr(owner, chain[-1], None)
        if isinstance(value, int) and type(value) not in (int, bool, owner):
            scoped = f"{type(value).__qualname__}.{chain[-1]}"
            yield f"{path}:{node.lineno} {'.'.join(chain)}; write {scoped}"


def _qgis_names(tree: ast.AST) -> Iterator[tuple[str, object]]:
    """(local name, object) of what a file imports from qgis."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level:
            continue
        if not (node.module or "").split(".")[0] == "qgis" or node.module == "qgis.utils":
            continue
        module = importlib.import_module(node.module)
        for alias in node.names:
            if not hasattr(module, alias.name):
                importlib.import_module(f"{node.module}.{alias.name}")
            yield alias.asname or alias.name, getattr(module, alias.name)


def _chain(node: ast.AST) -> list[str]:
    """["Qt", "MouseButton"] for the expression Qt.MouseButton; [] for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def violations(path: str, text: str) -> list[str]:
    """Everything that a file of the plugin breaks."""
    tree = ast.parse(text)
    found = [*import_violations(path, tree), *call_violations(path, tree)]
    found += enum_violations(path, tree)
    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        found.append(f"{path} has {lines} lines; at most {MAX_LINES}")
    return found
