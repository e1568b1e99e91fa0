"""Checking a chip set that somebody exported: files, georeference, codes, splits, every format."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import files, rasters
from ..errors import ConcordError
from ..progress import SILENT, Progress
from ..taxonomy import IGNORE, NO_DATA
from . import leaks, schemas, split
from .leaks import Checked, Finding
from .store import MANIFEST
from .writers import REGISTRY


def check(folder: str, progress: Progress = SILENT) -> dict:
    """Everything that is wrong with a set; ``passed`` is False when anything is.

    Raises:
        ConcordError: the folder holds no chip set.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConcordError(f"{folder} is no folder; choose the folder of a chip set.")
    if not (root / MANIFEST).is_file():
        raise ConcordError(f"{folder} holds no {MANIFEST}; choose a set exported by Concord.")
    manifest = _mapping(files.read_json(root / MANIFEST), root / MANIFEST)
    names = _formats(manifest)
    findings = _files(root, manifest, progress.part(0, 40))
    codes, problems = _codes(root)
    findings += problems
    chips = _indexed(root)
    if "native" in names and codes is not None:
        chips, more = _items(root, codes, progress.part(40, 80))
        findings += more
        findings += [Finding("stac", "collection.json", e) for e in _collection_problems(root)]
    findings += _written_formats(root, names, codes or set(), progress.part(80, 98))
    findings += leaks.findings_of(chips, manifest)
    findings += _counts(root, chips, manifest)
    return {
        "folder": str(folder),
        "passed": not findings,
        "chips": len(chips),
        "formats": names,
        "files": len(manifest.get("files") or {}),
        "findings": [asdict(f) for f in findings[:1000]],
        "finding_count": len(findings),
        "verdicts": _verdicts(findings, manifest),
        "notes": _notes(manifest),
    }


def _verdicts(findings: list, manifest: dict) -> list:
    return [
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
            ("stac", "STAC", "every item fits the schemas"),
            ("format", "Formats", "every format can be read"),
            ("counts", "Counts", "index, items and manifest agree"),
            ("licence", "Licence", str(manifest.get("licence", ""))),
        )
    ]


def _notes(manifest: dict) -> list:
    """What is no fault and yet worth knowing."""
    report = manifest.get("report")
    report = report if isinstance(report, dict) else {}
    reach, buffer = report.get("autocorrelation_range"), report.get("buffer")
    if isinstance(reach, (int, float)) and isinstance(buffer, (int, float)) and buffer < reach:
        return [f"Labels resemble their neighbours up to {reach:g}, the buffer is {buffer:g}."]
    return []


def _formats(manifest: dict) -> list:
    """The formats that the manifest names; sets of the first version are native."""
    settings = manifest.get("settings")
    names = settings.get("formats") if isinstance(settings, dict) else None
    return [n for n in names if n in REGISTRY] if isinstance(names, list) else ["native"]


def _codes(root: Path) -> tuple:
    """(class codes or None, findings)."""
    try:
        found = {int(c["code"]) for c in files.read_json(root / "classes.json")["classes"]}
        return found, []
    except (ConcordError, KeyError, TypeError, ValueError):
        return None, [Finding("codes", "classes.json", "missing or damaged")]


def _written_formats(root: Path, names: list, codes: set, progress: Progress) -> list:
    found = []
    for done, name in enumerate(names):
        progress.report(done, len(names), f"Checking {REGISTRY[name].title}", "formats")
        folder = root / REGISTRY[name].folder
        try:
            found += [Finding(*problem) for problem in REGISTRY[name].check(folder, codes)]
        except (ConcordError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
            found.append(Finding("format", name, f"cannot be read ({error})"))
    return found


def _indexed(root: Path) -> list:
    """The chips of index.csv, for sets without items."""
    try:
        with open(root / "index.csv", encoding="utf-8", newline="") as text:
            return [
                Checked(row["id"], row["split"],
                         tuple(float(row[k]) for k in ("left", "bottom", "right", "top")), "")
                for row in csv.DictReader(text)
            ]  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError):
        return []


def _mapping(value, path) -> dict:
    if not isinstance(value, dict):
        raise ConcordError(f"{path} is not what Concord writes; export the set again.")
    return value


def _inside(root: Path, name: str) -> Path | None:
    """The path of a listed file, None when it would leave the folder."""
    path = (root / name).resolve()
    return path if root.resolve() in path.parents else None


def _files(root: Path, manifest: dict, progress: Progress) -> list:
    listed = _mapping(manifest.get("files") or {}, root / MANIFEST)
    found = []
    if not listed:
        found.append(Finding("files", MANIFEST, "it lists no files"))
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
    for name in sorted(present - set(listed) - {MANIFEST}):
        if not name.endswith(".aux.xml"):  # statistics that a viewer left behind
            found.append(Finding("files", name, "not in the manifest"))
    if not str(manifest.get("licence") or "").strip():
        found.append(Finding("licence", MANIFEST, "no licence"))
    return found


def _items(root: Path, known: set, progress: Progress) -> tuple:
    codes = {NO_DATA, IGNORE} | known
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
    problems = list(schemas.problems(item, "item"))
    properties = item.get("properties") or {}
    dated = properties.get("datetime") or (
        properties.get("start_datetime") and properties.get("end_datetime")
    )
    if not dated:
        problems.append("has neither datetime nor an interval")
    if properties.get("ml-aoi:split") not in split.SPLITS:
        problems.append(f"has the split '{properties.get('ml-aoi:split')}'")
    if item.get("id") != path.stem:
        problems.append("has another id than its file")
    return problems


def _collection_problems(root: Path) -> list:
    try:
        collection = files.read_json(root / "collection.json")
        return list(schemas.problems(collection, "collection"))
    except (ConcordError, TypeError, AttributeError) as error:
        return [f"cannot be read ({error})"]


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
        # An asset of another resolution says itself where it lies.
        problems += _misplaced(key, rasters.info(place).grid, {**properties, **asset})
        if key == "labels":
            problems += _code_problems(rasters.read(place)[0], codes)
        elif asset.get("roles") == ["data"]:
            values = rasters.read(place)
            pixels.update(values.tobytes())
            varied = varied or _varies(values)
    # Chips without a feature, all sea or all empty, are alike and no twins.
    digest = pixels.hexdigest() if varied else ""
    return Checked(item["id"], properties.get("ml-aoi:split", ""), bounds, digest), problems


def _varies(values: np.ndarray) -> bool:
    bands = (band[np.isfinite(band)] for band in values)
    return any(band.size and band.min() < band.max() for band in bands)


def _misplaced(key: str, grid, stated: dict) -> list:
    tolerance = grid.pixel_size[0] * 0.01
    wanted = [float(v) for v in stated["proj:transform"]][:6]
    crs = stated.get("proj:code") or stated.get("proj:wkt2") or ""
    problems = []
    same = [grid.height, grid.width] == stated["proj:shape"]
    for own, said in ((grid.transform, wanted), (grid.bounds, stated["proj:bbox"])):
        same = same and np.allclose(own, said, rtol=0, atol=tolerance)
    if not same:
        problems.append(("georeference", f"asset {key} does not lie where the item says"))
    if not rasters.same_crs(grid.crs, crs):
        problems.append(("georeference", f"asset {key} has another CRS than the item"))
    return problems


def _code_problems(labels: np.ndarray, codes: set) -> list:
    unknown = sorted(set(np.unique(labels).tolist()) - codes)
    return [("codes", f"code {unknown[0]} is not in the taxonomy")] if unknown else []


def _counts(root: Path, chips: list, manifest: dict) -> list:
    report = manifest.get("report")
    stated = report.get("chips") if isinstance(report, dict) else None
    findings = []
    if stated != len(chips):
        detail = f"the manifest says {stated} chips, {len(chips)} are there"
        findings.append(Finding("counts", MANIFEST, detail))
    index = root / "index.csv"
    if not index.is_file():
        return findings
    try:
        with open(index, encoding="utf-8", newline="") as f:
            rows = {row.get("id"): row.get("split") for row in csv.DictReader(f)}
    except (ValueError, csv.Error) as error:  # saved by a spreadsheet in another encoding
        return [*findings, Finding("counts", "index.csv", f"cannot be read ({error})")]
    if len(rows) != len(chips):
        detail = f"{len(rows)} rows for {len(chips)} chips"
        findings.append(Finding("counts", "index.csv", detail))
    for chip in chips:
        if rows.get(chip.id) != chip.split:
            detail = f"the item says {chip.split}, the index {rows.get(chip.id)}"
            findings.append(Finding("counts", chip.id, detail))
    return findings
