"""Class schemes: codes, names and colours, from resources, from a file or from a raster."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from pathlib import Path

from . import files
from .errors import ConcordError

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "taxonomies"
NO_DATA = 0
IGNORE = 255


@dataclass(frozen=True)
class ClassDef:
    """One class: code 1-254, name, colour as #rrggbb."""

    code: int
    name: str
    colour: str

    @property
    def rgb(self) -> tuple:
        return tuple(int(self.colour[i : i + 2], 16) for i in (1, 3, 5))


@dataclass(frozen=True)
class Taxonomy:
    """A class scheme. ``assumed`` says in words where it came from when nobody gave it."""

    id: str
    title: str
    classes: tuple
    assumed: str = ""

    @property
    def codes(self) -> list:
        return [c.code for c in self.classes]

    @property
    def names(self) -> dict:
        return {c.code: c.name for c in self.classes}

    @property
    def colours(self) -> dict:
        return {c.code: c.rgb for c in self.classes}

    def name(self, code: int) -> str:
        if code == NO_DATA:
            return "no data"
        return "ignore" if code == IGNORE else self.names.get(code, f"class {code}")

    def code_of(self, value) -> int | None:
        """The code that a field's value stands for: a whole number, its text, or a class name.

        None when it is empty or neither.
        """
        text = "" if value is None else str(value).strip()
        named = {c.name.casefold(): c.code for c in self.classes}
        if text.casefold() in named:
            return named[text.casefold()]
        try:
            number = float(text)
        except ValueError:
            return None
        return int(number) if number.is_integer() else None

    def check(self, codes, source: str) -> None:
        """Refuse codes that the scheme does not know (0 and 255 are always allowed)."""
        unknown = sorted(set(map(int, codes)) - set(self.codes) - {NO_DATA, IGNORE})
        if unknown:
            listed = ", ".join(map(str, unknown[:5])) + (" …" if len(unknown) > 5 else "")
            raise ConcordError(
                f"{source} holds class {listed}, which the taxonomy {self.id} does not know; "
                "choose the taxonomy of this raster or recode it."
            )

    def as_json(self) -> dict:
        return {
            "id": self.id,
            "title": self.title,
            "classes": [{"code": c.code, "name": c.name, "color": c.colour} for c in self.classes],
        }


def colour_of(code: int) -> str:
    """A stable, well separated colour for a class that has none (golden-angle hues)."""
    r, g, b = colorsys.hsv_to_rgb((code * 0.381966) % 1.0, 0.62, 0.85)
    return f"#{round(r * 255):02x}{round(g * 255):02x}{round(b * 255):02x}"


def _colour(raw, code: int) -> str:
    """A colour as #rrggbb; one that is not given is made up."""
    if not raw:
        return colour_of(code)
    text = str(raw).lower().lstrip("#")
    if re.fullmatch("[0-9a-f]{6}", text) is None:
        raise ValueError(f"the colour {raw}")
    return f"#{text}"


def _parse(content, source: str) -> Taxonomy:
    try:
        classes = tuple(
            ClassDef(int(c["code"]), str(c["name"]), _colour(c.get("color"), int(c["code"])))
            for c in content["classes"]
        )
        taxonomy = Taxonomy(str(content["id"]), str(content.get("title", content["id"])), classes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConcordError(
            f"{source} is no taxonomy; it needs an id and classes with code, name and color."
        ) from error
    codes = taxonomy.codes
    if len(set(codes)) != len(codes) or not all(0 < code < 255 for code in codes):
        raise ConcordError(f"{source} has class codes outside 1-254 or twice; renumber them.")
    return taxonomy


def parse(content, source: str) -> Taxonomy:
    """A scheme from the plain values of ``as_json``; ``source`` is named when they are none."""
    return _parse(content, source)


def available() -> list:
    """Ids of the schemes that come with Concord, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(id_or_file: str) -> Taxonomy:
    """A scheme by its id or from a JSON file.

    Raises:
        ConcordError: neither a known id nor a readable scheme.
    """
    bundled = FOLDER / f"{id_or_file}.json"
    if Path(id_or_file).name == id_or_file and bundled.is_file():
        return _parse(files.read_json(bundled), str(id_or_file))
    if Path(id_or_file).is_file():
        return _parse(files.read_json(id_or_file), str(id_or_file))
    raise ConcordError(
        f"The taxonomy '{id_or_file}' is not known; use one of {', '.join(available())} or a file."
    )


def of_raster(info, codes, given: str = "") -> Taxonomy:
    """The scheme of a class raster: the one given, else its own table, else 'class N'.

    Args:
        info: a ``RasterInfo``.
        codes: the codes that occur in it.
        given: taxonomy id or file; when given, unknown codes are refused.
    """
    if given:
        taxonomy = load(given)
        taxonomy.check(codes, info.path)
        return taxonomy
    present = [int(c) for c in sorted(set(codes)) if c not in (NO_DATA, IGNORE)]
    listed = sorted(set(present) | {c for c in info.categories if 0 < c < 255})
    classes = []
    for code in listed:
        r, g, b = info.colours.get(code, (0, 0, 0))[:3]
        colour = f"#{r:02x}{g:02x}{b:02x}" if (r, g, b) != (0, 0, 0) else colour_of(code)
        classes.append(ClassDef(code, info.categories.get(code) or f"class {code}", colour))
    if info.categories:
        assumed = f"class names from {Path(info.path).name}"
    else:
        assumed = f"no taxonomy given and none in {Path(info.path).name}: classes named by code"
    return Taxonomy(Path(info.path).stem, Path(info.path).stem, tuple(classes), assumed)
