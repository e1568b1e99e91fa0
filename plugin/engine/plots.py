"""Small plots as SVG text, drawn from plain values: no plotting package, and every word selectable.

The same text stands in HTML reports and is painted by the panels; what it is drawn on is given as
a Theme, so that it can be read on dark paper, too. Colours of series are Okabe and Ito's, which
people with colour blindness tell apart.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

_SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_LETTER = 6.2  # width of a letter at size 11
_WIDE, _HIGH, _LEFT, _BELOW, _ABOVE = 420, 240, 46, 30, 30


@dataclass(frozen=True)
class Theme:
    """Colours of what is drawn on: letters, paper, and lines between."""

    ink: str = "#222222"
    paper: str = "#ffffff"
    faint: str = "#c9ced3"


LIGHT = Theme()


def _text(x: float, y: float, words: str, theme: Theme, place: str = "start", size=11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{theme.ink}" '
        f'text-anchor="{place}" font-family="sans-serif">{html.escape(str(words))}</text>'
    )


def _line(x1, y1, x2, y2, colour: str, width=1.0, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{dashes}/>'
    )


def _sheet(width: float, high: float, title: str, theme: Theme, parts) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{high:.0f}" '
        f'viewBox="0 0 {width:.0f} {high:.0f}">'
        f'<rect width="{width:.0f}" height="{high:.0f}" fill="{theme.paper}"/>'
    )
    return "\n".join([head, _text(8, 17, title, theme, size=12), *parts, "</svg>"])


def _short(words: str, most: int = 16) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _mixed(share: float, theme: Theme) -> tuple:
    """(colour of a cell, colour of letters on it): from paper to blue."""
    low = [int(theme.paper[i : i + 2], 16) for i in (1, 3, 5)]
    high = [int(_SERIES[0][i : i + 2], 16) for i in (1, 3, 5)]
    mixed = [round(a + (b - a) * share) for a, b in zip(low, high)]
    light = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2] > 140
    return "#{:02x}{:02x}{:02x}".format(*mixed), "#111111" if light else "#ffffff"


def confusion(title: str, names, matrix, rows: str = "known", theme: Theme = LIGHT,
              columns: str = "voted", codes=()) -> str:  # fmt: skip
    """Heat map of a confusion matrix (``rows``, ``columns``): shares of each row in percent.

    Rows without a pixel stay empty. Columns carry the numbers of the rows: the classes' ``codes``,
    or 1, 2, 3 without them.
    """
    codes = list(codes) or range(1, len(names) + 1)
    names = [f"{code} {_short(str(name))}" for code, name in zip(codes, names)]
    left = 14 + _LETTER * max(len(name) for name in names)
    side = max(26.0, min(46.0, 300 / len(names)))
    top = 46.0
    parts = [_text(left, 34, columns, theme), _text(left - 8, 34, rows, theme, "end")]
    for column, code in enumerate(codes):
        parts.append(_text(left + (column + 0.5) * side, top - 2, code, theme, "middle"))
    for line, row in enumerate(matrix):
        y, total = top + 3 + line * side, sum(row)
        parts.append(_text(left - 6, y + side / 2 + 4, names[line], theme, "end"))
        for column, count in enumerate(row):
            share = count / total if total else 0.0
            fill, letters = _mixed(share, theme)
            x = left + column * side
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{side - 1:.1f}" height="{side - 1:.1f}" '
                f'fill="{fill}" stroke="{theme.faint}" stroke-width="0.5"/>'
            )
            if share >= 0.005:
                cell = Theme(ink=letters)
                words = f"{100 * share:.0f}"
                parts.append(_text(x + side / 2 - 0.5, y + side / 2 + 4, words, cell, "middle", 10))
    width = max(left + side * len(names) + 12, 24 + 6.8 * len(title))
    return _sheet(width, top + side * len(names) + 14, title, theme, parts)


def _frame(theme: Theme, most: float, unit: str, width: float) -> list:
    """The axes of a plot from 0 to ``most``, with four lines across."""
    parts = []
    high = _HIGH - _ABOVE - _BELOW
    for step in range(5):
        y = _ABOVE + high * (1 - step / 4)
        parts.append(_line(_LEFT, y, width, y, theme.faint, 0.7))
        parts.append(_text(_LEFT - 5, y + 4, f"{most * step / 4:.3g}{unit}", theme, "end", 10))
    return parts


def lines(title: str, labels, series, unit: str = "", most: float | None = None,
          theme: Theme = LIGHT) -> str:  # fmt: skip
    """Lines over steps: ``series`` is [(name, values)], None where nothing is known.

    Args:
        labels: words below the steps.
        most: top of the scale; left out, the largest value.
    """
    known = [v for _name, values in series for v in values if v is not None]
    most = most or max(known, default=1.0) or 1.0
    right = _WIDE - 14 - (8 + _LETTER * max((len(_short(n)) for n, _ in series), default=0) + 14)
    high = _HIGH - _ABOVE - _BELOW
    wide = right - _LEFT

    def place(step: int, value: float) -> tuple:
        x = _LEFT + wide * ((step + 0.5) / max(len(labels), 1))
        return x, _ABOVE + high * (1 - min(value / most, 1.0))

    parts = _frame(theme, most, unit, right)
    for step, words in enumerate(labels):
        parts.append(_text(place(step, 0)[0], _HIGH - 12, words, theme, "middle", 10))
    for number, (name, values) in enumerate(series):
        colour = _SERIES[number % len(_SERIES)]
        dash = "" if number < len(_SERIES) else "5,3"
        points = [place(i, v) for i, v in enumerate(values) if v is not None]
        parts += [_line(*one, *other, colour, 2, dash) for one, other in zip(points, points[1:])]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = _ABOVE + 8 + 15 * number
        parts.append(_line(right + 8, y - 4, right + 20, y - 4, colour, 3, dash))
        parts.append(_text(right + 24, y, _short(name), theme, size=10))
    return _sheet(_WIDE, max(_HIGH, _ABOVE + 15 * len(series) + 12), title, theme, parts)


def bars(title: str, names, series, unit: str = "", theme: Theme = LIGHT) -> str:
    """Bars side by side for each name: ``series`` is [(name, colour, values)].

    Args:
        unit: what a value counts, said behind it.
    """
    left = 14 + _LETTER * max((len(_short(str(n))) for n in names), default=0)
    most = max((v for _, _, values in series for v in values), default=0) or 1
    wide, step = 300.0, 13.0
    parts, y = [], 30.0
    for number, (name, colour, _) in enumerate(series):
        x = left + number * 110
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="9" height="9" fill="{colour}"/>')
        parts.append(_text(x + 14, y + 9, _short(name), theme, size=10))
    y += 20
    for place, name in enumerate(names):
        middle = y + step * len(series) / 2 + 4
        parts.append(_text(left - 6, middle, _short(str(name)), theme, "end"))
        for _, colour, values in series:
            length = wide * values[place] / most
            parts.append(
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{length:.1f}" height="{step - 3:.1f}" '
                f'fill="{colour}"/>'
            )
            words = f"{values[place]:.3g}{unit}"
            parts.append(_text(left + length + 5, y + 9, words, theme, size=10))
            y += step
        y += 7
    return _sheet(left + wide + 90, y + 6, title, theme, parts)


def calibration(title: str, bins, theme: Theme = LIGHT) -> str:
    """Stated against true shares; ``bins`` is [(stated, true, pixels)], shares 0-1.

    The larger a point, the more pixels it stands for; on the dashed line the statement holds.
    """
    high, wide = _HIGH - _ABOVE - _BELOW, _HIGH - _ABOVE - _BELOW

    def place(stated: float, true: float) -> tuple:
        return _LEFT + wide * stated, _ABOVE + high * (1 - true)

    parts = _frame(Theme(theme.ink, theme.paper, theme.faint), 100, " %", _LEFT + wide)
    parts.append(_line(*place(0, 0), *place(1, 1), theme.ink, 1, "4,3"))
    for step in range(5):
        x = place(step / 4, 0)[0]
        parts.append(_text(x, _HIGH - 16, f"{25 * step}", theme, "middle", 10))
    parts.append(_text(_LEFT + wide, _HIGH - 3, "posterior in %", theme, "end", 10))
    total = sum(pixels for *_, pixels in bins) or 1
    for stated, true, pixels in bins:
        x, y = place(stated, true)
        radius = 3 + 9 * (pixels / total) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_SERIES[0]}" '
            'fill-opacity="0.75"/>'
        )
    return _sheet(max(_LEFT + wide + 24, 24 + 6.8 * len(title)), _HIGH, title, theme, parts)


def places(title: str, boxes, colours: dict, theme: Theme = LIGHT) -> str:
    """A map of rectangles: ``boxes`` is [(left, top, width, height, key)], y downwards.

    Args:
        colours: {key: (colour, words of the legend)}, in the order of the legend.
    """
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    across = max(b[0] + b[2] for b in boxes) - left
    down = max(b[1] + b[3] for b in boxes) - top
    scale = min(260 / across, 260 / down)
    parts = [
        f'<rect x="{10 + (x - left) * scale:.1f}" y="{28 + (y - top) * scale:.1f}" '
        f'width="{max(w * scale - 0.6, 0.8):.1f}" height="{max(h * scale - 0.6, 0.8):.1f}" '
        f'fill="{colours[key][0]}"/>'
        for x, y, w, h, key in boxes
    ]
    for line, (key, (colour, words)) in enumerate(colours.items()):
        y = 28 + 18 * line
        x = 22 + across * scale
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{colour}"/>')
        count = sum(1 for box in boxes if box[4] == key)
        parts.append(_text(x + 18, y + 10, f"{words} ({count})", theme))
    high = 28 + max(down * scale, 18 * len(colours)) + 10
    return _sheet(max(_WIDE, 22 + across * scale + 200), high, title, theme, parts)
