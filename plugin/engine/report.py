"""One self-contained HTML page from plain values, and the JSON with every number it shows."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from pathlib import Path

from . import files

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:1.8em}table{border-collapse:collapse;margin:.6em 0}
td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left}td.n{text-align:right}
th{background:#f2f4f5}.row{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0}
figure img{max-width:340px;border:1px solid #ccc;image-rendering:pixelated}
figcaption{font-size:.85em;color:#555}span.swatch{display:inline-block;width:1.6em;height:1em;vertical-align:-2px}
span.swatch{border:1px solid #888}
p.note{background:#fff6df;padding:.5em .8em}
"""


_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'


@dataclass(frozen=True)
class Section:
    """A part of a page: text, a table (header and rows), pictures (caption and PNG), drawings."""

    title: str
    text: str = ""
    header: tuple = ()
    rows: tuple = ()
    pictures: tuple = ()
    notes: tuple = ()
    drawings: tuple = ()  # (caption, SVG text whose words are escaped already)


def _cell(value) -> str:
    if isinstance(value, bool) or value is None:
        return f"<td>{'' if value is None else ('yes' if value else 'no')}</td>"
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.4g}</td>'
    text = str(value)
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return f'<td><span class="swatch" style="background:{text}"></span> {text}</td>'
    return f"<td>{html.escape(text)}</td>"


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in section.notes]
    if section.rows:
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in section.header)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in section.rows)
        parts.append(f"<table><tr>{head}</tr>{body}</table>")
    if section.pictures:
        parts.append('<div class="row">')
        for caption, png in section.pictures:
            data = base64.b64encode(png).decode()
            text = html.escape(caption)
            parts.append(
                f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
                f"<figcaption>{text}</figcaption></figure>"
            )
        parts.append("</div>")
    if section.drawings:
        parts.append('<div class="row">')
        for caption, svg in section.drawings:
            svg = svg.replace(_NAMESPACE, "", 1)  # within a page it says nothing, and no address
            parts.append(f'<figure role="img" aria-label="{html.escape(caption)}">{svg}</figure>')
        parts.append("</div>")
    return "\n".join(parts)


def page(title: str, lead: str, sections) -> str:
    """The whole page as text."""
    body = "\n".join(_section(section) for section in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(lead)}</p>\n{body}\n</body></html>\n"
    )


def write(path: str, values: dict, title: str, lead: str, sections) -> dict:
    """Write the report as HTML and JSON side by side; ``path`` may name either.

    Returns:
        {"html": path, "json": path}
    """
    target = Path(path)
    if target.suffix.lower() in (".html", ".json"):
        target = target.with_suffix("")
    paths = {kind: f"{target}.{kind}" for kind in ("html", "json")}
    files.write_json(paths["json"], values)
    files.write_text(paths["html"], page(title, lead, sections))
    return paths
