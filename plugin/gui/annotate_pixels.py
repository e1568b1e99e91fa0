"""Labels as pixels: prompts, brush and fill painted over a class raster, which stays as it is."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QTimer

from ..bridge import layers, painting
from ..bridge.planar import CUT_NEW
from ..bridge.shaping import finished
from ..bridge.text import tr
from ..engine.errors import ConcordError
from .annotate_fill import Filler
from .annotate_unsaved import UnsavedPainting

ALGORITHM = "concord:applypainting"
NO_DATA = 0
AT_ONCE = 4  # parts of a step that are written while the user waits


def in_words(told: dict) -> str:
    """What a step of the painting was; its title is a word of the journal's."""
    words = {
        "prompt": tr("the outline accepted as {name}"),
        "brush": tr("the brush stroke of {name}"),
        "fill": tr("the region filled with {name}"),
        "eraser": tr("the eraser stroke"),
    }
    text = words.get(told.get("title", ""), tr("a step"))
    return text.format(name=told.get("name") or tr("a class without a name"))


class Pixels:
    """Writes into the painting on the panel's class raster; every call is one step of it."""

    RASTER = True

    def __init__(self, panel):
        self._panel = panel
        self._painting = None
        self._shown = self._below = ""  # ids of the layer that shows it and of the map's own
        self._busy = ""  # why nothing can be painted right now
        self._leaving: list = []  # (layer id, the map's, painting) that go in a moment
        self.unsaved = UnsavedPainting(panel)
        self._filler = Filler(self, panel)

    @property
    def layer(self) -> QgsRasterLayer | None:
        return self._panel.raster.currentLayer()

    @property
    def modified(self) -> bool:
        return self._painting is not None and self._painting.modified

    @property
    def can_redo(self) -> bool:
        return self._painting is not None and self._painting.can_redo

    @property
    def map(self) -> str:
        """Path of the map that is painted on, or an empty string."""
        return self._painting.labels if self._painting is not None else ""

    def problem(self) -> str:
        """Why nothing can be written, or an empty string."""
        return painting.problem(self.layer)

    def begin(self) -> None:
        """Open the painting on the chosen raster, with what an earlier session left of it."""
        from ..engine.paint.painting import Painting

        self._let_go()
        self.unsaved.close_offer()
        panel, path = self._panel, painting.path_of(self.layer)
        if self._painting is None or self._painting.labels != path:
            self._close()
            self._painting = Painting(path, painting.folder_for(path, panel.project))
            if self._painting.modified:
                text = tr("{n} painted steps that were not saved are back.")
                panel.say(text.format(n=self._painting.journal.place))
        shown = painting.show(self._painting.vrt, self.layer, panel.classes.entries, panel.project)
        self._shown, self._below = shown.id(), self.layer.id()

    def layer_changed(self) -> None:
        """Another raster was chosen; what is painted on the old one stays on disk."""
        here = self.layer if self._panel.destination.is_raster else None
        if self._painting is not None and here is not None:
            if painting.path_of(here) == self._painting.labels:
                return
        self._filler.stop()
        if self.modified:
            self.unsaved.left(self.map)
        self._close()
        self.unsaved.look(here)

    # writing

    def _told(self, title: str, entry) -> dict:
        return {
            "title": title,
            "name": entry.name if entry is not None else "",
            "colour": entry.colour.name() if entry is not None else "",
            "by": self._panel.annotator.text().strip(),
            "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _ready(self):
        if self._busy:
            raise ConcordError(self._busy)
        if self._painting is None or self._panel.project.mapLayer(self._shown) is None:
            self.begin()
        entry = self._panel.classes.entry
        if entry is None:
            raise ConcordError(tr("Choose a class scheme, so that there is a class to give."))
        if not 0 < entry.code < 255:
            raise ConcordError(
                tr("{name} has the code {code}; a class raster takes 1 to 254.").format(
                    name=entry.name, code=entry.code
                )
            )
        return entry

    def wrote(self, count: int, name: str) -> str:
        """Show what is painted now; how much changed in words."""
        if not count:
            return tr("No pixel changed.")
        self._draw()
        return tr("{n:,} pixels are {name} now.").format(n=count, name=name)

    def _draw(self) -> None:
        shown = self._panel.project.mapLayer(self._shown)
        if shown is not None:
            painting.refresh(shown)

    def accept(self, candidate) -> None:
        """Paint the proposal. Raises ConcordError; nothing is painted then."""
        panel, entry = self._panel, self._ready()
        shape = painting.moved(candidate.geometry, candidate.crs, self.layer, panel.project)
        shape = finished(shape, panel.finish.finish())
        told = {
            "model": candidate.model,
            "composite": candidate.composite,
            "points": panel.session.clicks,
            "score": candidate.score,
        }
        crs = self.layer.crs()
        count = self._painting.paint(
            painting.plain(shape, crs, self.layer, panel.project),
            entry.code,
            {**self._told("prompt", entry), **told},
            self._free(),
        )
        if not count:
            raise ConcordError(tr("The proposal changes no pixel; there are labels already."))
        self.wrote(count, entry.name)

    def _free(self) -> bool:
        return self._panel.finish.rule().overlap == CUT_NEW

    def paint(self, way, stroke, erase: bool, _extend: bool) -> str:
        """Paint one stroke, given in the canvas CRS; what was done in words.

        Raises:
            ConcordError: the stroke cannot be painted; nothing is.
        """
        panel, entry = self._panel, self._ready()
        crs = panel._canvas.mapSettings().destinationCrs()
        shapes = painting.plain(stroke, crs, self.layer, panel.project)
        (line,) = painting.plain(way, crs, self.layer, panel.project)
        code = NO_DATA if erase else entry.code
        told = self._told("eraser", None) if erase else self._told("brush", entry)
        free = self._free() and not erase
        count = self._painting.paint(shapes, code, told, free, line)
        return self.wrote(count, tr("without a label") if erase else entry.name)

    def fill(self, spot) -> str:
        """Give the region at a place of the canvas the chosen class; what was done in words."""
        entry = self._ready()
        return self._filler.fill(spot, self._painting, entry, self._told("fill", entry))

    def launch(self, algorithm: str, parameters: dict, busy: str, done) -> None:
        """Run an algorithm; until its end nothing can be painted."""
        self._busy = busy
        self._panel.launch(algorithm, parameters, done, self._ready_again)
        self._panel.runner.ended.connect(self._ended)

    def _ended(self, _outcome) -> None:
        self._panel.runner.ended.disconnect(self._ended)
        self._ready_again()
        QTimer.singleShot(0, self._let_go)

    def _ready_again(self) -> None:
        self._busy = ""

    def step_back(self, steps: int) -> str:
        """Undo (1) or redo (-1) one step; what was done in words."""
        if self._painting is None or self._busy:
            return self._busy or tr("Nothing is painted yet.")
        step, work = self._painting.turn(steps > 0) or (None, None)
        if step is None:
            return tr("Nothing to undo.") if steps > 0 else tr("Nothing to redo.")
        text = tr("Undid {what}.") if steps > 0 else tr("Redid {what}.")
        text = text.format(what=in_words(step.told))
        if len(step.parts) > AT_ONCE:
            self._busy = tr("A large step is being undone; go on in a moment.")
            self._panel.spread(self._stepping(work, text))
            return self._busy
        for _part in work:
            pass
        self._draw()
        return text

    def _stepping(self, work, text: str):
        """The parts of a large step, one at each turn of the interface."""
        try:
            yield from work
        finally:
            self._busy = ""
        self._draw()
        self._panel.say(text)
        self._panel._show_state()

    # saving

    def save(self, then=None) -> None:
        """Write the painted map as a new GeoTIFF and go on with that one; then call `then`."""
        panel = self._panel
        if not self.modified:
            panel.say(tr("Nothing to save."))
            return
        below, labels = self.layer, self._painting.labels
        output = panel.target(f"{Path(labels).stem}-painted") + ".tif"
        parameters = {
            "LABELS": labels,
            "PAINTING": str(self._painting.journal.path),
            "OUTPUT": output,
        }
        busy = tr("The map is being saved; go on in a moment.")
        self.launch(ALGORITHM, parameters, busy, lambda _outcome: self._saved(output, below, then))

    def _saved(self, output: str, below, then) -> None:
        panel = self._panel
        self._busy = ""
        self._remove()
        name = tr("{name} painted").format(name=below.name())
        layer = layers.add_raster(output, name, "classes", panel.project)
        panel.raster.setLayer(layer)
        panel.say(tr("Saved {path}.").format(path=output))
        panel._show_state()
        if then is not None:
            then()

    def discard(self) -> None:
        """Forget what was painted since the map was last saved."""
        if self._painting is not None:
            self._remove()
            self._let_go()  # at once: QGIS may be closing

    def _remove(self) -> None:
        """Take the painting off the map and off the disk, a moment later: when the project is just
        removing layers, to remove another one would crash QGIS."""
        self._leaving.append((self._shown, self._below, self._painting))
        self._painting, self._shown = None, ""
        QTimer.singleShot(0, self._let_go)

    def _let_go(self) -> None:
        if self._filler.running:  # the fill writes beside the map until it ends
            return
        project = QgsProject.instance()  # the panel may be gone already
        while self._leaving:
            shown, below, done = self._leaving.pop()
            painting.set_visible(below, True, project)
            if project.mapLayer(shown) is not None:
                project.removeMapLayer(shown)
            done.forget()

    def _close(self) -> None:
        """Close the painting; what is not saved stays in its journal."""
        if self._painting is not None:
            if not self._painting.modified:
                self._remove()
                return
            self._painting.close()
        self._painting, self._shown = None, ""

    def release(self) -> None:
        """The panel goes."""
        self.unsaved.release()
        self._close()
