"""STAC items and collections against the schemas in resources/schemas, without any package.

The schemas are Concord's own, written after the published ones and reduced to what an exported set
uses; a small validator knows the keywords that they use. Nothing is fetched.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from .. import files

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "schemas"
_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


@functools.cache
def load(name: str) -> dict:
    """A schema by its file name without ending."""
    return files.read_json(FOLDER / f"{name}.json")


def extension(url: str) -> str:
    """The schema's name for an extension's URL: 'label-v1.0.1' for '.../label/v1.0.1/…'."""
    match = re.search(r"/([a-z0-9-]+)/(v[0-9.]+)/schema\.json$", url)
    return "-".join(match.groups()) if match else ""


def problems(value: dict, kind: str) -> Iterator:
    """What is wrong with an item or collection, in words; its extensions are checked too."""
    yield from errors(value, load(kind))
    listed = value.get("stac_extensions")
    for url in listed if isinstance(listed, list) else ():
        name = extension(str(url))
        if not (FOLDER / f"{name}.json").is_file():
            yield f"uses the extension {url}, whose schema is not at hand"
            continue
        yield from errors(value, load(name))


def errors(value, schema: dict, where: str = "") -> Iterator:
    """Every way in which a value breaks a schema: type, const, enum, required and the like."""
    kinds = schema.get("type")
    if kinds is not None and not _is(value, kinds):
        yield f"{where or 'it'} is not of type {kinds}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, not one of {schema['enum']}"
    if isinstance(value, str):
        yield from _text(value, schema, where)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            yield f"{where} is {value}, outside its range"
    if isinstance(value, dict):
        yield from _object(value, schema, where)
    if isinstance(value, list):
        yield from _array(value, schema, where)
    if "anyOf" in schema and not any(not any(errors(value, s, where)) for s in schema["anyOf"]):
        yield f"{where or 'it'} fits none of the allowed forms"


def _is(value, kinds) -> bool:
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if isinstance(value, bool) and kind in ("number", "integer"):
            continue
        if isinstance(value, _TYPES[kind]):
            return True
    return False


def _text(value: str, schema: dict, where: str) -> Iterator:
    if len(value) < schema.get("minLength", 0):
        yield f"{where} is empty"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where} is {value!r}, which is not well formed"


def _object(value: dict, schema: dict, where: str) -> Iterator:
    for key in schema.get("required", ()):
        if key not in value:
            yield f"lacks {where + '.' if where else ''}{key}"
    known = schema.get("properties", {})
    for key, part in value.items():
        below = known.get(key, schema.get("additionalProperties"))
        if isinstance(below, dict):
            yield from errors(part, below, f"{where}.{key}" if where else key)


def _array(value: list, schema: dict, where: str) -> Iterator:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{where} has {len(value)} entries"
    if "contains" in schema and not any(not any(errors(v, schema["contains"])) for v in value):
        yield f"{where} lacks an entry that is asked for"
    if isinstance(schema.get("items"), dict):
        for number, part in enumerate(value):
            yield from errors(part, schema["items"], f"{where}[{number}]")
