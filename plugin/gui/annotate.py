"""Annotate panel: click on the map, look at the proposal, accept it as one undoable label."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsVectorLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QLineEdit

from ..bridge import capture, labels, settings
from ..bridge.text import tr
from . import annotate_parts
from .annotate_accept import Acceptance
from .annotate_changes import Changes
from .annotate_destination import Destination
from .annotate_image import ImageBox
from .annotate_journal import JournalKeeper
from .annotate_pixels import Pixels
from .annotate_polygons import Polygons
from .classes import ClassChooser
from .keys import PromptKeys
from .panel import Panel
from .prompt_session import PromptSession
from .prompt_tool import PromptTool
from .widgets import form, row


class AnnotatePanel(Panel):
    """Prompts go to `concord:segmentprompts`; accepted proposals go to the label layer."""

    KEY = "annotate"
    OBJECT_NAME = "ConcordAnnotatePanel"
    TITLE = "Annotate"
    HINT = "Click an object on the map; Concord proposes its outline and you accept it."
    SAVED = "Left empty, labels go beside the saved project, else beside the image"

    _turn = 0  # of the session, when the last word was said

    def build(self) -> None:
        self._canvas = canvas = self.iface.mapCanvas()
        self.keys = PromptKeys(self)
        self.tool = PromptTool(canvas, self.keys)
        self.session = PromptSession(canvas, self)
        self.session.labelled = self._labelled
        self.journal = JournalKeeper(self)
        self.acceptance, self.changes = Acceptance(self), Changes(self)
        self.polygons, self.pixels = Polygons(self), Pixels(self)
        self._build_labels()
        self._build_image()
        annotate_parts.add_buttons(self)
        annotate_parts.add_sections(self)
        annotate_parts.connect(self, canvas)

    def _build_labels(self) -> None:
        column = self.section(tr("Labels"))
        layout = form()
        self.destination = Destination(self)
        self.labels, self.raster = self.destination.labels, self.destination.raster
        self.destination.add_to(layout)
        self.classes = ClassChooser(self)
        tip = tr("The classes on offer below")
        row(layout, tr("Class &scheme"), self.classes.schemes, tip)
        tip = tr("Keys 1 to 9 choose the class on the map")
        row(layout, tr("&Class"), self.classes.combo, tip)
        self.annotator = QLineEdit(settings.annotator())
        self.annotator.editingFinished.connect(
            lambda: settings.set_value("annotator", self.annotator.text().strip())
        )
        row(layout, tr("A&nnotator"), self.annotator, tr("Written beside each label"))
        column.addLayout(layout)

    def _build_image(self) -> None:
        self.image_box = box = ImageBox(self)
        box.add_to(self.section(tr("Image and model")))
        self.image, self.composite, self.model = box.image, box.composite, box.model
        self.preview, self.checkpoint = box.preview, box.checkpoint
        self.preview.toggled.connect(self._preview_toggled)

    # classes

    def _class_changed(self) -> None:
        self.finish.set_scheme(self.classes.schemes.value())
        entry = self.classes.entry
        if entry is not None:
            self.session.recolour(QColor(entry.colour))
            self.touch.recolour(entry.colour)
        self.refresh()

    # layers

    def _label_layer_changed(self, layer) -> None:
        if self.session.refined is not None:  # a number of a label means another one there
            self.session.clear()
            self.tell(tr("The label layer is another one; the outline was dropped."), warn=True)
        self.fields.set_layer(layer)
        self.journal.set_layer(layer)
        self.acceptance.follow(layer)
        self._destination_changed()

    def _raster_changed(self, *_) -> None:
        if self.destination.is_raster:  # else its list alone changed
            self._destination_changed()

    def _destination_changed(self, *_) -> None:
        """Polygons or pixels, or another layer of them."""
        self.pixels.layer_changed()
        self.classes.set_layer(self.target_of_labels.layer)
        if self.touch.tool_on or self.prompting:
            reason = self._obstacle()
            if reason:
                self._stop()
                QTimer.singleShot(0, lambda: self._say_obstacle(reason))
            else:  # not now: the project may just be removing layers
                QTimer.singleShot(0, self._begin_again)
        self.refresh()

    def _obstacle(self) -> str:
        """Why the tool that has the map cannot go on; prompts need no label layer yet."""
        return self._need() if self.prompting else self.target_of_labels.problem()

    def _say_obstacle(self, reason: str) -> None:
        if not self._released and self.image.currentLayer() is not None:  # not of a closed project
            self.tell(reason, warn=True)

    def _begin_again(self) -> None:
        on = not self._released and (self.touch.tool_on or self.prompting)
        if on and not self._obstacle():
            self._guarded(self.target_of_labels.begin)

    def default_folder(self) -> Path:
        """Labels are work of hands: they do not go where QGIS cleans up."""
        image = self.image.currentLayer()
        return settings.folder_of_work(self.project, image.source() if image is not None else "")

    def make_label_layer(self, path: str) -> QgsVectorLayer:
        """Make a label layer in the image's CRS, add it and choose it."""
        return self.polygons.make_layer(path)

    # prompting

    def _need(self) -> str:
        """Why prompting cannot begin; where a label goes is asked when the first is accepted."""
        if self.image.currentLayer() is None:
            return tr("Open an image, or load a scene first.")
        problem = "" if self.prompting else self.session.problem()  # Stop stays within reach
        if problem:
            return problem
        target = self.target_of_labels
        return target.problem() if target.RASTER or target.layer is not None else ""

    def toggle(self) -> None:
        """Start or stop taking prompts from the map."""
        if self.prompting:
            self._stop()
            return
        self.say("")
        self.image.keep()  # an image that comes meanwhile would take the open points with it
        self.target_of_labels.begin()
        self._canvas.setMapTool(self.tool)
        self.session.prepare(at_once=True)

    @property
    def prompting(self) -> bool:
        """True while clicks on the map are prompts."""
        return self._canvas.mapTool() is self.tool

    @property
    def target_of_labels(self):
        """What proposals and strokes are written into."""
        return self.pixels if self.destination.is_raster else self.polygons

    def _stop(self) -> None:
        self._canvas.unsetMapTool(self._canvas.mapTool())
        self.iface.actionPan().trigger()

    def _shown(self, on: bool) -> None:
        if not on:
            if self.prompting or self.touch.tool_on:
                self._stop()
            self.session.clear()  # its marks would be left on the map without a word

    def _view_changed(self) -> None:
        if self.prompting:
            self.session.prepare()

    def _preview_toggled(self, on: bool) -> None:
        settings.set_value("preview", on)
        self.session.preview = on
        self.session.leave()

    def _labelled(self, crs) -> list:
        """The labels in the view as GeoJSON in a CRS."""
        layer, view = self.labels.currentLayer(), self._canvas.mapSettings()
        if layer is None or self.destination.is_raster:
            return []
        return capture.shapes_in(layer, view.extent(), view.destinationCrs(), crs, self.project)

    def refine_at(self, point) -> None:
        """Take the label at a place of the map as the prompt; accepting replaces its outline."""
        layer = self.labels.currentLayer()
        if layer is None or self.destination.is_raster:
            self.tell(tr("Only polygons can be refined."))
            return
        crs = self._canvas.mapSettings().destinationCrs()
        found = labels.label_at(layer, point, crs, self.project)
        if found is None:
            self.tell(tr("There is no label to refine; point at one."))
        else:
            self.session.set_shape(*found)

    def _tool_set(self, new, _old=None) -> None:
        on = new is self.tool
        self.start_button.setChecked(on)
        self.start_button.setText(tr("Stop &prompting") if on else tr("Start &prompting"))
        self.touch.tool_set(new)  # an open proposal waits: QGIS too changes tools, unasked
        self._show_state()

    def accept(self) -> bool:
        """Write the proposal that is shown as one feature in one undo step; True when it is."""
        return self.acceptance.accept()

    def save(self) -> None:
        """Save the labels and go on with them."""
        self.target_of_labels.save()
        self._show_state()

    def tell(self, text: str, warn: bool = False) -> None:
        """Say what is true until the next prompt; a warning stands over the map too."""
        self._turn = self.session.turn
        self.say(text)
        if warn:
            self.iface.messageBar().pushMessage("Concord", text, Qgis.MessageLevel.Warning, 6)

    def _prompt_failed(self, text: str) -> None:
        self.tell(text, warn=True)

    def updated(self) -> None:
        self._show_state()

    def _show_state(self) -> None:
        session = self.session
        if session.turn != self._turn:  # what is said was said of other prompts
            self._turn = session.turn
            if not self.runner.busy:
                self.say("")
            self.acceptance.prompts_changed()
        ready = session.chosen is not None and not session.busy
        self.accept_button.setEnabled(ready)
        self.drop_button.setEnabled(not session.empty or session.share is not None)
        self.all_button.setEnabled(ready and session.alike)
        known = session.examples and session.settings
        self.similar_button.setEnabled(bool(known) and session.share is None)
        self._show_share()
        self.keep_button.setEnabled(self.target_of_labels.modified)
        self.touch.show_state()
        text = session.describe() if self.prompting else ""
        if not text and not session.empty:
            text = tr("Object {n} waits; start prompting to go on with it, or drop it.")
            text = text.format(n=session.object)
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _show_share(self) -> None:
        self.follow(self.session.share, self.session.clear)

    def release(self) -> None:
        if self._released:
            return
        self._canvas.mapToolSet.disconnect(self._tool_set)
        self._canvas.extentsChanged.disconnect(self._view_changed)
        self.toggleViewAction().toggled.disconnect(self._shown)
        self.changes.release()
        self._canvas.unsetMapTool(self.tool)
        self.tool.deleteLater()  # the canvas owns it and lives on
        self.touch.release()
        self.pixels.release()
        self.session.release()
        self.journal.release()
        self.acceptance.release()
        self.checkpoint.release()
        self.image_box.release()
        self.keys.release()
        super().release()
