"""Checking a chip set that somebody exported: files, georeference, codes, splits, STAC."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress
from ..taxonomy import IGNORE, NO_DATA
from . import describe, split


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, in which file, in words."""

    kind: str
    file: str
    detail: str


def check(folder: str, progress: Progress = SILENT) -> dict:
    """Everything that is wrong with a set; ``passed`` is False when anything is.

    Raises:
        ConcordError: the folder holds no chip set.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConcordError(f"{folder} is no folder; choose the folder of a chip set.")
    if not (root / describe.MANIFEST).is_file():
        raise ConcordError(
            f"{folder} holds no {describe.MANIFEST}; choose a set exported by Concord."
        )
    manifest = _mapping(files.read_json(root / describe.MANIFEST), root / describe.MANIFEST)
    findings = _files(root, manifest, progress.part(0, 40))
    chips, more = _items(root, progress.part(40, 95))
    findings += more
    findings += _splits(chips, manifest)
    findings += _counts(root, chips, manifest)
    verdicts = [
        {
            "level": "red" if any(f.kind == kind for f in findings) else "green",
            "what": title,
            "detail": next((f"{f.file}: {f.detail}" for f in findings if f.kind == kind), good),
        }
        for kind, title, good in (
            ("files", "Files", "all files are there and unchanged"),
            ("georeference", "Georeference", "every chip lies where its item says"),
            ("codes", "Codes", "every code is in the taxonomy"),
            ("leak", "Splits", "no chip of one split overlaps or nears another"),
            ("stac", "STAC", "every item is complete"),
            ("counts", "Counts", "index, items and manifest agree"),
            ("licence", "Licence", str(manifest.get("licence", ""))),
        )
    ]
    return {
        "folder": str(folder),
        "passed": not findings,
        "chips": len(chips),
        "files": len(manifest.get("files") or {}),
        "findings": [asdict(f) for f in findings[:1000]],
        "finding_count": len(findings),
        "verdicts": verdicts,
    }


def _mapping(value, path) -> dict:
    if not isinstance(value, dict):
        raise ConcordError(f"{path} is not what Concord writes; export the set again.")
    return value


def _inside(root: Path, name: str) -> Path | None:
    """The path of a listed file, None when it would leave the folder."""
    path = (root / name).resolve()
    return path if root.resolve() in path.parents else None


def _files(root: Path, manifest: dict, progress: Progress) -> list:
    listed = _mapping(manifest.get("files") or {}, root / describe.MANIFEST)
    found = []
    if not listed:
        found.append(Finding("files", describe.MANIFEST, "it lists no files"))
    for done, (name, digest) in enumerate(listed.items()):
        progress.report(done, len(listed), "Checking files", "files")
        path = _inside(root, name)
        if path is None:
            found.append(Finding("files", name, "the name leaves the folder"))
        elif not path.is_file():
            found.append(Finding("files", name, "missing"))
        elif files.sha256(path) != digest:
            found.append(Finding("files", name, "changed since the export"))
    present = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    for name in sorted(present - set(listed) - {describe.MANIFEST}):
        if not name.endswith(".aux.xml"):  # statistics that a viewer left behind
            found.append(Finding("files", name, "not in the manifest"))
    if not str(manifest.get("licence") or "").strip():
        found.append(Finding("licence", describe.MANIFEST, "no licence"))
    return found


@dataclass(frozen=True)
class _Checked:
    id: str
    split: str
    bounds: tuple
    digest: str


def _items(root: Path, progress: Progress) -> tuple:
    codes = {NO_DATA, IGNORE}
    try:
        codes |= {int(c["code"]) for c in files.read_json(root / "classes.json")["classes"]}
    except (ConcordError, KeyError, TypeError, ValueError):
        return [], [Finding("codes", "classes.json", "missing or damaged")]
    chips, findings = [], []
    paths = sorted((root / "chips").glob("*/*.json"))
    for done, path in enumerate(paths):
        progress.report(done, len(paths), "Checking chips", "chips")
        name = path.relative_to(root).as_posix()
        try:
            item = files.read_json(path)
            findings += [Finding("stac", name, text) for text in _stac_problems(item, path)]
            checked, problems = _chip(root, path, item, codes)
        except (ConcordError, KeyError, TypeError, ValueError, AttributeError) as error:
            findings.append(Finding("stac", name, f"cannot be read ({error})"))
            continue
        chips.append(checked)
        findings += [Finding(kind, name, text) for kind, text in problems]
    return chips, findings


def _stac_problems(item: dict, path: Path) -> list:
    properties = item.get("properties") or {}
    problems = [
        f"lacks {key}"
        for key in ("type", "stac_version", "id", "geometry", "bbox", "assets", "links")
        if item.get(key) is None
    ]
    dated = properties.get("datetime") or (
        properties.get("start_datetime") and properties.get("end_datetime")
    )
    if not dated:
        problems.append("has neither datetime nor an interval")
    if properties.get("ml-aoi:split") not in split.SPLITS:
        problems.append(f"has the split '{properties.get('ml-aoi:split')}'")
    for key in ("label:description", "label:type", "label:classes"):
        if not properties.get(key):
            problems.append(f"lacks {key}")
    if item.get("id") != path.stem:
        problems.append("has another id than its file")
    return problems


def _chip(root: Path, path: Path, item: dict, codes: set) -> tuple:
    properties = item["properties"]
    problems, pixels = [], hashlib.sha256()
    bounds = tuple(float(v) for v in properties["proj:bbox"])
    varied = False
    for key, asset in item["assets"].items():
        place = _inside(root, (path.parent / asset["href"]).relative_to(root).as_posix())
        if place is None or not place.is_file():
            problems.append(("files", f"asset {key} is missing"))
            continue
        problems += _misplaced(key, rasters.info(place).grid, properties, bounds)
        if key == "labels":
            problems += _code_problems(rasters.read(place)[0], codes)
        elif "data" in asset.get("roles", ()) and key != "consensus":
            values = rasters.read(place)
            pixels.update(values.tobytes())
            varied = varied or _varies(values)
    # Chips without a feature, all sea or all empty, are alike and no twins.
    digest = pixels.hexdigest() if varied else ""
    return _Checked(item["id"], properties.get("ml-aoi:split", ""), bounds, digest), problems


def _varies(values: np.ndarray) -> bool:
    bands = (band[np.isfinite(band)] for band in values)
    return any(band.size and band.min() < band.max() for band in bands)


def _misplaced(key: str, grid, properties: dict, bounds: tuple) -> list:
    tolerance = grid.pixel_size[0] * 0.01
    wanted = [float(v) for v in properties["proj:transform"]][:6]
    crs = properties.get("proj:code") or properties.get("proj:wkt2") or ""
    problems = []
    same = [grid.height, grid.width] == properties["proj:shape"]
    for own, stated in ((grid.transform, wanted), (grid.bounds, bounds)):
        same = same and np.allclose(own, stated, rtol=0, atol=tolerance)
    if not same:
        problems.append(("georeference", f"asset {key} does not lie where the item says"))
    if not rasters.same_crs(grid.crs, crs):
        problems.append(("georeference", f"asset {key} has another CRS than the item"))
    return problems


def _code_problems(labels: np.ndarray, codes: set) -> list:
    unknown = sorted(set(np.unique(labels).tolist()) - codes)
    return [("codes", f"code {unknown[0]} is not in the taxonomy")] if unknown else []


def _splits(chips: list, manifest: dict) -> list:
    settings = manifest.get("settings")
    buffer = settings.get("buffer") if isinstance(settings, dict) else None
    findings = []
    if not isinstance(buffer, (int, float)) or buffer < 0:
        findings.append(Finding("leak", describe.MANIFEST, "it does not say the buffer"))
        buffer = 0.0
    boxes = np.array([c.bounds for c in chips]).reshape(-1, 4)
    names = np.array([c.split for c in chips])
    for chip in chips:
        gaps = split.distance(np.array(chip.bounds), boxes)
        other = names != chip.split
        for index in np.flatnonzero(other & (gaps < 0)):
            detail = f"{chip.split} chip overlaps {chips[index].id} of {chips[index].split}"
            findings.append(Finding("leak", chip.id, detail))
        near = other & (gaps >= 0) & (gaps < buffer * (1 - 1e-6))
        for index in np.flatnonzero(near):
            detail = f"{gaps[index]:g} from {chips[index].id} of another split, buffer {buffer:g}"
            findings.append(Finding("leak", chip.id, detail))
    return findings + _twins(chips)


def _twins(chips: list) -> list:
    """Chips of different splits with the very same pixels."""
    seen: dict = {}
    findings = []
    for chip in chips:
        other = seen.setdefault(chip.digest, chip)
        if chip.digest and other.split != chip.split:
            detail = f"same pixels as {other.id} of {other.split}"
            findings.append(Finding("leak", chip.id, detail))
    return findings


def _counts(root: Path, chips: list, manifest: dict) -> list:
    report = manifest.get("report")
    stated = report.get("chips") if isinstance(report, dict) else None
    findings = []
    if stated != len(chips):
        detail = f"the manifest says {stated} chips, {len(chips)} are there"
        findings.append(Finding("counts", describe.MANIFEST, detail))
    index = root / "index.csv"
    if not index.is_file():
        return findings
    with open(index, encoding="utf-8", newline="") as f:
        rows = {row.get("id"): row.get("split") for row in csv.DictReader(f)}
    if len(rows) != len(chips):
        detail = f"{len(rows)} rows for {len(chips)} chips"
        findings.append(Finding("counts", "index.csv", detail))
    for chip in chips:
        if rows.get(chip.id) != chip.split:
            detail = f"the item says {chip.split}, the index {rows.get(chip.id)}"
            findings.append(Finding("counts", chip.id, detail))
    return findings
