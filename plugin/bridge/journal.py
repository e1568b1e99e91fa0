"""Unsaved labels and the unfinished prompt, on disk beside the label layer, against a crash.

Every edit is appended as one line when it happens, whatever tool made it, undo and redo included;
saving or discarding the edits removes the file. Features are named by the ids of the edit session,
so replaying the lines in order gives what was on the screen.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from qgis.core import NULL, QgsFeature, QgsGeometry, QgsVectorLayer
from qgis.PyQt.QtCore import QObject

from ..engine.errors import ConcordError
from .labels import in_one_step
from .text import tr

SUFFIX = ".concord-journal"


def path_of(layer: QgsVectorLayer) -> Path | None:
    """The journal's file beside a layer's file; None for layers that are no file."""
    source = layer.source().split("|")[0]
    return (
        Path(source + SUFFIX) if layer.providerType() == "ogr" and Path(source).exists() else None
    )


class Journal(QObject):
    """Listens to one label layer; `prompt()` keeps the unfinished prompt too."""

    def __init__(self, layer: QgsVectorLayer, parent: QObject | None = None):
        super().__init__(parent)
        self.path = path_of(layer)
        self._layer = layer
        self._slots = [
            (layer.featureAdded, self._added),
            (layer.featureDeleted, lambda fid: self._write({"delete": fid})),
            (layer.geometryChanged, self._reshaped),
            (layer.attributeValueChanged, self._revalued),
            (layer.afterCommitChanges, self.forget),
            (layer.afterRollBack, self.forget),
        ]
        for signal, slot in self._slots:
            signal.connect(slot)

    def _write(self, line: dict) -> None:
        # A journal that cannot be written must not cost the edit that it is about.
        if self.path is None or self._layer is None or not self._layer.isEditable():
            return
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _added(self, fid: int) -> None:
        if fid >= 0:  # a commit gives the features their final ids
            return
        feature = self._layer.editBuffer().addedFeatures().get(fid)
        if feature is not None:
            names = [field.name() for field in self._layer.fields()]
            values = {name: plain(value) for name, value in zip(names, feature.attributes())}
            self._write({"add": fid, "wkb": hexed(feature.geometry()), "values": values})

    def _reshaped(self, fid: int, geometry: QgsGeometry) -> None:
        self._write({"reshape": fid, "wkb": hexed(geometry)})

    def _revalued(self, fid: int, index: int, value) -> None:
        name = self._layer.fields().at(index).name()
        self._write({"set": fid, "name": name, "value": plain(value)})

    def prompt(self, state: dict | None) -> None:
        """Keep the unfinished prompt (plain values); None when there is none any more."""
        if self.path is None:
            return
        with contextlib.suppress(OSError):
            if state is not None or self.path.exists():
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"prompt": state}) + "\n")

    def forget(self, *_) -> None:
        """Remove the journal: all is saved, or meant to be lost."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def release(self) -> None:
        """Stop listening; the file stays when edits are still unsaved."""
        for signal, slot in self._slots:
            with contextlib.suppress(TypeError, RuntimeError):  # the layer may be gone already
                signal.disconnect(slot)
        self._slots, self._layer = [], None  # a layer that lives on after QGIS would crash it


def plain(value):
    """An attribute as JSON can hold it."""
    if value is None or value == NULL:
        return None
    return value if isinstance(value, (int, float, str, bool)) else str(value)


def hexed(geometry: QgsGeometry) -> str:
    return bytes(geometry.asWkb()).hex()


def _geometry(text: str) -> QgsGeometry:
    geometry = QgsGeometry()
    geometry.fromWkb(bytes.fromhex(text))
    return geometry


def read(path: Path) -> list:
    """The journal's lines; a last line that was cut short by the crash is left out."""
    lines = []
    with contextlib.suppress(OSError):
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                break
    return [line for line in lines if isinstance(line, dict)]


def summary(path: Path) -> tuple:
    """(number of edits, the unfinished prompt or None) in a journal."""
    lines = read(path)
    prompts = [line["prompt"] for line in lines if "prompt" in line]
    return len(lines) - len(prompts), (prompts[-1] if prompts else None)


def replay(layer: QgsVectorLayer, path: Path) -> int:
    """Make a journal's edits again in one undo step; how many.

    Raises:
        ConcordError: the layer cannot be edited or does not take an edit; it is as it was.
    """
    lines = [line for line in read(path) if "prompt" not in line]
    if not lines:
        return 0
    fresh: dict = {}
    refused = tr("{name} did not take the unsaved labels back; the journal {path} stays.").format(
        name=layer.name(), path=path
    )
    try:
        in_one_step(
            layer,
            tr("Restore unsaved labels"),
            lambda: all(_again(layer, line, fresh) for line in lines),
            refused,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConcordError(tr("The journal {path} is damaged.").format(path=path)) from error
    return len(lines)


def _again(layer: QgsVectorLayer, line: dict, fresh: dict) -> bool:
    if "add" in line:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(_geometry(line["wkb"]))
        for name, value in line["values"].items():
            index = layer.fields().indexOf(name)
            if index >= 0 and value is not None and name != "fid":
                feature.setAttribute(index, value)
        added = layer.addFeature(feature)
        fresh[line["add"]] = feature.id()
        return added
    if "delete" in line:
        return layer.deleteFeature(fresh.get(line["delete"], line["delete"]))
    if "reshape" in line:
        return layer.changeGeometry(
            fresh.get(line["reshape"], line["reshape"]), _geometry(line["wkb"])
        )
    index = layer.fields().indexOf(line["name"])
    return layer.changeAttributeValue(fresh.get(line["set"], line["set"]), index, line["value"])
