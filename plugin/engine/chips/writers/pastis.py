"""PASTIS' layout: a time series a patch as NumPy arrays, folds, dates in metadata.geojson.

Images with the same bands as the first optical one are its dates; folds 1 to 3 are train, 4 is
validate, 5 is test. HEATMAP and ZONES are what parcels-as-points (Garnot and Landrieu 2021,
"Panoptic Segmentation of Satellite Image Time Series") is trained with.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ...errors import ConcordError
from ...taxonomy import IGNORE, NO_DATA
from .. import stac
from . import base

_FIRST = 10000
_KINDS = (("S2", "optical"), ("S1", "sar"))
_SPREAD = 20  # a parcel's side over the deviation of its bump in the heatmap


def _bytes(array: np.ndarray) -> bytes:
    memory = io.BytesIO()
    np.save(memory, array, allow_pickle=False)
    return memory.getvalue()


def _series(sample: base.Sample, kind: str) -> list:
    """Cuts of one kind with the bands and size of the first, in order of their dates."""
    cuts = [c for c in sample.cuts if c.image.recognised.kind == kind]
    alike = [
        c
        for c in cuts
        if c.array.shape == cuts[0].array.shape
        and [b.name for b in c.image.bands] == [b.name for b in cuts[0].image.bands]
    ]
    alike.sort(key=lambda c: (_dates(sample, c), c.name))
    # A patch has a date once: its loader lays them on a table of days.
    days = [_dates(sample, c)[0] for c in alike]
    return [c for i, c in enumerate(alike) if days.index(days[i]) == i]


def _dates(sample: base.Sample, cut) -> list:
    """The dates of a cut as wished or as known, never empty."""
    found = [sample.setup.wish.date] if sample.setup.wish.date else list(cut.image.dates)
    if not found:
        raise ConcordError(
            f"The PASTIS layout needs the date of every image, {cut.name} has none; give DATE or "
            "put the date into the file name."
        )
    return found


def _centres(things: list, shape: tuple) -> list:
    """(number, row, column, height, width) of the middle pixel of every object's box."""
    found = []
    for thing in things:
        x, y, width, height = thing.box
        row, col = int(y + (height - 1) / 2), int(x + (width - 1) / 2)
        found.append((thing.number, min(row, shape[0] - 1), min(col, shape[1] - 1), height, width))
    return found


def heatmap(things: list, shape: tuple) -> np.ndarray:
    """Centreness (rows, cols) float32, 1 on the middle pixel of every object."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    bumps = np.zeros(shape, np.float32)
    for _, row, col, height, width in _centres(things, shape):
        down, along = max(height / _SPREAD, 0.5), max(width / _SPREAD, 0.5)
        bump = np.exp(-(((rows - row) / down) ** 2 + ((cols - col) / along) ** 2) / 2)
        np.maximum(bumps, bump.astype(np.float32), out=bumps)
    return bumps


def zones(things: list, shape: tuple) -> np.ndarray:
    """The number of the object with the nearest middle (rows, cols) int32, 0 without objects."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    nearest, owner = np.full(shape, np.inf), np.zeros(shape, np.int32)
    for number, row, col, _, _ in _centres(things, shape):
        distance = (rows - row) ** 2 + (cols - col) ** 2
        closer = distance < nearest
        nearest[closer], owner[closer] = distance[closer], number
    return owner


def chip(sample: base.Sample) -> tuple:
    """DATA_S2 (and S1), the class and object arrays."""
    number = _FIRST + sample.planned.number
    files, record = {}, {"id": number, "dates": {}, "stats": {}}
    for name, kind in _KINDS:
        cuts = _series(sample, kind)
        if not cuts:
            continue
        stack = np.stack([c.array for c in cuts])
        if stack.dtype.kind in "ui" and stack.max() <= 32767:
            stack = stack.astype(np.int16)
        files[f"DATA_{name}/{name}_{number}.npy"] = _bytes(stack)
        dates = [_dates(sample, c)[0] for c in cuts]
        record["dates"][name] = {str(i): int(d.replace("-", "")) for i, d in enumerate(dates)}
        values = np.nan_to_num(stack.astype(float))
        record["stats"][name] = [
            values.sum(axis=(0, 2, 3)).tolist(), (values**2).sum(axis=(0, 2, 3)).tolist(),
            int(values[:, 0].size),
        ]  # fmt: skip
    target = np.stack([sample.label, sample.boundary.astype(np.uint8), np.zeros_like(sample.label)])
    files[f"ANNOTATIONS/TARGET_{number}.npy"] = _bytes(target)
    shape, things = sample.label.shape, sample.things
    for title, array in (
        # int32, because torch knows no uint16
        ("INSTANCES", sample.numbers.astype(np.int32)),
        ("HEATMAP", heatmap(things, shape)),
        ("ZONES", zones(things, shape)),
    ):
        files[f"INSTANCE_ANNOTATIONS/{title}_{number}.npy"] = _bytes(array)
    geometry, _ = stac.footprint(sample.grid)
    fold = {"train": 1 + abs(hash_of(sample.planned.block)) % 3, "validate": 4, "test": 5}
    record |= {"fold": fold[sample.split], "parcels": len(sample.things), "geometry": geometry}
    record["cover"] = round(sample.planned.content.labelled, 6)
    return files, record


def hash_of(block: tuple) -> int:
    """A number of a block that is the same in every run."""
    return sum((i + 1) * ord(letter) for i, letter in enumerate(repr(block)))


def finish(entries, setup: base.Setup):
    """metadata.geojson and the normalisation of every fold."""
    yield "metadata.geojson", _metadata(entries, setup)
    for name, _ in _KINDS:
        folds = _norms(entries, name)
        if folds:
            yield f"NORM_{name}_patch.json", base.dumps(folds)


def _metadata(entries, setup: base.Setup):
    yield '{"type": "FeatureCollection", "features": '
    yield from base.json_list(
        {"type": "Feature", "geometry": record["geometry"],
         "properties": {"ID_PATCH": record["id"], "Fold": record["fold"], "TILE": entry.id,
                        "N_Parcel": record["parcels"], "Parcel_Cover": record["cover"],
                        **{f"dates-{k}": v for k, v in record["dates"].items()}}}
        for entry, record in base.own(entries, "pastis")
    )  # fmt: skip
    yield "}\n"


def _norms(entries, name: str) -> dict:
    sums: dict = {}
    for _, record in base.own(entries, "pastis"):
        stats = record["stats"].get(name)
        if stats:
            first, second, count = (np.array(part, float) for part in stats)
            old = sums.get(record["fold"], (0.0, 0.0, 0.0))
            sums[record["fold"]] = (old[0] + first, old[1] + second, old[2] + count)
    folds = {}
    for fold, (first, second, count) in sorted(sums.items()):
        mean = first / count
        spread = np.sqrt(np.maximum(second / count - mean**2, 0))
        folds[f"Fold_{fold}"] = {"mean": mean.tolist(), "std": spread.tolist()}
    if folds:  # the loader asks for all five; one without a patch gets the mean of the others
        middle = {
            key: np.mean([fold[key] for fold in folds.values()], axis=0).tolist()
            for key in ("mean", "std")
        }
        folds = {f"Fold_{n}": folds.get(f"Fold_{n}", middle) for n in range(1, 6)}
    return folds


def check(folder: Path, codes: set):
    """Every patch has data, target and objects of one size; codes are known."""
    targets = sorted((folder / "ANNOTATIONS").glob("TARGET_*.npy"))
    if not targets:
        yield "files", "pastis/ANNOTATIONS", "holds no target"
    for path in targets:
        number, name = path.stem.split("_")[1], f"pastis/ANNOTATIONS/{path.name}"
        target = np.load(path, allow_pickle=False)
        unknown = set(np.unique(target[0]).tolist()) - codes - {NO_DATA, IGNORE}
        if unknown:
            yield "codes", name, f"code {min(unknown)} is not in the taxonomy"
        place = folder / "INSTANCE_ANNOTATIONS"
        others = [place / f"{t}_{number}.npy" for t in ("INSTANCES", "HEATMAP", "ZONES")]
        data = list(folder.glob(f"DATA_*/*_{number}.npy"))
        if not data or not all(other.is_file() for other in others):
            yield "files", name, "lacks its objects or its data"


FORMATS = (base.Format("pastis", "PASTIS layout", chip, finish, check),)
