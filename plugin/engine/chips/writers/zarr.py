"""Zarr version 2, written as plain files: one array a modality, one chunk a chip.

Arrays are (chip, band, y, x); every chip's transform stands in ``transform`` (chip, 6), the CRS in
the group's attributes. Chunks that are not there read as the fill value, as Zarr defines it.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from ... import files
from ...errors import ConcordError
from ...taxonomy import IGNORE, NO_DATA
from . import base

_LEVEL = 6


def _pack(array: np.ndarray) -> bytes:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return zlib.compress(np.ascontiguousarray(little).tobytes(), _LEVEL)


def chip(sample: base.Sample) -> tuple:
    """One chunk of every array; the chip's number is its place along the first axis."""
    number = sample.planned.number
    chunks = {f"images/{cut.name}/{number}.0.0.0": _pack(cut.array) for cut in sample.cuts}
    chunks[f"label/{number}.0.0"] = _pack(sample.label)
    if sample.posterior is not None:
        chunks[f"posterior/{number}.0.0"] = _pack(sample.posterior)
    shapes = {cut.name: [*cut.array.shape, cut.array.dtype.str] for cut in sample.cuts}
    record = {
        "images": shapes, "label": list(sample.label.shape), "number": number,
        "transform": list(sample.grid.transform), "score": sample.posterior is not None,
    }  # fmt: skip
    return chunks, record


def _array(shape, chunks, dtype: str, fill) -> dict:
    return {
        "zarr_format": 2, "shape": list(shape), "chunks": list(chunks), "dtype": dtype,
        "compressor": {"id": "zlib", "level": _LEVEL}, "fill_value": fill, "order": "C",
        "filters": None,
    }  # fmt: skip


def finish(entries, setup: base.Setup):
    """Array headers, attributes, and the small arrays of ids, splits and transforms."""
    ids, splits, moves, images, label, score = [], [], [], {}, None, False
    for entry, record in base.own(entries, "zarr"):
        ids.append(entry.id)
        splits.append(entry.split)
        moves.append(record["transform"])
        images.update(record["images"])
        label, score = record["label"], score or record["score"]
    count = len(ids)
    about = {
        "title": setup.title, "licence": setup.wish.licence, "crs": setup.grid.crs,
        "classes": {str(k): v for k, v in setup.scheme.names.items()}, "ignore": IGNORE,
        "made_with": "Concord",
    }  # fmt: skip
    meta = {".zgroup": {"zarr_format": 2}, ".zattrs": about, "images/.zgroup": {"zarr_format": 2}}
    dims = ["chip", "y", "x"]
    wanted = ["label", *(["posterior"] if score else [])]
    for name in wanted:
        meta[f"{name}/.zarray"] = _array([count, *label], [1, *label], "|u1", 0)
        meta[f"{name}/.zattrs"] = {"_ARRAY_DIMENSIONS": dims}
    by_name = {image.name: image for image in setup.images}
    for name, (bands, rows, cols, dtype) in sorted(images.items()):
        fill = by_name[name].nodata
        fill = "NaN" if fill is not None and np.isnan(fill) else (fill or 0)
        dtype = dtype.replace(">", "<").replace("=", "<")
        whole = [bands, rows, cols]
        meta[f"images/{name}/.zarray"] = _array([count, *whole], [1, *whole], dtype, fill)
        meta[f"images/{name}/.zattrs"] = {
            "_ARRAY_DIMENSIONS": ["chip", f"{name}_band", f"{name}_y", f"{name}_x"],
            "bands": [b.name for b in by_name[name].bands],
            "dates": by_name[name].dates,
        }
    small = {
        "id": np.array(ids, dtype=f"<U{max(map(len, ids))}"),
        "split": np.array(splits, dtype="<U8"),
        "transform": np.array(moves, "<f8"),
    }
    for name, array in small.items():
        fill = 0.0 if name == "transform" else ""
        meta[f"{name}/.zarray"] = _array(array.shape, array.shape, array.dtype.str, fill)
        meta[f"{name}/.zattrs"] = {"_ARRAY_DIMENSIONS": ["chip", "six"][: array.ndim]}
        yield f"{name}/{'.'.join('0' * array.ndim)}", [_pack(array)]
    for name, value in meta.items():
        yield name, base.dumps(value)
    yield ".zmetadata", base.dumps({"zarr_consolidated_format": 1, "metadata": meta})


def check(folder: Path, codes: set):
    """Headers are there; every chunk unpacks to its size; label codes are known."""
    try:
        meta = files.read_json(folder / ".zmetadata")["metadata"]
    except (ConcordError, KeyError, TypeError):
        yield "format", "zarr/.zmetadata", "missing or damaged"
        return
    for key, header in meta.items():
        if not key.endswith("/.zarray"):
            continue
        name = key[: -len("/.zarray")]
        wanted = int(np.prod(header["chunks"])) * np.dtype(header["dtype"]).itemsize
        for path in sorted((folder / name).glob("[0-9]*")):
            where = f"zarr/{name}/{path.name}"
            try:
                raw = zlib.decompress(path.read_bytes())
            except zlib.error:
                yield "format", where, "cannot be unpacked"
                continue
            if len(raw) != wanted:
                yield "format", where, f"holds {len(raw)} bytes instead of {wanted}"
            elif name == "label":
                unknown = set(raw) - codes - {NO_DATA, IGNORE}
                if unknown:
                    yield "codes", where, f"code {min(unknown)} is not in the taxonomy"


FORMATS = (base.Format("zarr", "Zarr", chip, finish, check, whole=True),)
