"""Filling a region of the class raster: at once where it is near, in the background where not."""

from __future__ import annotations

from qgis.core import QgsGeometry

from ..bridge import painting
from ..bridge.text import tr

ALGORITHM = "concord:fillregion"


class Filler:
    """The fill of a painting on a class raster (see `Pixels`)."""

    def __init__(self, pixels, panel):
        self._pixels, self._panel = pixels, panel
        self.running = False

    def fill(self, spot, paint, entry, told: dict) -> str:
        """Give the region at a place of the canvas a class; what was done in words.

        Raises:
            ConcordError: no pixel of the map is there.
        """
        panel, layer = self._panel, self._pixels.layer
        crs = panel._canvas.mapSettings().destinationCrs()
        place = painting.moved(QgsGeometry.fromPointXY(spot), crs, layer, panel.project).asPoint()
        count = paint.fill_near(place.x(), place.y(), entry.code, told)
        if count is not None:
            return self._pixels.wrote(count, entry.name)
        parameters = {
            "LABELS": paint.labels,
            "FOLDER": str(paint.journal.path.parent),
            "POINT": f"{place.x()!r},{place.y()!r}",
            "CLASS": entry.code,
            "NAME": entry.name,
            "COLOUR": told["colour"],
            "ANNOTATOR": told["by"],
        }
        busy, name = tr("A region is being filled; go on in a moment."), entry.name
        self.running = True
        self._pixels.launch(ALGORITHM, parameters, busy, lambda done: self._done(done, paint, name))
        panel.runner.ended.connect(self._ended)
        return tr("Filling a large region…")

    def _ended(self, _outcome) -> None:
        self.running = False
        self._panel.runner.ended.disconnect(self._ended)

    def _done(self, outcome, paint, name: str) -> None:
        paint.catch_up()
        self._panel.say(self._pixels.wrote(outcome.results["PIXELS"], name))
        self._panel._show_state()

    def stop(self) -> None:
        """Another map was chosen: what is not filled yet stays as it was."""
        if self.running:
            self._panel.runner.cancel()
