"""What stands beside the chips: splits, index, classes, captions, datasheet, manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..grid import Grid
from . import audit, captions, croissant, curate, datasheet, split, stac, tables
from .store import MANIFEST, Store
from .writers import base

VERSION = 3
_GROUP = 256  # chips


@dataclass(frozen=True)
class Context:
    """What was asked, planned and read in an export."""

    setup: base.Setup
    layout: object
    imagery: list
    labels: object
    consensus: str | None
    formats: list

    @property
    def wish(self):
        return self.setup.wish

    @property
    def inputs(self) -> list:
        """Paths of everything that was read."""
        labels = self.labels if isinstance(self.labels, (str, Path)) else None
        found = [*self.imagery, labels, self.consensus]
        found += [self.wish.grid, self.wish.agreement, self.wish.clear, self.wish.votes]
        found.append(self.wish.match)
        return list(dict.fromkeys(str(path) for path in found if path))


def finish(store: Store, context: Context) -> dict:
    """Stage every file that describes the set, the manifest last; return the report."""
    refused = dict(store.refused())
    kept = [p for p in context.layout.kept if p.chip.id not in refused]
    rejected = sorted([*context.layout.rejected, *refused.items()])
    grid, setup = context.setup.grid, context.setup
    report = report_of(context.layout, context.wish, kept, rejected)
    for entry in context.formats:
        for name, pieces in entry.finish(store.entries, setup):
            store.put_set_file(f"{entry.folder}{name}", pieces)
    store.put_set_file("splits.geojson", _splits(kept, grid))
    store.put_set_file("classes.json", base.dumps(setup.scheme.as_json()))
    index, data = _index(kept, context.wish.index)
    digest = store.put_set_file(index, data)
    store.put_set_file("rejected.csv", tables.csv_lines(("id", "reason"), rejected))
    if context.wish.captions:
        store.put_set_file("captions.jsonl", captions.lines(kept, context))
    if any(entry.id == "native" for entry in context.formats):
        text = croissant.document(context, kept, report, index, digest)
        store.put_set_file("croissant.json", base.dumps(text))
    inputs = _inputs(context)
    store.put_set_file("DATASHEET.md", datasheet.text(report, context, inputs))
    store.put_set_file(MANIFEST, _manifest(store, report, context, inputs))
    return report


def features(kept: list, grid: Grid) -> Iterator:
    """Every chip's outline with its split, moved to longitude and latitude by groups."""
    with rasters.environment():
        for start in range(0, len(kept), _GROUP):
            group = kept[start : start + _GROUP]
            found = stac.footprints([grid.sub(p.chip.window) for p in group])
            yield from (_feature(p, *outline) for p, outline in zip(group, found))


def _feature(p, geometry: dict, bbox: list) -> dict:
    properties = {
        "id": p.chip.id,
        "split": p.split,
        "block": " ".join(str(part) for part in p.block),
        "labelled_share": round(p.content.labelled, 6),
        "mean_posterior": None if p.content.score is None else round(p.content.score, 6),
    }
    if p.domain:
        properties["domain"] = p.domain
    return {"type": "Feature", "bbox": bbox, "geometry": geometry, "properties": properties}


def _splits(kept: list, grid: Grid) -> Iterator:
    yield '{"type": "FeatureCollection", "features": '
    yield from base.json_list(features(kept, grid))
    yield "}\n"


_HEAD = ("id", "split", "left", "bottom", "right", "top", "labelled_share", "mean_posterior")


def _index(kept: list, kind: str) -> tuple:
    """(file name, content) of the table of chips."""
    if kind == "parquet":
        columns = {name: [] for name in _HEAD}
        for p in kept:
            values = (p.chip.id, p.split, *map(float, p.chip.bounds), p.content.labelled,
                      p.content.score)  # fmt: skip
            for name, value in zip(_HEAD, values):
                columns[name].append(value)
        return "index.parquet", tables.parquet(columns)
    rows = (
        (p.chip.id, p.split, *(repr(float(v)) for v in p.chip.bounds), f"{p.content.labelled:.6f}",
         "" if p.content.score is None else f"{p.content.score:.6f}")
        for p in kept
    )  # fmt: skip
    return "index.csv", tables.csv_lines(_HEAD, rows)


def report_of(layout, wish, kept: list, rejected: list) -> dict:
    """The figures of a set or of a preview."""
    scheme = layout.scheme
    per_split = []
    for name in split.SPLITS:
        own = [p for p in kept if p.split == name]
        classes = curate.histogram(own, scheme)
        per_split.append({"split": name, "chips": len(own), "classes": classes})
    values = {
        "chips": len(kept),
        "rejected": len(rejected),
        "reasons": _reasons(rejected),
        "splits": per_split,
        "nearest_between_splits": split.nearest_distance(kept),
        "autocorrelation_range": layout.autocorrelation,
        "shared_scenes": audit.shared_scenes(kept, layout.images),
        "block": layout.block,
        "buffer": layout.buffer,
        "split_by": wish.split_by,
        "domains": _domains(kept),
        "chip_size": wish.size,
        "licence": wish.licence,
        "curated": layout.dropped,
        "histogram_before": layout.before,
        "histogram_after": curate.histogram(kept, scheme),
    }
    values["warnings"] = _warnings(values, layout, scheme)
    if wish.gate.min_score and not layout.reader.has_posterior:
        values["warnings"].append(
            "The least posterior was not asked for: there is no CONSENSUS that says it."
        )
    return values


def _domains(kept: list) -> dict:
    found: dict = {}
    for p in kept:
        if p.domain:
            found.setdefault(p.domain, p.split)
    return dict(sorted(found.items()))


def _warnings(values: dict, layout, scheme) -> list:
    per_split = values["splits"]
    warnings = [
        f"{entry['split']} has no pixel of {name}"
        for entry in per_split if entry["chips"]
        for name, count in entry["classes"].items()
        if not count and any(other["classes"][name] for other in per_split)
    ]  # fmt: skip
    if values["split_by"] in ("scene", "date"):
        warnings += [
            f"{name} gives pixels to chips of {' and '.join(splits)} although the split is by "
            f"{values['split_by']}: where images overlap a chip holds all of them; leave one out."
            for name, splits in values["shared_scenes"].items()
        ]
    several = sum(bool(entry["chips"]) for entry in per_split) > 1
    reach = values["autocorrelation_range"]
    if several and reach and layout.buffer < reach:
        warnings.append(
            f"Labels resemble their neighbours up to about {reach:g} map units, the buffer is "
            f"{layout.buffer:g}; test scores may be too good."
        )
    if not any(layout.dates):
        warnings.append("The date of the images is not known; give DATE to record it.")
    for image in layout.images:
        if image.moved:
            warnings.append(
                f"{image.name} lies in another CRS or is turned; it was resampled at its own pixel "
                "size onto the chips' footprint."
            )
        elif image.is_resampled:
            warnings.append(f"{image.name} was brought on the chips' grid by resampling.")
    if layout.angle:
        warnings.append(
            f"The chips are turned by {layout.angle:g} degrees; labels were brought on their grid "
            "by the nearest pixel."
        )
    if scheme.assumed:
        warnings.append(scheme.assumed)
    return warnings


def _reasons(rejected: list) -> dict:
    counted: dict = {}
    for _, reason in rejected:
        words = reason.split(" below ")[0].split(" above ")[0].rstrip("0123456789. ")
        words = "looks like another chip" if words.startswith("looks like") else words
        counted[words] = counted.get(words, 0) + 1
    return dict(sorted(counted.items()))


def _inputs(context: Context) -> list:
    """Name, hash, licence and date of every input; where a file lay is nobody's business."""
    dates = dict(zip(map(str, context.imagery), context.layout.dates))
    found = []
    for path in context.inputs:
        name = Path(path).name
        stated = context.wish.sources.get(name) or context.wish.sources.get(Path(name).stem)
        entry = {
            "name": name,
            "sha256": files.sha256(path),
            "licence": stated or context.wish.licence,
            "licence_stated": "for this input" if stated else "for the whole set",
        }
        if dates.get(path):
            entry["date"] = dates[path]
        tags = {k: v for k, v in rasters.info(path).tags.items() if k.startswith("CONCORD_")}
        if tags:
            entry["tags"] = tags
        found.append(entry)
    return found


def _manifest(store: Store, report: dict, context: Context, inputs: list) -> Iterator:
    wish = context.wish
    settings = {**wish.settings(), "block": context.layout.block, "buffer": context.layout.buffer}
    settings["stride"] = wish.stride or wish.size
    head = {
        "version": VERSION,
        "made_with": "Concord",
        "licence": wish.licence,
        "settings": settings,
        "inputs": inputs,
        "sensors": [
            {"asset": image.name, "sensor": image.recognised.sensor,
             "reason": image.recognised.reason, "inputs": [Path(p).name for p in image.inputs]}
            for image in context.setup.images
        ],
        "annotators": list(wish.annotators),
        "models": [{"name": Path(m).name, "sha256": files.sha256(m)} for m in wish.models],
        "rule": wish.rule,
        "report": report,
    }  # fmt: skip
    text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    yield text[:-2] + ',\n "files": {'
    comma = "\n"
    for name, digest in store.listed():
        yield f'{comma}  {json.dumps(name, ensure_ascii=False)}: "{digest}"'
        comma = ",\n"
    yield "\n }\n}\n"


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} in a manifest")
