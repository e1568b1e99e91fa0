"""EuroSAT-style folders: one folder a class, each chip in that of its most frequent class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import split
from . import base


def chip(sample: base.Sample) -> tuple:
    """The first image, filed under the class that covers most of the chip."""
    codes = sample.setup.scheme.codes
    counts = np.array([sample.planned.content.counts[c] for c in codes])
    best = int(counts.argmax())
    name = base.plain(sample.setup.scheme.name(codes[best]))
    file = f"{name}/{name}_{sample.id}.tif"
    share = float(counts[best] / max(1, counts.sum()))
    return {file: sample.tiff(sample.first)}, {"file": file, "share": round(share, 6)}


def finish(entries, setup: base.Setup):
    """A list of files a split, and how pure every chip is."""
    for name in split.SPLITS:
        yield (
            f"eurosat-{base.SPLIT_SHORT[name]}.txt",
            (
                record["file"].split("/")[-1] + "\n"
                for _, record in base.own(entries, "eurosat", name)
            ),
        )
    yield "purity.csv", _purity(entries)


def _purity(entries):
    yield "file,split,share_of_class\n"
    for entry, record in base.own(entries, "eurosat"):
        yield f"{record['file']},{entry.split},{record['share']:.6f}\n"


def check(folder: Path, codes: set):
    """Every listed file lies in the folder its name speaks of, and nothing is listed twice."""
    present = {path.name: path.parent.name for path in folder.glob("*/*.tif")}
    seen: set = set()
    for path in sorted(folder.glob("eurosat-*.txt")):
        for name in path.read_text(encoding="utf-8").split():
            if name in seen:
                yield "leak", f"eurosat/{path.name}", f"{name} is listed twice"
            seen.add(name)
            if name not in present:
                yield "files", f"eurosat/{name}", "missing"
            elif not name.startswith(present[name] + "_"):
                yield "format", f"eurosat/{name}", f"lies in the folder {present[name]}"


FORMATS = (base.Format("eurosat", "Class folders (EuroSAT)", chip, finish, check),)
