"""DATASHEET.md: what a training team asks first (after Gebru et al. 2021)."""

from __future__ import annotations

from pathlib import Path


def text(report: dict, context, inputs: list) -> str:
    """The datasheet as Markdown."""
    parts = [_head(report, context), _inputs(inputs), _made(context), _numbers(report, context)]
    if report["warnings"]:
        parts.append(["## Notes", "", *(f"- {w}" for w in report["warnings"])])
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _head(report: dict, context) -> list:
    wish, grid = context.wish, context.setup.grid
    consensus = Path(context.consensus).name if context.consensus else "none given"
    if wish.split_by == "blocks":
        how = f"blocks of {context.layout.block:g} map units"
    else:
        how = f"whole domains ({wish.split_by})"
    return [
        f"# {context.setup.title}",
        "",
        f"Exported by Concord. {report['chips']} chips of {wish.size} x {wish.rows} pixels, "
        f"{report['rejected']} rejected (see rejected.csv).",
        "",
        f"- Licence: {wish.licence}",
        f"- CRS: {grid.crs if len(grid.crs) < 40 else 'see the items'}",
        f"- Pixel size: {grid.pixel_size[0]:g} map units",
        f"- Labels: {Path(str(getattr(context.labels, 'path', context.labels))).name}; "
        "0 is no data, 255 is ignore",
        f"- Images: {', '.join(Path(p).name for p in context.imagery)}",
        f"- Consensus: {consensus}",
        f"- Formats: {', '.join(entry.title for entry in context.formats)}",
        f"- Split by {how}, buffer {context.layout.buffer:g}, seed {wish.seed}",
        f"- Nearest distance between splits: {_number(report['nearest_between_splits'])}; labels "
        f"resemble their neighbours up to about {_number(report['autocorrelation_range'])}",
        "",
    ]


def _number(value) -> str:
    return "not known" if value is None else f"{value:g}"


def _inputs(inputs: list) -> list:
    lines = ["## Inputs", "", "| file | licence | date | SHA-256 |", "| --- | --- | --- | --- |"]
    for entry in inputs:
        date = entry.get("date") or "not known"
        lines.append(f"| {entry['name']} | {entry['licence']} | {date} | {entry['sha256'][:16]}… |")
    return [*lines, ""]


def _made(context) -> list:
    wish = context.wish
    gate = [
        f"{title} {value:g}"
        for title, value, neutral in (
            ("mean posterior at least", wish.gate.min_score, 0),
            ("labelled share at least", wish.gate.min_labelled, 0),
            ("mean agreement at least", wish.gate.min_agreement, 0),
            ("undecided share at most", wish.gate.max_undecided, 1),
            ("annotators at least", wish.gate.min_annotators, 0),
            ("clear share at least", wish.gate.min_clear, 0),
            ("share without image data at most", wish.gate.max_nodata, 1),
        )
        if value != neutral
    ]
    low = {
        "keep": "kept as they are",
        "ignore": f"set to 255 below a posterior of {wish.low_below:g}",
        "weight": f"weighted by their posterior, 0 below {wish.low_below:g}",
    }
    return [
        "## How it was made",
        "",
        f"- Annotators: {', '.join(wish.annotators) or 'not stated'}",
        f"- Consensus rule: {wish.rule or 'not stated'}",
        f"- Models: {', '.join(Path(m).name for m in wish.models) or 'none stated'}",
        f"- Gate: {'; '.join(gate) or 'at least one labelled pixel'}",
        f"- Unsure pixels: {low[wish.low]}",
        "",
    ]


def _numbers(report: dict, context) -> list:
    names = [c.name for c in context.setup.scheme.classes]
    lines = [
        "## Pixels",
        "",
        "| split | chips | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for entry in report["splits"]:
        counts = " | ".join(f"{n:,}" for n in entry["classes"].values())
        lines.append(f"| {entry['split']} | {entry['chips']} | {counts} |")
    if report["curated"]:
        for when in ("before", "after"):
            counts = " | ".join(f"{n:,}" for n in report[f"histogram_{when}"].values())
            lines.append(f"| {when} curating | | {counts} |")
    return [*lines, ""]
