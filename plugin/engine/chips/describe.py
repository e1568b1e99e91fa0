"""What stands beside the chips: collection, splits, index, classes, datasheet, manifest."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..grid import Grid
from ..taxonomy import Taxonomy
from . import split, stac

MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Context:
    """What was asked and assumed in an export."""

    scheme: Taxonomy
    grid: Grid
    wish: object
    block: float
    buffer: float
    imagery: list
    labels: str
    consensus: str | None
    images: list
    dates: list


def finish(folder: Path, kept: list, rejected: list, context: Context) -> dict:
    """Write every file that describes the set, the manifest last; return the report."""
    features = [_feature(p, context.grid) for p in kept]
    boxes = [feature["bbox"] for feature in features]
    title = f"Chips of {Path(context.labels).stem}"
    files.write_json(
        folder / "collection.json",
        stac.collection(kept, boxes, title, context.wish.licence, context.dates),
    )
    files.write_json(folder / "splits.geojson", {"type": "FeatureCollection", "features": features})
    files.write_json(folder / "classes.json", context.scheme.as_json())
    files.write_text(folder / "index.csv", _index(kept))
    rows = [("id", "reason"), *sorted(rejected)]
    files.write_text(folder / "rejected.csv", _csv(rows))
    report = _report(kept, rejected, context)
    files.write_text(folder / "DATASHEET.md", _datasheet(report, context))
    files.write_json(folder / MANIFEST, _manifest(folder, report, context))
    return report


def _feature(p, grid: Grid) -> dict:
    geometry, bbox = stac.footprint(p.chip.bounds, grid.crs)
    properties = {
        "id": p.chip.id,
        "split": p.split,
        "block": f"{p.block[0]} {p.block[1]}",
        "labelled_share": round(p.content.labelled, 6),
        "mean_posterior": None if p.content.score is None else round(p.content.score, 6),
    }
    return {"type": "Feature", "bbox": bbox, "geometry": geometry, "properties": properties}


def _csv(rows) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _index(kept: list) -> str:
    head = ("id", "split", "left", "bottom", "right", "top", "labelled_share", "mean_posterior")
    rows = [head]
    for p in kept:
        score = "" if p.content.score is None else f"{p.content.score:.6f}"
        bounds = [repr(float(v)) for v in p.chip.bounds]
        rows.append((p.chip.id, p.split, *bounds, f"{p.content.labelled:.6f}", score))
    return _csv(rows)


def _report(kept: list, rejected: list, context: Context) -> dict:
    per_split = []
    for name in split.SPLITS:
        own = [p for p in kept if p.split == name]
        counts = sum(p.content.counts for p in own) if own else None
        per_split.append(
            {
                "split": name,
                "chips": len(own),
                "classes": {
                    c.name: int(counts[c.code]) if own else 0 for c in context.scheme.classes
                },
            }
        )
    warnings = [
        f"{entry['split']} has no pixel of {name}"
        for entry in per_split if entry["chips"]
        for name, count in entry["classes"].items()
        if not count and any(other["classes"][name] for other in per_split)
    ]  # fmt: skip
    if not any(context.dates):
        warnings.append("The date of the images is not known; give DATE to record it.")
    if context.scheme.assumed:
        warnings.append(context.scheme.assumed)
    return {
        "chips": len(kept),
        "rejected": len(rejected),
        "reasons": _reasons(rejected),
        "splits": per_split,
        "nearest_between_splits": split.nearest_distance(kept),
        "block": context.block,
        "buffer": context.buffer,
        "chip_size": context.wish.size,
        "licence": context.wish.licence,
        "warnings": warnings,
    }


def _reasons(rejected: list) -> dict:
    counted: dict = {}
    for _, reason in rejected:
        words = reason.split(" below ")[0].rstrip("0123456789. ")
        counted[words] = counted.get(words, 0) + 1
    return dict(sorted(counted.items()))


def _datasheet(report: dict, context: Context) -> str:
    lines = [
        f"# Chips of {Path(context.labels).stem}",
        "",
        f"Exported by Concord. {report['chips']} chips of {report['chip_size']} pixels, "
        f"{report['rejected']} rejected (see rejected.csv).",
        "",
        f"- Licence: {context.wish.licence}",
        f"- CRS: {context.grid.crs if len(context.grid.crs) < 40 else 'see the items'}",
        f"- Pixel size: {context.grid.pixel_size[0]:g} map units",
        f"- Labels: {Path(context.labels).name}; 0 is no data, 255 is ignore",
        f"- Images: {', '.join(Path(p).name for p in context.imagery)}",
        f"- Consensus: {Path(context.consensus).name if context.consensus else 'none given'}",
        f"- Split by blocks of {context.block:g} map units, buffer {context.buffer:g}, "
        f"seed {context.wish.seed}",
        "",
        "| split | chips | " + " | ".join(c.name for c in context.scheme.classes) + " |",
        "| --- | --- |" + " --- |" * len(context.scheme.classes),
    ]
    for entry in report["splits"]:
        counts = " | ".join(f"{n:,}" for n in entry["classes"].values())
        lines.append(f"| {entry['split']} | {entry['chips']} | {counts} |")
    lines += ["", *(f"Note: {warning}" for warning in report["warnings"]), ""]
    return "\n".join(lines)


def _manifest(folder: Path, report: dict, context: Context) -> dict:
    listed = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    inputs = [*context.imagery, context.labels]
    inputs += [context.consensus] if context.consensus else []
    return {
        "version": VERSION,
        "made_with": "Concord",
        "licence": context.wish.licence,
        "settings": {
            "chip_size": context.wish.size,
            "stride": context.wish.stride or context.wish.size,
            "min_score": context.wish.gate.min_score,
            "min_labelled": context.wish.gate.min_labelled,
            "split": list(context.wish.shares),
            "block": context.block,
            "buffer": context.buffer,
            "seed": context.wish.seed,
        },
        # Names only: where a file lay on the exporter's machine is nobody's business.
        "inputs": [{"name": Path(p).name, "sha256": files.sha256(p)} for p in inputs],
        "sensors": [
            {"asset": image.name, "sensor": image.recognised.sensor,
             "reason": image.recognised.reason}
            for image in context.images
        ],
        "report": report,
        "files": {name: files.sha256(folder / name) for name in listed},
    }  # fmt: skip
