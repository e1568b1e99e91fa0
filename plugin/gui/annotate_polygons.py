"""Labels as polygons: where the panel's proposals and strokes go by default."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from qgis.core import QgsGeometry, QgsVectorLayer
from qgis.PyQt.QtWidgets import QFileDialog

from ..bridge import label_layers, labels, layers, touching
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .classes import one_class


class Polygons:
    """Writes into the panel's label layer; every call is one undo step of that layer."""

    RASTER = False

    def __init__(self, panel):
        self._panel = panel

    @property
    def layer(self) -> QgsVectorLayer | None:
        return self._panel.labels.currentLayer()

    @property
    def modified(self) -> bool:
        return self.layer is not None and self.layer.isModified()

    def problem(self) -> str:
        """Why nothing can be written, or an empty string."""
        return labels.problem(self.layer)

    def begin(self) -> None:
        """Before a tool takes the map: colours, the next number, and Ctrl+Z for this layer."""
        if self.layer is None:  # it is asked for when the first proposal is accepted
            self._panel.session.object = 1
            return
        self._style_if_plain()
        self._panel.session.object = labels.next_object(self.layer)
        self._panel.iface.setActiveLayer(self.layer)

    def _style_if_plain(self) -> None:
        """A layer made before its classes were chosen gets their colours now."""
        scheme = self._panel.classes.scheme()
        if scheme is not None and (layers.is_plain(self.layer) or self._waits_for_classes()):
            layers.style_labels(self.layer, scheme)

    def _waits_for_classes(self) -> bool:
        """True where it holds no label yet and the single class was all there was to show."""
        shown = [entry.name for entry in layers.entries_of_labels(self.layer)]
        return shown == [c.name for c in one_class().classes] and not self.layer.featureCount()

    def _values(self) -> dict:
        entry = self._panel.classes.entry
        return {
            "class": entry.code,
            "class_name": entry.name,
            "annotator": self._panel.annotator.text().strip(),
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "object": self._panel.session.object,
        }

    def accept(self, candidate) -> None:
        """Write the proposal as one feature. Raises ConcordError; the layer is then as it was."""
        session, finish = self._panel.session, self._panel.finish
        if session.refined is not None and not self.layer.getFeature(session.refined).isValid():
            session.refined = None
            text = tr("The label to refine was saved or removed meanwhile; {key} writes a new one.")
            raise ConcordError(text.format(key=self._panel.keys.text("accept")))
        told = {
            "source": "prompt",
            "score": candidate.score,
            "composite": candidate.composite,
            "model": candidate.model,
            "points": session.clicks,
        }
        context = self._panel.project.transformContext()
        labels.accept(
            self.layer,
            candidate.geometry,
            candidate.crs,
            {**self._values(), **told},
            context,
            finish.finish(),
            finish.rule(),
            session.refined,
            tr("Label {n}").format(n=session.object),
        )
        layers.show_class(self.layer, self._panel.classes.entry)

    def paint(self, way: QgsGeometry, stroke: QgsGeometry, erase: bool, extend: bool) -> str:
        """Write one stroke, given in the canvas CRS; what was done in words.

        Raises:
            ConcordError: the stroke cannot be written; the layer is as it was.
        """
        panel = self._panel
        crs = panel._canvas.mapSettings().destinationCrs()
        context, rule = panel.project.transformContext(), panel.finish.rule()
        if erase:
            count = touching.erase(self.layer, stroke, crs, context, rule)
            if count:
                return tr("Erased from {n} labels.").format(n=count)
            return tr("There is no label to erase from.")
        entry = panel.classes.entry
        if entry is None:
            raise ConcordError(tr("Choose a class scheme, so that there is a class to give."))
        classes = None if extend else (str(entry.code), entry.name)
        start = next(way.vertices())
        found = touching.target(self.layer, start, crs, panel.project, classes)
        if extend and found is None:
            return tr("There is no label to extend; begin on one.")
        touching.paint(self.layer, stroke, crs, self._values(), context, rule, found)
        layers.show_class(self.layer, entry)
        if found is not None:
            return tr("Extended a label.")
        panel.session.object += 1
        return tr("Painted as {name}.").format(name=entry.name)

    def step_back(self, steps: int) -> str:
        """Undo (1) or redo (-1) one edit of the label layer; what was done in words."""
        layer, back = self.layer, steps > 0
        stack = layer.undoStack() if layer is not None else None
        if stack is None or not (stack.canUndo() if back else stack.canRedo()):
            return tr("Nothing to undo.") if back else tr("Nothing to redo.")
        what = stack.undoText() if back else stack.redoText()
        (stack.undo if back else stack.redo)()
        layer.triggerRepaint()
        self._panel.session.object = labels.next_object(layer)
        # The edits are called as in QGIS's undo panel: Label 2, Brush stroke, Merged features.
        text = tr("Undid {what}.") if back else tr("Redid {what}.")
        return text.format(what=what[:1].lower() + what[1:] or tr("an edit"))

    def save(self) -> None:
        """Commit the label layer and stay in edit mode. Raises ConcordError."""
        layer = self.layer
        if layer is None or not layer.isEditable():
            self._panel.say(tr("Nothing to save."))
            return
        labels.save(layer)
        self._panel.say(tr("Saved {name}.").format(name=layer.name()))

    def ask_for_layer(self) -> None:
        """Ask where a new label layer goes and make it."""
        path, _ = QFileDialog.getSaveFileName(
            self._panel,
            tr("New label layer"),
            self._panel.target("labels") + ".gpkg",
            tr("GeoPackage (*.gpkg)"),
        )
        if path:
            self.make_layer(path if path.endswith(".gpkg") else path + ".gpkg")

    def make_layer(self, path: str) -> QgsVectorLayer:
        """Make a label layer in the image's CRS, add it and choose it."""
        panel = self._panel
        image = panel.image.currentLayer()
        crs = image.crs() if image is not None else panel.project.crs()
        context = panel.project.transformContext()
        layer = labels.create_label_layer(path, crs, Path(path).stem, context)
        layers.style_labels(layer, panel.classes.scheme())
        layers.add_layer(layer, panel.project)
        panel.labels.setLayer(layer)
        label_layers.remember(layer, panel.project)
        return layer
