"""A trained model's opinion of the image, in the classes of the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import files, packages, rasters
from ..errors import ConcordError
from ..infer import preflight
from ..infer.session import BUNDLED, Model
from ..infer.values import classes_of
from ..infer.verdicts import GREEN, RED, refuse_red, worst
from ..progress import SILENT, Progress
from ..scene import Scene
from ..taxonomy import FOLDER, Taxonomy
from .opinion import Patch

NONE, CHOOSE = "none", "auto"
_COVERED = 0.9  # share of the map whose classes a model must know to be asked unbidden
_UNFIT = {"Resolution", "Values", "Unit"}  # a doubt about these, and a model is not asked unbidden
_NEAR = 300.0  # km from the training data within which a model is asked unbidden
ALIKE = FOLDER.parent / "classes-alike.json"


class Network:
    """Class probabilities of pixels from a segmentation model; asked like a ``CrossModel``.

    Args:
        model: an opened model that answers one class a pixel.
        table: (map's codes, model's classes) of 0 and 1: which class means which.
        codes: the map's codes, sorted.
        scene: the image, on the map's grid.
        folder: where the probabilities are kept.
    """

    works = True

    def __init__(self, model: Model, table: np.ndarray, codes, scene: Scene, folder: Path):
        self.model, self.table, self._scene = model, table.astype(np.float32), scene
        self.codes = np.array(codes, np.int64)
        self.path = folder / f"network-{files.sha256(model.path)[:12]}.tif"
        self._raster = None
        self.title = model.card.title

    def prepare(self, progress: Progress = SILENT) -> None:
        """Run the model over the scene; an equal, earlier run is used again."""
        from ..infer import runner

        if not self.path.is_file():
            wish = runner.RunWish(None, str(self.path))
            runner.run(self.model, self._scene, wish, progress)
        self._raster = rasters.Raster(str(self.path))

    @classmethod
    def of_answers(cls, path: Path, table: np.ndarray, codes, title: str) -> Network:
        """What was asked before, from its file; the model itself is not needed."""
        made = cls.__new__(cls)
        made.model = made._scene = made._raster = None
        made.table, made.codes = table.astype(np.float32), np.array(codes, np.int64)
        made.path, made.title = path, title
        return made

    def close(self) -> None:
        """Let go of the file."""
        if self._raster is not None:
            self._raster.close()

    def posterior(self, patch: Patch, step: int = 1) -> tuple:
        """(probabilities, known), both (classes, rows, cols); ``step`` saves nothing here."""
        if self._raster is None:
            self._raster = rasters.Raster(str(self.path))
        planes = self._raster.read(patch.window)
        seen = np.isfinite(planes).all(axis=0)
        answer = np.tensordot(self.table, np.where(seen, planes, 0.0), 1).astype(np.float32)
        total = answer.sum(axis=0)
        answer /= np.maximum(total, 1e-6)
        known = self.table.any(axis=1)[:, None, None] & (seen & (total > 0))
        return answer, known


def asked(wish: str, scene: Scene, scheme: Taxonomy, shares: dict, folder: Path, notes=None):
    """The network that is to be asked, or None.

    Args:
        wish: ``auto`` for a bundled model that fits image and classes, ``none``, or a model.
        shares: {code: share of the map's pixels} of the classes in use.
        notes: a list that gets a sentence for a model that fits but was trained elsewhere.

    Raises:
        ConcordError: a model that was named does not fit.
    """
    if wish in ("", NONE):
        return None
    codes = sorted(shares)
    if wish != CHOOSE:
        model = Model(wish)
        table = table_of(model, scheme, codes)
        if (table.any(axis=1)).sum() < 2:
            raise ConcordError(
                f"{model.path.name} and the map share fewer than two classes; choose another "
                "model, or none."
            )
        refuse_red(preflight.check(model.card, scene, model), model.path.name)
        return Network(model, table, codes, scene, folder)
    if packages.missing("onnxruntime"):
        return None
    for path in sorted(BUNDLED.glob("*.onnx")):
        found = _fitting(path, scene, scheme, shares, folder, [] if notes is None else notes)
        if found is not None:
            return found
    return None


def _fitting(path: Path, scene: Scene, scheme: Taxonomy, shares: dict, folder: Path, notes: list):
    """A bundled model that knows nearly all of the map, was made for such images and has seen
    such a place."""
    model, codes = Model(str(path)), sorted(shares)
    if model.card.kind != "classes" or model.card.missing:
        return None
    table = table_of(model, scheme, codes)
    knows = table.any(axis=1)
    covered = sum(shares[code] for code, one in zip(codes, knows) if one)
    if knows.sum() < 2 or covered < _COVERED * sum(shares.values()):
        return None
    verdicts = preflight.check(model.card, scene, model)
    doubts = {v.what for v in verdicts if v.level != GREEN}
    if worst(verdicts) == RED or doubts & _UNFIT:
        return None
    why = _far(model, scene)
    if why:
        notes.append(
            f"{model.card.id} was not asked: {why}. Choose it as the model to ask if you trust it "
            "here."
        )
        return None
    return Network(model, table, codes, scene, folder)


def _far(model: Model, scene: Scene) -> str:
    """Why a model that fits is not asked unbidden at this place, in words; '' for no reason."""
    away = preflight.kilometres_away(model.card, scene)
    if away is None:
        return "its card does not say where it was trained"
    return f"it was trained {away:,.0f} km away" if away > _NEAR else ""


def table_of(model: Model, scheme: Taxonomy, codes) -> np.ndarray:
    """(codes, model's classes) bool: the same name, or names that common schemes give one cover.

    A class of the model that several of the map's classes would match means none of them.
    """
    listed = files.read_json(ALIKE)["groups"]
    groups = {name: number for number, names in enumerate(listed) for name in names}

    def key(name: str):
        plain = name.strip().lower().replace("_", " ")
        return groups.get(plain, plain)

    names = scheme.names
    own = [key(names.get(int(code), "")) for code in codes]
    theirs = [key(c.name) for c in classes_of(model.card)[0]]
    table = np.array([[a == b for b in theirs] for a in own], bool).reshape(len(own), len(theirs))
    table[:, table.sum(axis=0) > 1] = False
    return table
