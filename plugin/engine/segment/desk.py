"""An image, a composite and a model kept open between prompts, so that a click is quick."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ConcordError
from ..grid import Window
from ..progress import SILENT, Progress
from ..scene import Scene
from . import composite, looks, places, predict
from .prompts import Prompt
from .resize import level_of


@dataclass(frozen=True)
class Question:
    """What is pointed at, in map units of the image's CRS.

    Args:
        points: (x, y, label) tuples, label 1 or 0.
        box: corners ((x, y), ...) of what holds the object; may be turned in the image's CRS.
        shape: an old outline as GeoJSON.
        scale: map units of the image's CRS that one screen pixel shows; 0 for full resolution.
        previous: the answer that is corrected.
        widen: look again at other scales, which may need encodings (see ``predict.answer``).
    """

    points: tuple = ()
    box: tuple = ()
    shape: dict | None = field(default=None, compare=False)
    scale: float = 0.0
    previous: predict.Answer | None = field(default=None, compare=False)
    widen: bool = True


class Desk:
    """Answers questions about one image; for one thread at a time.

    Args:
        path: the image.
        bands: band names of the composite, empty for the sensor's own.
        model: what ``predict.provider_of`` takes.
        threads: threads that one call of the model may use.

    Raises:
        ConcordError: the image or the model cannot be used, with the reason.
    """

    def __init__(self, path: str, bands=(), model: str = "regions", threads: int = 1):
        self.path, self._bands = path, tuple(bands)
        self.provider = predict.provider_of(model, threads)
        self._scene = None
        self._open()

    def _open(self) -> None:
        self._scene = Scene([self.path])
        self._signature = places.signature(self._scene)
        self.composite = composite.of_scene(self._scene, self._bands)

    def _current(self) -> Scene:
        """The scene, opened again when its file was written since."""
        if places.signature(self._scene) != self._signature:
            self._scene.close()
            self._open()
        return self._scene

    @property
    def grid(self):
        return self._scene.grid

    @property
    def tile(self) -> int:
        return getattr(self.provider, "tile", places.TILE)

    def level(self, scale: float) -> int:
        """The pyramid level for a screen pixel of ``scale`` map units."""
        return level_of(scale, max(self.grid.pixel_size))

    def prompt(self, question: Question) -> Prompt:
        """The question in pixels."""
        grid = self.grid
        spots = tuple(grid.colrow(x, y) for x, y, _ in question.points)
        corners = list(question.box)
        if question.shape is not None:
            corners = [spot[:2] for ring in _rings(question.shape) for spot in ring]
        box = None
        if corners:
            cols, rows = zip(*(grid.colrow(x, y) for x, y in corners))
            box = (min(cols), min(rows), max(cols), max(rows))
        return Prompt(spots, tuple(label for _, _, label in question.points), box)

    def ask(self, question: Question, number: int = 1) -> list:
        """Candidates, best first (see ``predict.answer``)."""
        return predict.answer(
            self._current(),
            self.composite,
            self.provider,
            number,
            self.prompt(question),
            self.level(question.scale),
            question.previous,
            question.shape,
            question.widen,
        )

    def place(self, question: Question) -> places.Place:
        """The tile on which a question would be answered."""
        stay = question.previous.place if question.previous is not None else None
        return places.place_of(
            self.prompt(question), self.grid.width, self.grid.height, self.tile,
            self.level(question.scale), stay,
        )  # fmt: skip

    def is_ready(self, question: Question) -> bool:
        """True when the answer needs no encoding first; False also outside the image."""
        try:
            place = self.place(question)
        except ConcordError:
            return False
        return places.is_encoded(self._current(), self.composite, self.provider, place)

    def outlines(self, answer: predict.Answer, grow: int = 0) -> list:
        """GeoJSON polygons of an answer in the image's CRS."""
        return predict.outline(answer, self.grid, grow)

    def similar(
        self,
        examples: list,
        bounds: tuple,
        scale: float,
        known=(),
        progress: Progress = SILENT,
        most: int = 16,
    ) -> list:
        """Objects like earlier answers under ``bounds`` (map units), beside those in ``known``.

        Raises:
            ConcordError: the view holds more than ``most`` tiles, or no image.
        """
        from . import similar

        window, factor = self.grid.window_of(bounds, "The view"), 2 ** self.level(scale)
        tiles = places.covering(window, self.grid.width, self.grid.height, self.tile, factor)
        if len(tiles) > most:
            raise ConcordError(
                f"The view holds {len(tiles)} tiles, more than {most}; zoom in to compare."
            )
        return similar.find(
            self._current(), self.composite, self.provider, examples, tiles,
            progress=progress, window=window, known=known,
        )  # fmt: skip

    def missing(self, bounds: tuple, scale: float, most: int = 9) -> list:
        """Tiles under ``bounds`` (map units) without encoding, those nearest to the middle first.

        Empty when more than ``most`` tiles lie there: nobody waits for that many. For a model that
        looks from farther when it doubts, those larger tiles come last.
        """
        try:
            window = self.grid.window_of(bounds)
        except ConcordError:
            return []
        scene, factor = self._current(), 2 ** self.level(scale)
        found = places.covering(window, self.grid.width, self.grid.height, self.tile, factor)
        if len(found) > most:
            return []
        middle = (window.col + window.width / 2, window.row + window.height / 2)
        factors = range(looks.DOUBTED if getattr(self.provider, "doubt", 0.0) else 0)
        for further in (factor * 2 ** (k + 1) for k in factors):
            found += places.covering(window, self.grid.width, self.grid.height, self.tile, further)
        return sorted(
            (
                place
                for place in dict.fromkeys(found)
                if not places.is_encoded(scene, self.composite, self.provider, place)
            ),
            key=lambda place: (place.factor, _distance(place.window, middle)),
        )

    def encode(self, place: places.Place) -> None:
        """Prepare a tile, so that a prompt there is answered at once."""
        places.encoding_at(self._current(), self.composite, self.provider, place)

    def close(self) -> None:
        self._scene.close()


def _rings(shape: dict) -> list:
    polygons = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
    return [polygon[0] for polygon in polygons]


def _distance(window: Window, spot: tuple) -> float:
    x, y = window.col + window.width / 2, window.row + window.height / 2
    return (x - spot[0]) ** 2 + (y - spot[1]) ** 2
