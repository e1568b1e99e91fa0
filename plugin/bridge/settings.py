"""What Concord remembers, and where it puts what it makes.

Values of the user live in QGIS's own settings under `concord/`; the chosen output folder belongs
to the project and travels with it.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from qgis.core import QgsApplication, QgsProcessingUtils, QgsProject, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from ..engine import taxonomy
from ..engine.errors import ConcordError
from .text import tr

GROUP = "concord"
ROOT = Path(__file__).resolve().parents[2]
PROMPT_MODELS = "prompt_models"
MODELS = "models"
BUNDLED = ("concord-landcover-s2", "concord-landcover-aerial", "concord-buildings")
TAXONOMIES = "taxonomies"
OUTPUT = "/output_folder"
_LISTED = 12  # classes that a tooltip names


def value(key: str, default: object = "") -> object:
    """A remembered value, or the default."""
    return QgsSettings().value(f"{GROUP}/{key}", default)


def set_value(key: str, content: object) -> None:
    """Remember a value for this user."""
    QgsSettings().setValue(f"{GROUP}/{key}", content)


def paths(key: str) -> list[str]:
    """Remembered files or folders that still exist, in the order they were added."""
    stored = value(key, [])
    if isinstance(stored, str):  # a list of one comes back from the ini file as text
        stored = [stored] if stored else []
    return [path for path in stored or [] if Path(path).exists()]


def add_path(key: str, path: str) -> None:
    """Remember one more file or folder."""
    known = paths(key)
    if path not in known:
        set_value(key, [*known, path])


def models() -> list[str]:
    """ONNX models on offer: the bundled ones, then those the user added."""
    bundled = [str(path) for path in sorted((ROOT / "models").glob("*.onnx"), key=_place)]
    return bundled + [path for path in paths(MODELS) if path not in bundled]


def _place(model: Path) -> tuple:
    """Bundled models for real images first, most used first; the stand-in comes last."""
    known = model.stem in BUNDLED
    return (not known, BUNDLED.index(model.stem) if known else 0, model.stem)


def model_title(path: str) -> str:
    """What a list calls a model: a bundled one by its title, the user's own by its file."""
    card = card_of(path) if Path(path).parent == ROOT / "models" else None
    return (card.title if card else "") or Path(path).stem


def about_model(path: str) -> str:
    """One line on what a model is good for: its card's summary, else the first sentence there."""
    card = card_of(path)
    if card is None:
        return ""
    return card.summary or card.description.split(". ")[0].strip().rstrip(".")


def shows_parcels(path: str) -> bool:
    """Whether a model draws single things, such as roofs, which are wanted as polygons."""
    card = card_of(path)
    return card is not None and card.kind == "classes" and bool(card.hyper.get("parcels"))


def card_of(path: str):
    """A model's card, None without one; read anew when the file or the card beside it changes."""
    files = (Path(path), Path(path).with_suffix(".mlm.json"))
    return _card(path, *(file.stat().st_mtime_ns if file.is_file() else 0 for file in files))


@functools.lru_cache(maxsize=64)
def _card(path: str, changed: int, _beside: int):
    from ..engine.infer import peek

    return peek.card_of(path) if changed else None


def model_classes(path: str) -> list[str]:
    """The names of a model's classes, as its card gives them; empty where it has none."""
    from ..engine.infer import values

    card = card_of(path)
    try:
        return [c.name for c in values.classes_of(card)[0]] if card else []
    except ConcordError:  # codes that do not fit; the run says so
        return []


def levels_of(path: str) -> list[str]:
    """The processing levels that a model tells apart, as its card says; empty for most models."""
    from ..engine.infer import levels

    card = card_of(path)
    try:
        known = levels.of(card) if card else None
    except ConcordError:  # a broken card; the run says so
        return []
    return list(known.numbers) if known else []


def reads_series(path: str) -> bool:
    """Whether a model reads several dates along an axis of time."""
    card = card_of(path)
    return card is not None and any("T" in entry.axes for entry in card.inputs)


def taxonomies() -> list[str]:
    """Class schemes on offer: ids of the bundled ones, then files the user added."""
    return taxonomy.available() + paths(TAXONOMIES)


def title_of_taxonomy(id_or_file: str) -> str:
    """A class scheme's own title; what cannot be read is called by its file."""
    path = Path(id_or_file)
    found = _scheme(id_or_file, path.stat().st_mtime if path.is_file() else 0.0)
    return found.title if found is not None else path.stem


def about_taxonomy(id_or_file: str) -> str:
    """A class scheme in one line, title and classes; what cannot be read stands as it is."""
    path = Path(id_or_file)
    scheme = _scheme(id_or_file, path.stat().st_mtime if path.is_file() else 0.0)
    if scheme is None:
        return id_or_file
    names = [entry.name for entry in scheme.classes]
    listed = ", ".join(names[:_LISTED]) + ("…" if len(names) > _LISTED else "")
    text = tr("{title}: {n} classes ({names})")
    return text.format(title=scheme.title, n=len(names), names=listed)


@functools.lru_cache(maxsize=64)
def _scheme(id_or_file: str, _changed: float) -> taxonomy.Taxonomy | None:
    try:
        return taxonomy.load(id_or_file)
    except ConcordError:  # empty, or a file that is gone
        return None


def annotator() -> str:
    """The name written beside each label; the account's name until another is chosen."""
    chosen = str(value("annotator", "") or "").strip()
    return chosen or QgsApplication.userFullName() or QgsApplication.userLoginName()


def default_folder(project: QgsProject) -> Path:
    """`concord` beside a saved project, else a folder of this QGIS session."""
    home = project.homePath() if project.fileName() else ""
    return Path(home or QgsProcessingUtils.tempFolder()) / "concord"


def folder_of_work(project: QgsProject, image: str = "") -> Path:
    """Where what is drawn by hand goes unless the user says: it cannot be made again, so never
    into the folder that QGIS empties. Beside the project, else the image, else the documents.
    """
    if project.fileName():
        return default_folder(project)
    beside, temporary = Path(image).absolute().parent, Path(QgsProcessingUtils.tempFolder())
    lasting = temporary not in (beside, *beside.parents)
    if lasting and os.path.isfile(image) and os.access(beside, os.W_OK):
        return beside
    places = QStandardPaths.StandardLocation
    documents = QStandardPaths.writableLocation(places.DocumentsLocation)
    return Path(documents if os.path.isdir(documents) else Path.home())


def output_folder(project: QgsProject) -> Path:
    """The folder chosen for this project, else the default one."""
    chosen = chosen_folder(project)
    return Path(chosen) if chosen else default_folder(project)


def chosen_folder(project: QgsProject) -> str:
    """The folder the user chose for this project, or an empty string."""
    stored = project.readEntry(GROUP, OUTPUT, "")[0]
    return project.readPath(stored) if stored else ""


def choose_folder(project: QgsProject, folder: str) -> None:
    """Keep the chosen folder in the project; an empty string goes back to the default."""
    if folder == chosen_folder(project):
        return
    if folder:
        project.writeEntry(GROUP, OUTPUT, project.writePath(folder))
    else:
        project.removeEntry(GROUP, OUTPUT)


def next_stem(project: QgsProject, stem: str, default: Path | None = None) -> str:
    """A path without suffix, `folder/stem-N`, of which no file or folder exists yet.

    The folder is the one chosen for the project, else `default`, else the default one of runs.
    Raises ConcordError when the folder cannot be made.
    """
    folder = Path(chosen_folder(project) or default or default_folder(project))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = {path.name.split(".")[0] for path in folder.iterdir()}
    except OSError as error:
        raise ConcordError(
            tr("Cannot write into {folder} ({why}); choose another folder under Save in.").format(
                folder=folder, why=error.strerror or error
            )
        ) from error
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return str(folder / f"{stem}-{number}")
